"""What a decision reads first: the versions its rows stand under, and the session, whose end no version tells."""

from typing import NamedTuple

from idp.database.lane import Sql, Work, state_of

_BEFORE = Sql(
    "SELECT (SELECT epoch FROM policy_epoch WHERE id = 1), "
    "COALESCE((SELECT version FROM account_version WHERE account_id = $1), 0), "
    "s.account_id, s.acr, s.auth_time, s.factor_time, s.last_seen_at, s.expires_at, s.ended_at, s.partner_id, "
    "COALESCE(l.ended_at, l.held_at) "
    "FROM (SELECT 1 AS one) AS always LEFT JOIN session AS s ON s.id = $2 LEFT JOIN login AS l ON l.id = s.login_id"
)
"""The versions, before any row they guard, and the session, whose end no version tells."""


class SessionFacts(NamedTuple):
    """The person's session as stored; moments in microseconds."""

    account_id: str
    acr: str
    auth_time: int
    factor_time: int | None
    last_seen_at: int
    expires_at: int
    ended_at: int | None
    partner_id: str | None
    login_shut: int | None
    """When the login it was opened with was removed, or has been held since: a sign-in of that very moment was not
    among the sessions that ended then."""

    @property
    def state(self) -> str:
        """Return what of it can change, as a commit checks it; of its login the account's version tells."""
        return state_of(self.acr, self.auth_time, self.factor_time, self.last_seen_at, self.expires_at, self.ended_at)


class Before(NamedTuple):
    """What is read before everything else."""

    epoch: int
    version: int
    session: SessionFacts | None


def before(account_id: str, sid: str | None) -> Work:
    """Read the versions and the session in one statement."""
    [row] = yield _BEFORE, (account_id, sid or "")
    session = None
    if row[2] is not None:
        session = SessionFacts(*row[2:])
    return Before(row[0], row[1], session)
