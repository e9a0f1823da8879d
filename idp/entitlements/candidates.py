"""Who, where or what could be the answer to a search: read by index, in order of id, decided one by one."""

from idp import clock
from idp.database.lane import Sql, Work
from idp.entitlements.defaults import FROM_APPOINTMENT
from idp.entitlements.question import Question

_SUBJECTS = Sql(
    "SELECT account_id FROM ("
    'SELECT account_id FROM "grant" WHERE provider_id = $1 AND line_of_business = $2 AND entitlement = $3 '
    "AND account_id > $4 AND not_before <= $5 "
    "UNION SELECT account_id FROM appointment WHERE provider_id = $1 AND line = $2 AND $6 = 1 AND account_id > $4"
    ") AS found ORDER BY account_id LIMIT $7"
)
_RESOURCES = Sql(
    "SELECT provider_id FROM affiliation WHERE account_id = $1 AND provider_id > $2 "
    "GROUP BY provider_id ORDER BY provider_id LIMIT $3"
)
_ACTIONS = Sql("SELECT key FROM entitlement WHERE key > $1 ORDER BY key LIMIT $2")
_GIVEN = Sql(
    'SELECT entitlement FROM "grant" WHERE account_id = $1 AND provider_id = $2 AND line_of_business = $3 '
    "AND entitlement > $4 GROUP BY entitlement ORDER BY entitlement LIMIT $5"
)
"""Functions a person was ever given there; with those of an appointment nothing else can be permitted."""


def of(question: Question, sought: str, after: str, limit: int) -> Work:
    """Read the next candidates after an id, in order; return them as texts."""
    if sought == "subject":
        if question.subject_type != "account":
            return []
        at = clock.micros(question.at or clock.now())
        appointed = int(question.entitlement in FROM_APPOINTMENT)
        values = (question.provider_id, question.asked_line, question.entitlement, after, at, appointed, limit)
        rows = yield _SUBJECTS, values
    elif sought == "resource":
        if question.resource_type != "provider":
            return []
        rows = yield _RESOURCES, (question.account_id, after, limit)
    elif question.supposes:
        rows = yield _ACTIONS, (after, limit)
    else:
        place = (question.account_id, question.provider_id or "", question.asked_line)
        given = yield _GIVEN, (*place, after, limit)
        names = {row[0] for row in given} | {key for key in FROM_APPOINTMENT if key > after}
        rows = [(name,) for name in sorted(names)[:limit]]
    return [row[0] for row in rows]
