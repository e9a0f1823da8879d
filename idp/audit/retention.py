"""Destroy records after their time, whole months at once, and keep what proves that they were there.

For operators: it needs the rights of the tables' owner, which the service itself does not have. Held records stay,
whatever their age. Nothing younger than six years goes (45 CFR 164.316(b)(2)(i)).
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, bindparam, or_, text
from sqlmodel import Session, col, not_, select

from idp import clock
from idp.audit import holds, log, pruned, rights
from idp.audit.events import Event
from idp.audit.tables import AuditRecord
from idp.database import Database, transaction
from idp.database.guards import unguarded
from idp.errors import Conflict, Invalid

YEARS = 6
_BATCHES = text("SELECT first_index, low_seq, high_seq, seqs, hashes FROM audit_batch ORDER BY first_index")
_KEEP = text(
    "INSERT INTO audit_pruned (created_at, first_index, count, low_seq, high_seq, nodes, gone) "
    "VALUES (:now, :first, :count, :low, :high, :nodes, :gone) "
    "ON CONFLICT (first_index) DO UPDATE SET nodes = excluded.nodes, gone = excluded.gone"
)
_MONTHS = text(
    "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
    "WHERE i.inhparent = to_regclass('audit_record') ORDER BY 1"
)


@dataclass(frozen=True, slots=True)
class Pruning:
    """What one pruning did."""

    before: datetime
    records: int
    held: int
    """Records of that time that a legal hold keeps."""


def oldest_kept(now: datetime) -> datetime:
    """Return the first moment that may not be pruned: the first of the month, six years ago."""
    return datetime(now.year - YEARS, now.month, 1, tzinfo=UTC)


def prune(database: Database, before: datetime | None = None) -> Pruning:
    """Destroy what is older than `before` (the first of a month), in one transaction; record it.

    Raises Invalid for a day that is too young, Conflict under a hold on the whole log or while such a record waits
    to be sealed.
    """
    limit = oldest_kept(clock.now())
    day = limit if before is None else before.astimezone(UTC)
    day = day.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    if day > limit:
        raise Invalid(f"Records are kept for {YEARS} years: nothing from {limit:%Y-%m-%d} on can be pruned.")
    with transaction(database) as session:
        rights.need_owner(session, "Pruning")
        held = holds.held(session)
        if held.everything:
            raise Conflict("A legal hold is on the whole log. Lift it first.")
        waiting = text("SELECT 1 FROM audit_unsealed WHERE at < :day LIMIT 1")
        if session.execute(waiting, {"day": clock.micros(day)}).first() is not None:
            raise Conflict("Records of that time wait to be sealed. Seal them, and look at those that were refused.")
        old = col(AuditRecord.at) < day
        keep = _kept(held)
        kept = 0
        if keep is not None:
            kept = len(session.execute(select(AuditRecord.seq).where(old, keep)).all())
        going = [old] if keep is None else [old, not_(keep)]
        with unguarded(session, "audit_record", "audit_batch"):
            gone = _fold(session, going)
            if gone:
                _destroy(session, database, day, going, kept=kept)
        if gone:
            details = {"before": clock.iso(day), "records": gone, "held": kept, "digest": pruned.digest(session)}
            log.record(session, Event(pruned.EVENT, details=details))
    return Pruning(day, gone, kept)


def _kept(held: holds.Held) -> ColumnElement[bool] | None:
    parts = []
    if held.accounts:
        columns = (col(AuditRecord.account_id), col(AuditRecord.actor_id))
        parts += [column.in_(held.accounts) & column.is_not(None) for column in columns]
    if held.providers:
        parts.append(col(AuditRecord.provider_id).in_(held.providers) & col(AuditRecord.provider_id).is_not(None))
    return or_(*parts) if parts else None


def _fold(session: Session, going: list[ColumnElement[bool]]) -> int:
    """Put a batch's subtrees, or the numbers that go from it, in place of its records; return how many go."""
    seq = col(AuditRecord.seq)
    highest = session.execute(select(seq).where(*going).order_by(seq.desc()).limit(1)).scalar()
    if highest is None:
        return 0
    before = pruned.read(session)
    total = 0
    whole: list[int] = []
    for first, low, high, seqs, hashes in session.execute(_BATCHES).all():
        if low > highest:
            continue
        numbers = pruned.unpacked(bytes(seqs))
        here = set(session.execute(select(seq).where(*going, seq >= low, seq <= high)).scalars()) & set(numbers)
        earlier = before[first].gone if first in before else frozenset()
        if not here:
            continue
        total += len(here)
        every = len(here) + len(earlier) == len(numbers)
        joined = bytes(hashes)
        leaves = [joined[at : at + 32] for at in range(0, len(joined), 32)]
        session.execute(
            _KEEP,
            {
                "now": clock.micros(clock.now()),
                "first": first,
                "count": len(numbers),
                "low": low,
                "high": high,
                "nodes": pruned.packed_nodes(first, leaves) if every else b"",
                "gone": b"" if every else pruned.packed(here | earlier),
            },
        )
        if every:
            whole.append(first)
    for start in range(0, len(whole), 500):
        gone = text("DELETE FROM audit_batch WHERE first_index IN :firsts").bindparams(
            bindparam("firsts", expanding=True)
        )
        session.execute(gone, {"firsts": whole[start : start + 500]})
    return total


def _destroy(
    session: Session, database: Database, day: datetime, going: list[ColumnElement[bool]], *, kept: int
) -> None:
    """Drop the months nobody holds; delete the rest row by row."""
    if not database.is_sqlite and not kept:
        for name in session.execute(_MONTHS).scalars().all():
            if name != "audit_record_rest" and name.removeprefix("audit_record_") < f"{day:%Y_%m}":
                session.execute(text(f'DROP TABLE "{name}"'))
    session.execute(AuditRecord.__table__.delete().where(*going))  # type: ignore[attr-defined]
