"""Events for receivers that fetch them (RFC 8936): given until acknowledged, acknowledged once, in order."""

from collections.abc import Mapping, Sequence

from sqlalchemy import CursorResult, update
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock
from idp.audit import log
from idp.signals.stream_tables import SignalDelivery, SignalStream
from idp.transmitter.delivery import KEPT, event_of, give_up, may_hear
from idp.transmitter.signing import token_of

MOST = 100
"""Events in one answer."""


def settle(db: Db, stream: SignalStream, acknowledged: Sequence[str], refused: Mapping[str, str]) -> None:
    """Take what a receiver says of events it fetched; ids that are not of this stream change nothing."""
    for jti in dict.fromkeys((*acknowledged, *refused)):
        problem = refused.get(jti)
        now = clock.now()
        values: dict[str, object] = {"failed_at": now, "problem": f"refused: {problem}"[:100]}
        if problem is None:
            values = {"delivered_at": now, "problem": None}
        done = db.execute(
            update(SignalDelivery)
            .where(
                col(SignalDelivery.jti) == jti,
                col(SignalDelivery.receiver) == stream.id,
                col(SignalDelivery.tries) > 0,
                col(SignalDelivery.delivered_at).is_(None),
                col(SignalDelivery.failed_at).is_(None),
            )
            .values(**values)
            .execution_options(synchronize_session=False)
        )
        assert isinstance(done, CursorResult)
        if done.rowcount != 1:
            continue
        row = db.exec(select(SignalDelivery).where(col(SignalDelivery.jti) == jti)).one()
        if problem is None:
            log.record(db, event_of("signals.event.delivered", row))
        else:
            log.record(db, event_of("signals.event.refused", row, outcome="refused", reason=problem[:100]))


def waiting(db: Db, stream: SignalStream, most: int) -> tuple[dict[str, str], bool]:
    """Return (jti -> signed event) of what waits, oldest first, and whether there is more; notes that it was given."""
    if stream.status != "enabled" or stream.method != "poll":
        return {}, False
    found = db.exec(
        select(SignalDelivery)
        .where(
            col(SignalDelivery.receiver) == stream.id,
            col(SignalDelivery.delivered_at).is_(None),
            col(SignalDelivery.failed_at).is_(None),
            col(SignalDelivery.created_at) > clock.now() - KEPT,
        )
        .order_by(col(SignalDelivery.id))
        .limit(most + 1)
    ).all()
    given = []
    for row in found[:most]:
        if may_hear(db, row):
            given.append(row)
        else:
            give_up(db, row, "receiver_gone")
    for row in given:
        row.tries += 1
        db.add(row)
    return {row.jti: token_of(db, row) for row in given}, len(found) > most
