"""What a receiver may do with its streams: make, read, change, end, pause, leave people out, ask for a proof.

Everything is the asking client's own: another client's stream, like one that never was, is not found.
"""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, func, text
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock, entropy
from idp.audit import log
from idp.audit.events import Event
from idp.database import of
from idp.errors import Conflict, Invalid, NotEntitled, NotFound, TooMany
from idp.outbound import Outbound
from idp.signals.names import EVENTS
from idp.signals.stream_tables import SignalDelivery, SignalStream, SignalSubject
from idp.transmitter import fanout
from idp.transmitter.events import STREAM_UPDATED, VERIFICATION, updated_claims, verification_claims

PUSH, POLL = "urn:ietf:rfc:8935", "urn:ietf:rfc:8936"
METHODS = {PUSH: "push", POLL: "poll"}
MOST = 4
"""Streams of one client."""
EVERY = timedelta(seconds=30)
"""Between two verification events of one stream (`min_verification_interval`)."""
STATUSES = ("enabled", "paused", "disabled")
_LONGEST = 500
_APP_OF = text("SELECT 1 FROM token_family WHERE account_id = :a AND client_id = :c LIMIT 1")


@dataclass(frozen=True, slots=True)
class Wish:
    """What a receiver asked a stream to be; None where it said nothing."""

    method: str | None = None
    endpoint_url: str | None = None
    authorization: str | None = None
    events: list[str] | None = None
    """Event types; those we do not know, or this client may not have, are passed over."""
    description: str | None = None


def may_have(db: Db, client_id: str) -> frozenset[str]:
    """Return the short names of the events a client may have; raise NotEntitled when there are none."""
    found = fanout.allowed(db).get(client_id, frozenset())
    if not found:
        raise NotEntitled("This client may have no security events. The operator says which, in `signals`.")
    return found


def create(db: Db, client_id: str, wish: Wish) -> SignalStream:
    """Set up a stream; raise Conflict when the client has enough, Invalid, NotEntitled."""
    allowed = may_have(db, client_id)
    db.execute(text("UPDATE client SET status = status WHERE client_id = :c"), {"c": client_id})  # one at a time
    if len(of_client(db, client_id)) >= MOST:
        raise Conflict(f"A client may have {MOST} streams.", code="too_many_streams")
    stream = SignalStream(id=entropy.new_id("str"), client_id=client_id, method="poll", events_requested=[])
    _put(db, stream, Wish(wish.method or POLL, wish.endpoint_url, wish.authorization, wish.events), allowed)
    stream.description = _text(wish.description or "")
    db.add(stream)
    db.flush()
    log.record(db, _event("signals.stream.created", stream))
    return stream


def of_client(db: Db, client_id: str) -> list[SignalStream]:
    """Return a client's streams, oldest first."""
    return list(
        db.exec(
            select(SignalStream)
            .where(col(SignalStream.client_id) == client_id, col(SignalStream.ended_at).is_(None))
            .order_by(col(SignalStream.created_at), col(SignalStream.id))
        )
    )


def find(db: Db, client_id: str, stream_id: str) -> SignalStream:
    """Return one of the client's own streams; raise NotFound."""
    stream = db.get(SignalStream, stream_id) if stream_id.isascii() and len(stream_id) <= 40 else None
    if stream is None or stream.client_id != client_id or stream.ended_at is not None:
        raise NotFound("There is no such stream.")
    return stream


def change(db: Db, stream: SignalStream, wish: Wish, *, whole: bool = False) -> None:
    """Change what was said (`whole`: and take back what was not). Raises Invalid."""
    allowed = may_have(db, stream.client_id)
    if whole:
        wish = Wish(
            wish.method or POLL, wish.endpoint_url, wish.authorization, wish.events or [], wish.description or ""
        )
        stream.authorization = None
    before = stream.method
    _put(db, stream, wish, allowed)
    if wish.description is not None:
        stream.description = _text(wish.description)
    db.add(stream)
    db.flush()
    if before != stream.method:  # what waits goes the new way
        db.execute(
            text("UPDATE signal_delivery SET method = :m WHERE receiver = :r AND delivered_at IS NULL"),
            {"m": stream.method, "r": stream.id},
        )
    log.record(db, _event("signals.stream.changed", stream))


def end(db: Db, stream: SignalStream) -> None:
    """End a stream; what waits on it is told to nobody."""
    stream.ended_at = clock.now()
    db.add(stream)
    db.execute(delete(SignalSubject).where(col(SignalSubject.stream_id) == stream.id))
    _drop(db, stream, "stream_ended")
    log.record(db, _event("signals.stream.ended", stream))


def set_status(db: Db, stream: SignalStream, status: str, reason: str | None) -> None:
    """Enable, pause (events wait, at most a day) or disable (they are dropped) a stream. Raises Invalid."""
    if status not in STATUSES:
        raise Invalid(fields={"status": f"Use one of {', '.join(STATUSES)}."})
    if reason is not None:
        _text(reason)
    if stream.status == status and stream.status_reason == reason:
        return
    stream.status, stream.status_reason = status, reason
    db.add(stream)
    if status == "disabled":
        _drop(db, stream, "stream_disabled")
    else:
        fanout.about_stream(db, stream, STREAM_UPDATED, updated_claims(stream.id, status, reason))
    log.record(db, _event("signals.stream.changed", stream, status=status))


def leave_out(db: Db, stream: SignalStream, account_id: str) -> None:
    """Tell nothing about a person on this stream. Somebody else's person is not known here, and nothing is said."""
    if not _is_app_of(db, stream.client_id, account_id) or db.get(SignalSubject, (stream.id, account_id)) is not None:
        return
    db.add(SignalSubject(stream_id=stream.id, account_id=account_id))
    db.flush()
    log.record(db, _event("signals.subject.removed", stream, account_id))


def take_in(db: Db, stream: SignalStream, account_id: str) -> None:
    """Tell about a person again. Raises NotFound for somebody who never used this app, whoever they are."""
    if not _is_app_of(db, stream.client_id, account_id):
        raise NotFound("This person is not known to this app.")
    found = db.get(SignalSubject, (stream.id, account_id))
    if found is not None:
        db.delete(found)
        db.flush()
        log.record(db, _event("signals.subject.added", stream, account_id))


def verify(db: Db, stream: SignalStream, state: str | None) -> None:
    """Send the event that proves the stream works; raise TooMany when asked too soon again."""
    now = clock.now()
    if state is not None and len(state) > _LONGEST:
        raise Invalid(fields={"state": f"Use at most {_LONGEST} characters."})
    if stream.verified_at is not None and now < stream.verified_at + EVERY:
        raise TooMany(f"Ask for a proof every {int(EVERY.total_seconds())} seconds.", retry_after=30)
    stream.verified_at = now
    db.add(stream)
    fanout.about_stream(db, stream, VERIFICATION, verification_claims(stream.id, state))
    log.record(db, _event("signals.stream.verified", stream))


def _put(db: Db, stream: SignalStream, wish: Wish, allowed: frozenset[str]) -> None:
    problems: dict[str, str] = {}
    if wish.method is not None:
        if wish.method not in METHODS:
            problems["delivery"] = f"Use {PUSH} or {POLL}."
        else:
            stream.method = METHODS[wish.method]
    if stream.method == "push":
        where = wish.endpoint_url or stream.endpoint_url
        if not Outbound(development=of(db).settings.development).allowed(where):
            problems["endpoint_url"] = "Give an https address we may call."
        stream.endpoint_url = where
    else:
        stream.endpoint_url = None
    if wish.authorization is not None:
        said = wish.authorization
        if not (said.isascii() and said.isprintable() and 1 <= len(said) <= 2000):
            problems["authorization_header"] = "Use printable ASCII of at most 2000 characters."
        place = f"signal_stream.authorization:{stream.id}"
        stream.authorization = of(db).ring.seal("upstreams", place, said.encode("ascii", "replace"))
    if wish.events is not None or not stream.events_requested:
        asked = wish.events or [EVENTS[name] for name in sorted(allowed)]
        stream.events_requested = sorted(name for name, uri in EVENTS.items() if uri in asked)
    if problems:
        raise Invalid(fields=problems)


def _drop(db: Db, stream: SignalStream, because: str) -> None:
    db.execute(
        text(
            "UPDATE signal_delivery SET failed_at = :now, problem = :why "
            "WHERE receiver = :r AND delivered_at IS NULL AND failed_at IS NULL"
        ),
        {"now": clock.micros(clock.now()), "why": because, "r": stream.id},
    )


def waiting(db: Db, stream_id: str) -> int:
    """Return how many events wait on a stream."""
    counted = select(func.count()).where(
        col(SignalDelivery.receiver) == stream_id,
        col(SignalDelivery.delivered_at).is_(None),
        col(SignalDelivery.failed_at).is_(None),
    )
    return int(db.exec(counted).one())


def _is_app_of(db: Db, client_id: str, account_id: str) -> bool:
    return db.execute(_APP_OF, {"a": account_id, "c": client_id}).first() is not None


def _text(value: str) -> str:
    if len(value) > _LONGEST or not value.isprintable():
        raise Invalid(fields={"description": f"Use at most {_LONGEST} printable characters."})
    return value


def _event(name: str, stream: SignalStream, account_id: str | None = None, **more: str) -> Event:
    details = {"stream": stream.id, "by": stream.method, **more}
    return Event(name, account=account_id, client=stream.client_id, details=details)
