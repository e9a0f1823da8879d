"""From one numbered revocation to the deliveries of everybody who is to be told.

The revocations themselves are the outbox: written with the change, in commit order. This reads on from where it
stopped and writes deliveries and its place in one transaction, so each is told once and none is left out.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import CursorResult, text
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import entropy
from idp.database import Database, of, reading, transaction
from idp.signals.names import EVENTS
from idp.signals.stream_tables import SignalDelivery, SignalStream
from idp.transmitter.events import LOGOUT, Change, claims_of, logout_claims, said_of

BATCH = 200
_PLACE = text("SELECT seq FROM signal_cursor WHERE id = 1")
_NEWS = text("SELECT (SELECT seq FROM revocation_counter) > (SELECT seq FROM signal_cursor)")
_MOVE = text("UPDATE signal_cursor SET seq = :to WHERE id = 1 AND seq = :since")
_NEXT = text(
    "SELECT seq, kind, account_id, session_id, provider_id, authz_epoch, facts, at FROM revocation "
    "WHERE seq > :since ORDER BY seq LIMIT :most"
)
_APPS_OF_PERSON = text("SELECT DISTINCT client_id FROM token_family WHERE account_id = :a")
_APPS_OF_SESSION = text("SELECT DISTINCT client_id FROM token_family WHERE session_id = :s")
_TOLD_BY_LOGOUT = text("SELECT client_id FROM client WHERE backchannel_logout_uri IS NOT NULL AND status = 'active'")
_ALLOWED = text("SELECT client_id, signals FROM client WHERE status = 'active' AND signals <> '[]'")


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A stream and what it is to carry."""

    stream: SignalStream
    events: frozenset[str]
    without: frozenset[str]
    """Accounts it was told to leave out."""


def run(database: Database) -> bool:
    """Write the deliveries of the next revocations; return whether more wait."""
    with reading(database) as db:  # most of the time there is nothing, and a reader stops nobody
        if not db.execute(_NEWS).scalar():
            return False
    with transaction(database) as db:
        since = int(db.execute(_PLACE).scalar_one())
        rows = db.execute(_NEXT, {"since": since, "most": BATCH}).all()
        if not rows:
            return False
        moved = db.execute(_MOVE, {"to": rows[-1][0], "since": since})
        assert isinstance(moved, CursorResult)
        if moved.rowcount != 1:  # another worker was quicker
            return True
        streams, logouts = _streams(db), set(db.execute(_TOLD_BY_LOGOUT).scalars())
        for row in rows:
            seq, kind, account_id, session_id, provider_id, epoch, facts, at = row
            read = orjson.loads(facts or "{}")
            change = Change(seq, kind, account_id, session_id, provider_id, epoch, read, at)
            db.add_all(_deliveries(db, change, streams, logouts))
    return len(rows) == BATCH


def allowed(db: Db) -> dict[str, frozenset[str]]:
    """Return client -> short names of the events its operator lets it have."""
    return {client: frozenset(orjson.loads(names)) & EVENTS.keys() for client, names in db.execute(_ALLOWED)}


def _streams(db: Db) -> list[_Wanted]:
    may = allowed(db)
    live = db.exec(
        select(SignalStream)
        .where(col(SignalStream.ended_at).is_(None), col(SignalStream.status) != "disabled")
        .order_by(col(SignalStream.id))
    ).all()
    without: dict[str, set[str]] = {}
    for stream_id, account_id in db.execute(text("SELECT stream_id, account_id FROM signal_subject")):
        without.setdefault(stream_id, set()).add(account_id)
    return [
        _Wanted(one, may[one.client_id] & set(one.events_requested), frozenset(without.get(one.id, ())))
        for one in live
        if one.client_id in may
    ]


def _deliveries(db: Db, change: Change, streams: list[_Wanted], logouts: set[str]) -> Iterable[SignalDelivery]:
    """Return what is to be delivered: only to apps this person has used, only about that."""
    if change.account_id is None:
        return
    if change.kind in ("session_ended", "assurance_changed") and change.session_id is not None:
        apps = set(db.execute(_APPS_OF_SESSION, {"s": change.session_id}).scalars())
    else:
        apps = set(db.execute(_APPS_OF_PERSON, {"a": change.account_id}).scalars())
    if change.kind == "session_ended":
        for client_id in sorted(apps & logouts):
            to = _To("logout", f"logout:{client_id}", client_id)
            yield _row(to, LOGOUT, logout_claims(change), change.seq, change.account_id)
    said = said_of(change, of(db).settings.issuer)
    if said is None:
        return
    for wanted in streams:
        stream = wanted.stream
        if stream.client_id in apps and said.name in wanted.events and change.account_id not in wanted.without:
            claims = claims_of(said, seq=change.seq)
            yield _row(_To.stream(stream), said.name, claims, change.seq, change.account_id)


def about_stream(db: Db, stream: SignalStream, event: str, claims: dict[str, Any]) -> None:
    """Write an event about the stream itself, after whatever waits on it."""
    db.add(_row(_To.stream(stream), event, claims, None, None))
    db.flush()


@dataclass(frozen=True, slots=True)
class _To:
    """Who is told, by which road."""

    method: str
    receiver: str
    client_id: str

    @classmethod
    def stream(cls, stream: SignalStream) -> "_To":
        return cls(stream.method, stream.id, stream.client_id)


def _row(to: _To, event: str, claims: dict[str, Any], seq: int | None, account_id: str | None) -> SignalDelivery:
    return SignalDelivery(
        jti=entropy.new_id("set"),
        method=to.method,
        receiver=to.receiver,
        client_id=to.client_id,
        seq=seq,
        event=event,
        account_id=account_id,
        claims=claims,
    )
