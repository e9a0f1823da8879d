"""The tree's batches as the database keeps them, in the tree's order: numbers and leaf hashes, or what pruning left.

Batches that follow each other are handed out together, as a stretch, so that their rows are read with one question:
a quiet log has a few records in each.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from sqlalchemy import text
from sqlmodel import Session

from idp.audit.merkle import Frontier
from idp.audit.pruned import Pruned

_TOGETHER = 5000
"""Records of a stretch, at least; the largest batch has as many, so a stretch has less than twice that."""
_BATCHES = text(
    "SELECT first_index, count, seqs, hashes FROM audit_batch WHERE first_index > :after "
    "ORDER BY first_index LIMIT :most"
)
_MOST = 400


@dataclass(slots=True)
class Batch:
    """Records that were sealed together, or what is left of a batch that was destroyed after its time."""

    seqs: list[int] = field(default_factory=list)
    hashes: list[bytes] = field(default_factory=list)
    nodes: list[tuple[int, bytes]] = field(default_factory=list)
    """Level and root of the subtrees in the place of destroyed records."""
    pruned: int = 0
    """Records that those stand for."""
    broken: tuple[int | None, str] | None = None
    """Why it cannot stand here, and the record that is concerned."""

    def grow(self, tree: Frontier) -> None:
        """Put it at the tree's edge."""
        for level, node in self.nodes:
            tree.append_subtree(level, node)
        tree.extend(self.hashes)


class Stretches:
    """Reads the batches of one snapshot; those that are not whole or do not follow say so."""

    def __init__(self, session: Session, pruned: Mapping[int, Pruned]) -> None:
        self._session = session
        self._pruned = pruned
        self._size = 0
        """Position at which the next batch must begin."""

    def __iter__(self) -> Iterator[list[Batch]]:
        stretch: list[Batch] = []
        records = 0
        for batch in self._batches():
            stretch.append(batch)
            records += len(batch.seqs)
            if records >= _TOGETHER or len(stretch) >= _MOST:
                yield stretch
                stretch, records = [], 0
        if stretch:
            yield stretch

    def _batches(self) -> Iterator[Batch]:
        after, most = -1, 20
        while rows := self._session.execute(_BATCHES, {"after": after, "most": most}).all():
            most = max(2, min(_MOST, 2 * _TOGETHER * len(rows) // max(1, sum(int(row[1]) for row in rows))))
            for first, count, packed, joined in rows:
                after = first
                yield from self._destroyed(first)
                seqs = list(struct.unpack(f">{len(packed) // 8}q", bytes(packed)[: len(packed) // 8 * 8]))
                hashes = [bytes(joined)[at : at + 32] for at in range(0, len(joined) // 32 * 32, 32)]
                batch = Batch(seqs, hashes)
                if first != self._size or not count == len(seqs) == len(hashes):
                    sentence = f"The batch at position {first} does not follow position {self._size} or is not whole."
                    batch.broken = (seqs[0] if seqs else None, sentence)
                    if first < self._size or len(seqs) != len(hashes):
                        yield Batch(broken=batch.broken)
                        return
                self._size += len(hashes)
                yield batch
        yield from self._destroyed(None)

    def _destroyed(self, until: int | None) -> Iterator[Batch]:
        """Return what stands for batches that were pruned whole; each may end at a checkpoint."""
        while self._size != until and (gone := self._pruned.get(self._size)) is not None and gone.nodes:
            batch = Batch(pruned=gone.count)
            for level, node in gone.nodes:
                if self._size & ((1 << level) - 1) or len(node) != 32:
                    sentence = f"What is left of the pruned batch at {gone.first} is not whole."
                    batch.pruned, batch.broken = 0, (gone.low, sentence)
                    yield batch
                    return
                batch.nodes.append((level, node))
                self._size += 1 << level
            yield batch
