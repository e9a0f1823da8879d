"""Export the log: JSON lines that `verifier.py` proves elsewhere, or one of the forms others read.

One record in, one line out, whatever a record holds. Read in short transactions, batch by batch, so a
slow reader holds nothing; what is sealed does not change. Records that do not match a filter stand in the
JSON lines as the roots of the subtrees they fill, which keeps every exported record provable.
"""

import base64
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import text
from sqlmodel import Session, col, select

from idp import clock
from idp.audit import pruned
from idp.audit.checkpoint import origin_of
from idp.audit.forms import Entry, Form
from idp.audit.leaf import raw
from idp.audit.merkle import node_hash, perfect_parts
from idp.audit.search import Filters
from idp.audit.tables import AuditRecord, AuditUnsealed
from idp.audit.verifier import FORMAT
from idp.database import Database, reading

_CHUNK = 500


@dataclass(frozen=True, slots=True)
class _Plan:
    start: int
    """Records before this position are skipped whole."""
    nodes: list[bytes]
    end: int
    waiting: list[tuple[int, bytes]]
    pruned: dict[int, pruned.Pruned]

    @property
    def gone(self) -> frozenset[int]:
        """Return the numbers that are gone from batches that are kept."""
        return frozenset[int]().union(*(one.gone for one in self.pruned.values()))

    def destroyed(self, start: int, end: int) -> bool:
        """Say whether everything between two positions was pruned in whole batches."""
        while start < end:
            one = self.pruned.get(start)
            if one is None or not one.nodes:
                return False
            start += one.count
        return start == end


def jsonl(database: Database, filters: Filters, *, every: int = 500) -> Iterator[bytes]:
    """Return the lines of an export, in the tree's order, with a checkpoint after at least `every` records.

    A quiet log is signed for each few records; checking each of those signatures would be most of the work.
    """
    with reading(database) as session:
        if not database.is_sqlite:
            session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        plan = _plan(session, filters)
    yield _line(
        type="log",
        format=FORMAT,
        origin=origin_of(database.settings),
        made_at=clock.iso(clock.now()),
        filters=filters.given(),
    )
    exported = unsigned = 0
    gap = _Gap(plan.start)
    if plan.start:
        parts = zip(perfect_parts(0, plan.start), plan.nodes, strict=True)
        nodes = [(level, node) for (level, _), node in parts]
        yield _skip(nodes, destroyed=plan.destroyed(0, plan.start))
    missing = plan.gone
    for first, seqs, hashes, matching, note in _batches(database, plan, filters):
        if not seqs:
            yield from gap.close()
            one = plan.pruned[first]
            yield _skip(one.nodes, destroyed=True)
            gap.after(first + one.count)
            continue
        for place, (seq, digest) in enumerate(zip(seqs, hashes, strict=True)):
            leaf = matching.get(seq)
            if leaf is None:
                gap.add(digest, destroyed=seq in missing)
                continue
            yield from gap.close()
            exported += 1
            yield _record(first + place, seq, digest, leaf)
            gap.after(first + place + 1)
        unsigned += len(matching)
        if unsigned >= every or (unsigned and first + len(seqs) >= plan.end):
            yield from gap.close()
            yield _line(type="checkpoint", note=note)
            unsigned = 0
    for seq, leaf in plan.waiting:
        exported += 1
        yield b'{"type":"waiting","number":%d,"record":%s}\n' % (seq, leaf if _said(leaf) else b"null")
    yield _line(type="end", records=exported)


def lines(database: Database, filters: Filters, form: Form) -> Iterator[bytes]:
    """Return the lines of an export in one of `FORMS`, by number."""
    if form.head:
        yield form.head
    after: int | None = None
    log = origin_of(database.settings)
    seq = col(AuditRecord.seq)
    with reading(database) as session:
        newest = int(session.execute(text("SELECT max(seq) FROM audit_record")).scalar() or 0)
    while True:
        onward = () if after is None else (seq > after,)
        with reading(database) as session:
            rows = session.execute(
                select(seq, col(AuditRecord.leaf))
                .where(*filters.conditions(), *onward, seq <= newest)
                .order_by(seq)
                .limit(_CHUNK)
            ).all()
        if not rows:
            return
        for number, leaf in rows:
            yield form.line(Entry(int(number), _said(raw(leaf)) or {"event": "unreadable"}, log))
        after = rows[-1][0]


def _said(leaf: bytes) -> dict[str, Any] | None:
    """Return what a record says; None when somebody made it unreadable, which the verifier then names."""
    try:
        said = orjson.loads(leaf)
    except orjson.JSONDecodeError:
        return None
    return said if isinstance(said, dict) else None


def _plan(session: Session, filters: Filters) -> _Plan:
    """Find the stretch of the tree that holds every match, and what is not sealed yet."""
    waiting = session.execute(
        select(col(AuditRecord.seq), col(AuditRecord.leaf))
        .join(AuditUnsealed, col(AuditUnsealed.seq) == col(AuditRecord.seq))
        .where(*filters.conditions(), col(AuditUnsealed.refused_at).is_(None))
        .order_by(col(AuditRecord.seq))
    ).all()
    seq = col(AuditRecord.seq)
    lowest = session.execute(select(seq).where(*filters.conditions()).order_by(seq).limit(1)).scalar()
    highest = session.execute(select(seq).where(*filters.conditions()).order_by(seq.desc()).limit(1)).scalar()
    first = session.execute(text("SELECT min(first_index) FROM audit_batch WHERE high_seq >= :n"), {"n": lowest or 0})
    last = session.execute(text("SELECT max(first_index) FROM audit_batch WHERE low_seq <= :n"), {"n": highest or 0})
    begin, end = first.scalar(), last.scalar()
    kept = [(int(number), raw(leaf)) for number, leaf in waiting]
    gone = pruned.read(session)
    if lowest is None or begin is None or end is None:
        return _Plan(0, [], 0, kept, gone)
    before = session.execute(
        text("SELECT size, frontier FROM audit_checkpoint WHERE size <= :n ORDER BY size DESC LIMIT 1"), {"n": begin}
    ).first()
    if before is None:
        return _Plan(0, [], end + 1, kept, gone)
    joined = bytes(before.frontier)
    return _Plan(before.size, [joined[at : at + 32] for at in range(0, len(joined), 32)], end + 1, kept, gone)


def _batches(
    database: Database, plan: _Plan, filters: Filters
) -> Iterator[tuple[int, list[int], list[bytes], dict[int, bytes], str]]:
    """Return each batch of the stretch: position, numbers, hashes, matching leaves, its checkpoint's note."""
    place = plan.start
    number = col(AuditRecord.seq)
    while place < plan.end:
        with reading(database) as session:
            row = session.execute(
                text(
                    "SELECT b.count, b.seqs, b.hashes, c.note FROM audit_batch b "
                    "LEFT JOIN audit_checkpoint c ON c.size = b.first_index + b.count "
                    "WHERE b.first_index = :at ORDER BY c.number LIMIT 1"
                ),
                {"at": place},
            ).first()
            if row is None and (one := plan.pruned.get(place)) is not None and one.nodes:
                yield place, [], [], {}, ""
                place += one.count
                continue
            if row is None:
                return
            seqs = list(struct.unpack(f">{row.count}q", bytes(row.seqs)))
            hashes = [bytes(row.hashes)[at : at + 32] for at in range(0, len(row.hashes), 32)]
            matching: dict[int, bytes] = {}
            for start in range(0, len(seqs), _CHUNK):
                wanted = select(number, col(AuditRecord.leaf)).where(
                    *filters.conditions(), number.in_(seqs[start : start + _CHUNK])
                )
                matching.update((int(found), raw(leaf)) for found, leaf in session.execute(wanted).all())
        yield place, seqs, hashes, matching, row.note or ""
        place += int(row[0])


class _Gap:
    """Leaves that are not exported, folded into perfect subtrees while they pass."""

    def __init__(self, place: int) -> None:
        self._place = place
        self._nodes: list[tuple[int, bytes]] = []
        self._pruned = True

    def add(self, digest: bytes, *, destroyed: bool) -> None:
        self._place += 1
        self._pruned = self._pruned and destroyed
        level, node = 0, digest
        while self._nodes and self._nodes[-1][0] == level and self._place % (2 << level) == 0:
            node = node_hash(self._nodes.pop()[1], node)
            level += 1
        self._nodes.append((level, node))

    def after(self, place: int) -> None:
        self._place = place

    def close(self) -> Iterator[bytes]:
        if self._nodes:
            yield _skip(self._nodes, destroyed=self._pruned)
            self._nodes = []
        self._pruned = True


def _record(index: int, seq: int, digest: bytes, leaf: bytes) -> bytes:
    """Return the exact form that the verifier hashes without decoding; a record made unreadable stands apart."""
    if _said(leaf) is None or b"\n" in leaf:
        return _line(type="record", index=index, number=seq, leaf=_b64(leaf), hash=_b64(digest))
    head = b'{"type":"record","index":%d,"number":%d,"hash":"%s","record":' % (index, seq, _b64(digest).encode())
    return head + leaf + b"}\n"


def _skip(nodes: Sequence[tuple[int, bytes]], *, destroyed: bool) -> bytes:
    return _line(type="pruned" if destroyed else "skip", nodes=[[level, _b64(node)] for level, node in nodes])


def _line(**values: Any) -> bytes:
    return orjson.dumps(values) + b"\n"


def _b64(value: bytes) -> str:
    return base64.b64encode(value).decode()
