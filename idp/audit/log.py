"""Record events: in the session that makes the change, or with a group of the machines' lane."""

import re
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from idp import clock, entropy, metrics
from idp.audit import leaf, origin
from idp.audit.events import Event
from idp.audit.tables import SubjectKey
from idp.database import Database, of
from idp.database.lane import Records

_INSERT_NAMED = text(
    f"INSERT INTO audit_record ({','.join(leaf.COLUMNS)}) "  # noqa: S608 - our own names
    f"VALUES ({','.join(':' + name for name in leaf.COLUMNS)})"
)
_EVENT, _OUTCOME = leaf.COLUMNS.index("event"), leaf.COLUMNS.index("outcome")
_ACCOUNT = re.compile(r"acc_[\w-]{1,60}", re.ASCII)
"""Whose a record is must be an account's id, not what a stranger typed in its place."""
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
    session.execute(_INSERT_NAMED, dict(zip(leaf.COLUMNS, values, strict=True)))
    metrics.EVENTS.labels(event.name, event.outcome).inc()


def machine_row(database: Database, event: Event, at: datetime) -> tuple[object, ...]:
    """Return the row of an event of the machines' lane, where the address is a service's, not a person's."""
    return leaf.row(event, origin.current(), at, database.ring)


def _count(rows: Sequence[tuple[Any, ...]]) -> None:
    metrics.GROUP.observe(len(rows))
    for row in rows:
        _counter(row[_EVENT], row[_OUTCOME]).inc()


@cache
def _counter(event: str, outcome: str) -> Any:
    return metrics.EVENTS.labels(event, outcome)


_BYTES = ("address_hash", "leaf", "mac")
append = Records(
    "audit_record",
    tuple(
        (name, "bigint" if name in ("created_at", "at") else "bytea" if name in _BYTES else "text")
        for name in leaf.COLUMNS
    ),
    _count,
)
"""How the machines' lane appends a group's rows."""


def subject_key(session: Session, account_id: str) -> bytes | None:
    """Return the person's own key, made at first use; None once it was destroyed."""
    database = of(session)
    place = f"subject_key.key:{account_id}"
    row = session.get(SubjectKey, account_id)
    if row is None:
        fresh = entropy.raw(32)
        sealed = database.ring.seal("subjects", place, fresh)
        session.execute(
            text(
                "INSERT INTO subject_key (account_id, key, created_at) VALUES (:a, :k, :now) "
                "ON CONFLICT (account_id) DO NOTHING"
            ),
            {"a": account_id, "k": sealed, "now": clock.micros(clock.now())},
        )
        row = session.get(SubjectKey, account_id)
        assert row is not None
    return None if row.key is None else database.ring.open("subjects", place, row.key)
