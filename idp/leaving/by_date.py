"""Tell the apps of what ends by its date, at that moment: the decision compares dates itself, the apps do not.

Grants, sessions, representations and delegations are marked ended by their own jobs, which tell. What stays a row with
two dates (an agreement, an opening, a participation, an authority, an attestation, a pause that begins) is told once,
by one row that says until when it was told. After a standstill everything since is told.
"""

from sqlalchemy import CursorResult, Row, text
from sqlmodel import Session as Db

from idp import clock
from idp.audit import log
from idp.audit.events import Event
from idp.database.lane import Sql
from idp.entitlements import grant_rows
from idp.entitlements.grant_rows import Place
from idp.signals import epochs, revocations

BATCH = 500
_SINCE = "(SELECT at FROM date_told WHERE id = 1)"
_SCHEDULED = (
    "SELECT 'pause', g.not_before, g.id, g.account_id, g.provider_id, g.line_of_business, g.entitlement "
    "FROM \"grant\" g WHERE g.ended_at IS NULL AND g.effect = 'deny' AND g.not_before > g.created_at + 1000000 "
    "AND g.not_before > :since AND g.not_before <= :until"
)
"""A pause that was made to begin later; one that begins at once was told at once."""
_AGREED = (
    "SELECT '{kind}' AS kind, x.ends_at AS at, x.id, NULL AS account_id, x.provider_id, x.line, NULL AS entitlement "
    "FROM {kind} x WHERE x.ends_at > :since AND x.ends_at <= :until {live}AND NOT EXISTS (SELECT 1 FROM {kind} y "
    "WHERE y.provider_id = x.provider_id AND y.line = x.line AND y.starts_at <= :now "
    "AND (y.ends_at IS NULL OR y.ends_at > :now){other})"
)
"""Not where another one goes on: a renewal ends nothing."""
_MANAGES = (
    "SELECT 'appointment', a.ends_at, a.id, a.account_id, a.provider_id, a.line, NULL FROM appointment a "
    "WHERE a.ended_at IS NULL AND a.ends_at > :since AND a.ends_at <= :until"
)
_ATTESTED = (
    "SELECT 'attestation', t.expires_at, t.id, t.account_id, NULL, NULL, NULL FROM attestation t "
    "JOIN account c ON c.id = t.account_id AND c.status = 'active' WHERE t.expires_at > :since "
    "AND t.expires_at <= :until AND NOT EXISTS (SELECT 1 FROM attestation u WHERE u.account_id = t.account_id "
    "AND (u.expires_at > t.expires_at OR u.expires_at = t.expires_at AND u.id > t.id))"
)
_DATES = " UNION ALL ".join(
    (
        _AGREED.format(kind="agreement", live="", other=""),
        _AGREED.format(kind="participation", live="", other=""),
        _AGREED.format(kind="portal_access", live="AND x.ended_at IS NULL ", other=" AND y.ended_at IS NULL"),
        _MANAGES,
        _ATTESTED,
        _SCHEDULED,
    )
)
_PRACTICE = {
    "agreement": "agreement_ended",
    "participation": "agreement_ended",
    "portal_access": "portal_closed",
}
_PERSON = {
    "appointment": ("wam.appointment.ended", "grant_ended", "expired"),
    "pause": ("entitlements.pause.begun", "grant_suspended", "by_date"),
}
_NEXT = text(f"SELECT * FROM ({_DATES}) d ORDER BY at, id LIMIT {BATCH}")  # noqa: S608 - our own texts
_AT_ONE = text(f"SELECT * FROM ({_DATES}) d ORDER BY at, id")  # noqa: S608 - our own texts
_TOLD = text("SELECT at FROM date_told WHERE id = 1")
_MOVE = text("UPDATE date_told SET at = :to WHERE id = 1 AND at = :since")
_MARKED = (
    'SELECT 1 FROM "grant" WHERE ended_at IS NULL AND expires_at <= $1',
    "SELECT 1 FROM session WHERE ended_at IS NULL AND expires_at <= $1",
    "SELECT 1 FROM affiliation WHERE ended_at IS NULL AND ends_at <= $1",
    "SELECT 1 FROM delegation WHERE ended_at IS NULL AND ends_at <= $1",
)
_WINDOWS = (
    *(("agreement", "ends_at"), ("participation", "ends_at"), ("portal_access", "ends_at AND ended_at IS NULL")),
    *(("appointment", "ends_at AND ended_at IS NULL"), ("attestation", "expires_at")),
)
_IN_WINDOW = f"> {_SINCE} AND not_before <= $1"
_PAUSE = f"SELECT 1 FROM \"grant\" WHERE ended_at IS NULL AND effect = 'deny' AND not_before {_IN_WINDOW}"  # noqa: S608


def _window(table: str, column: str) -> str:
    column, _, live = column.partition(" ")
    return f"SELECT 1 FROM {table} WHERE {column} > {_SINCE} AND {column} <= $1 {live}"  # noqa: S608 - our own names


DUE = Sql(
    "SELECT CASE WHEN "
    + " OR ".join(f"EXISTS ({one})" for one in (*_MARKED, *(_window(*w) for w in _WINDOWS), _PAUSE))
    + " THEN 1 ELSE 0 END"
)
"""Whether something has reached its date; $1 is now. One look by indexes, some times a second."""


def tell(db: Db) -> bool:
    """Tell of what reached its date since it was told last, in the order of the dates; return whether more waits."""
    now = clock.now()
    since = int(db.execute(_TOLD).scalar_one())
    until = clock.micros(now)
    if until <= since:  # a clock that was set back tells nothing twice
        return False
    rows = db.execute(_NEXT, {"since": since, "until": until, "now": until}).all()
    full = len(rows) == BATCH
    if full:  # all of the last moment together: next time, or now where there is no other
        values = {"since": rows[-1].at - 1, "until": rows[-1].at, "now": until}
        rows = [row for row in rows if row.at < rows[-1].at] or db.execute(_AT_ONE, values).all()
        until = rows[-1].at
    moved = db.execute(_MOVE, {"to": until, "since": since})
    assert isinstance(moved, CursorResult)
    if moved.rowcount != 1:  # another worker was quicker
        return True
    for row in rows:
        _tell(db, row)
    return full


def _tell(db: Db, row: Row[tuple[object, ...]]) -> None:
    details: dict[str, object] = {row.kind: row.id, "line": row.line, "at": clock.iso(clock.from_micros(row.at))}
    if row.kind in _PRACTICE:
        epochs.changed_policy(db)
        revocations.announce(db, _PRACTICE[row.kind], reason="expired", provider_id=row.provider_id)
        event = Event("providers.agreement.ended", provider=row.provider_id, reason="expired", details=details)
    elif row.kind == "attestation":
        epochs.changed_account(db, row.account_id, takes_away=True)
        event = Event("accounts.attestation.lapsed", account=row.account_id, reason="expired", details=details)
    else:
        name, kind, why = _PERSON[row.kind]
        grant_rows.taken_away(db, Place(row.account_id, row.provider_id, row.line), kind, why)
        who = {"account": row.account_id, "provider": row.provider_id, "entitlement": row.entitlement}
        event = Event(name, reason=why, details=details | {"by": "system"}, **who)
    log.record(db, event)
