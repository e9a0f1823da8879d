"""Record events: in the session that makes the change, or with a group of the machines' lane."""

import re
from datetime import datetime

from sqlalchemy import CursorResult, text
from sqlmodel import Session

from idp import clock, entropy, metrics
from idp.audit import leaf, origin
from idp.audit.events import Event
from idp.audit.tables import SubjectKey
from idp.database import Database, gathering, of
from idp.database.lane import Many, Sql, Work

_MARKS = ",".join(f"${n}" for n in range(1, len(leaf.COLUMNS) + 1))
_INSERT = Sql(f"INSERT INTO audit_record ({','.join(leaf.COLUMNS)}) VALUES ({_MARKS})")  # noqa: S608 - our own names
_INSERT_NAMED = text(
    f"INSERT INTO audit_record ({','.join(leaf.COLUMNS)}) "  # noqa: S608 - our own names
    f"VALUES ({','.join(':' + name for name in leaf.COLUMNS)})"
)
_EVENT, _OUTCOME = leaf.COLUMNS.index("event"), leaf.COLUMNS.index("outcome")
_ACCOUNT = re.compile(r"acc_[\w-]{1,60}", re.ASCII)
"""Whose a record is must be an account's id, not what a stranger typed in its place."""
_NEW_KEY = text(
    "INSERT INTO subject_key (account_id, key, created_at) VALUES (:a, :k, :now) ON CONFLICT (account_id) DO NOTHING"
)
_MADE = "subject keys made"
"""Where a session keeps the keys that its own transaction made: nobody else can have changed those."""
NOBODY = "nobody"
"""Owner of person fields where no account is known, such as a user name nobody has."""


def record(session: Session, event: Event) -> None:
    """Add the event to the transaction that makes the change: both exist or neither does."""
    where = origin.current()
    owner = next((who for who in (event.account, where.actor_id) if who and _ACCOUNT.fullmatch(who)), None)
    subject = None
    if owner or event.personal:
        owner = owner or NOBODY
        subject = leaf.Subject(owner, subject_key(session, owner))
    values = leaf.row(event, where, clock.now(), of(session).ring, subject)
    gathering.write(session, _INSERT_NAMED, dict(zip(leaf.COLUMNS, values, strict=True)))
    metrics.EVENTS.labels(event.name, event.outcome).inc()


def machine_row(database: Database, event: Event, at: datetime) -> tuple[object, ...]:
    """Return the row of an event of the machines' lane, where the address is a service's, not a person's."""
    return leaf.row(event, origin.current(), at, database.ring)


def append(rows: list[tuple[object, ...]]) -> Work:
    """Insert a group's rows; handed to the lane's writer."""
    metrics.GROUP.observe(len(rows))
    for row in rows:
        metrics.EVENTS.labels(row[_EVENT], row[_OUTCOME]).inc()
    yield Many(_INSERT, rows)


def subject_key(session: Session, account_id: str) -> bytes | None:
    """Return the person's own key, made at first use; None once it was destroyed."""
    database = of(session)
    place = f"subject_key.key:{account_id}"
    kept: dict[str, bytes] = session.info.setdefault(_MADE, {})
    if account_id in kept:
        return kept[account_id]
    row = session.get(SubjectKey, account_id)
    if row is None:
        fresh = entropy.raw(32)
        sealed = database.ring.seal("subjects", place, fresh)
        result = session.execute(_NEW_KEY, {"a": account_id, "k": sealed, "now": clock.micros(clock.now())})
        assert isinstance(result, CursorResult)
        if result.rowcount == 1:
            if not session.in_nested_transaction():  # a savepoint may yet be taken back
                kept[account_id] = fresh
            return fresh
        row = session.get(SubjectKey, account_id)
        assert row is not None
    return None if row.key is None else database.ring.open("subjects", place, row.key)
