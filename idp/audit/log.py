"""Record events: in the session that makes the change, or with a group of the machines' lane."""

import re
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, partial
from typing import Any

from sqlalchemy import CursorResult, bindparam, text
from sqlmodel import Session

from idp import clock, entropy, metrics
from idp.audit import leaf, origin
from idp.audit.events import Event
from idp.database import Database, gathering, of, plainly
from idp.database.lane import Append, Records, Sql, Work

_INSERT = {
    sqlite: f"INSERT INTO audit_record ({','.join(leaf.COLUMNS)}) "  # noqa: S608 - our own names
    f"VALUES ({','.join([mark] * len(leaf.COLUMNS))})"
    for sqlite, mark in ((True, "?"), (False, "%s"))
}
"""By whether it is for SQLite, in the driver's own form: SQLAlchemy has less to do for each record."""
_EVENT, _OUTCOME = leaf.COLUMNS.index("event"), leaf.COLUMNS.index("outcome")
_ACCOUNT = re.compile(r"acc_[\w-]{1,60}", re.ASCII)
"""Whose a record is must be an account's id, not what a stranger typed in its place."""
_NEW_KEY = Sql("INSERT INTO subject_key (account_id, key, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING")
_KEY = Sql("SELECT key FROM subject_key WHERE account_id = $1")
_NEW_KEY_NAMED = text(_NEW_KEY.named)
_KEY_OF = {
    sqlite: f"SELECT key FROM subject_key WHERE account_id = {mark}"  # noqa: S608 - our own names
    for sqlite, mark in ((True, "?"), (False, "%s"))
}
_FOUND = "subject keys found"
"""Where a transaction keeps the keys it read outside of a savepoint."""
_MADE = "subject keys made"
"""Where a transaction that gathers keeps the keys it made; it destroys none, and nobody else can see them."""
_HEARING = "who hears of records"
NOBODY = "nobody"
"""Owner of person fields where no account is known, such as a user name nobody has."""


def record(session: Session, event: Event) -> None:
    """Add the event to the transaction that makes the change: both exist or neither does."""
    where = origin.current()
    owner = _owner(event, where)
    database = of(session)
    subject = None
    if event.personal or (owner and where.address):  # without either nothing personal is kept, and no key is needed
        owner = owner or NOBODY
        subject = leaf.Subject(owner, subject_key(session, owner))
    values = leaf.row(event, where, clock.now(), database.ring, subject)
    gathering.write(session, _INSERT[database.is_sqlite], values)
    for hear in session.info.get(_HEARING, ()):
        hear(event, values)
    metrics.EVENTS.labels(event.name, event.outcome).inc()


def listen(session: Session, hear: Callable[[Event, tuple[object, ...]], object]) -> None:
    """Tell `hear` of every record of this transaction from here on, with its columns."""
    session.info.setdefault(_HEARING, []).append(hear)


def _owner(event: Event, where: origin.Origin) -> str | None:
    return next((who for who in (event.account, where.actor_id) if who and _ACCOUNT.fullmatch(who)), None)


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A person's key as its row has it; None inside once it was destroyed."""

    sealed: bytes | None = field(repr=False)
    clear: list[bytes] = field(default_factory=list, repr=False, compare=False)
    """The key once it was opened: a request that leaves several records opens it once."""


def person_record(database: Database, event: Event, at: datetime, stored: StoredKey | None) -> Callable[[], Work]:
    """Return the work that appends a person's event to a group of the lane: the same row that `record` writes.

    `stored` is the key of the event's account as the request's statement read it; None makes one. The row is
    made here and now, where the request's origin is known, unless the key has yet to be made.
    """
    where = origin.current()
    owner = event.account
    if owner is None or _owner(event, where) != owner:
        raise ValueError(f"{event.name}: not an event of an account")
    if stored is not None:
        if stored.sealed is not None and not stored.clear:
            stored.clear.append(_opened(database, owner, stored.sealed))
        subject = leaf.Subject(owner, stored.clear[0] if stored.clear else None)
        row = leaf.row(event, where, at, database.ring, subject)
        return partial(_appended, row)
    return partial(_with_new_key, database, event, at, where, owner)


def _with_new_key(database: Database, event: Event, at: datetime, where: origin.Origin, owner: str) -> Work:
    fresh = database.ring.seal("subjects", _place(owner), entropy.raw(32))
    yield _NEW_KEY, (owner, fresh, clock.micros(at))
    [(sealed,)] = yield _KEY, (owner,)
    yield Append(leaf.row(event, where, at, database.ring, _subject(database, owner, sealed)))


def _appended(row: tuple[object, ...]) -> Work:
    yield Append(row)


def _subject(database: Database, owner: str, sealed: bytes | None) -> leaf.Subject:
    return leaf.Subject(owner, None if sealed is None else _opened(database, owner, sealed))


def _opened(database: Database, owner: str, sealed: bytes) -> bytes:
    return database.ring.open("subjects", _place(owner), bytes(sealed))


def _place(owner: str) -> str:
    return f"subject_key.key:{owner}"


def machine_row(database: Database, event: Event, at: datetime) -> tuple[object, ...]:
    """Return the row of an event of the machines' lane, where the address is a service's, not a person's."""
    return leaf.row(event, origin.current(), at, database.ring)


def _count(rows: Sequence[tuple[Any, ...]]) -> None:
    metrics.GROUP.observe(len(rows))
    for (event, outcome), many in Counter((row[_EVENT], row[_OUTCOME]) for row in rows).items():
        _counter(event, outcome).inc(many)


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
    place = _place(account_id)
    kept: dict[str, bytes] = session.info.setdefault(_MADE, {})
    if account_id in kept:
        return kept[account_id]
    found: dict[str, bytes | None] = session.info.setdefault(_FOUND, {})
    if account_id in found:
        return found[account_id]
    find = _KEY_OF[database.is_sqlite]
    row = plainly.run(session, find, (account_id,)).fetchone()
    if row is None:
        fresh = entropy.raw(32)
        made = database.ring.seal("subjects", place, fresh)
        result = session.execute(_NEW_KEY_NAMED, {"p1": account_id, "p2": made, "p3": clock.micros(clock.now())})
        assert isinstance(result, CursorResult)
        if result.rowcount == 1:
            if gathering.gathers(session) and not session.in_nested_transaction():  # a savepoint may be taken back
                kept[account_id] = fresh
            return fresh
        row = plainly.run(session, find, (account_id,)).fetchone()
    (sealed,) = row
    key = None if sealed is None else database.ring.open("subjects", place, bytes(sealed))
    if not session.in_nested_transaction():  # what a savepoint made is gone with it
        found[account_id] = key
    return key


def forget_key(session: Session, account_id: str) -> None:
    """Read the person's key anew in this transaction, which has just destroyed it."""
    session.info.get(_FOUND, {}).pop(account_id, None)


_AT = text(
    "SELECT 1 FROM audit_record WHERE account_id = :who AND provider_id IN :places "
    "UNION ALL SELECT 1 FROM audit_record WHERE actor_id = :who AND provider_id IN :places LIMIT 1"
).bindparams(bindparam("places", expanding=True))


def seen_at(session: Session, account_id: str, providers: Collection[str]) -> bool:
    """Say whether a record names the person together with one of these practices."""
    return session.execute(_AT, {"who": account_id, "places": sorted(providers)}).first() is not None
