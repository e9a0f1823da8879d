"""Prove that a record stands in the signed tree, and that the tree only grew, from batches and frontiers kept."""

import struct
from dataclasses import dataclass

from sqlalchemy import text
from sqlmodel import Session

from idp.audit.merkle import Frontier, consistency_ranges, inclusion_ranges, perfect_parts
from idp.errors import Invalid, NotFound

_CANDIDATES = text(
    "SELECT first_index, seqs, hashes FROM audit_batch WHERE low_seq <= :n AND high_seq >= :n "
    "ORDER BY low_seq DESC, first_index DESC"
)
_CHECKPOINT = text(
    "SELECT number, size, root, frontier, note FROM audit_checkpoint WHERE size = :size ORDER BY number LIMIT 1"
)

_BETWEEN = text(
    "SELECT first_index, count, hashes FROM audit_batch WHERE first_index >= :old AND first_index < :new "
    "ORDER BY first_index"
)
MOST = 100_000
"""Records between the two trees of one proof of consistency; a longer way is gone in steps."""


@dataclass(frozen=True, slots=True)
class Inclusion:
    """A record's place in the tree and its audit path (RFC 6962 2.1.1)."""

    index: int
    size: int
    leaf: bytes
    path: list[bytes]
    root: bytes
    checkpoint: int
    """Number of the checkpoint that states this size and root."""
    note: str


def inclusion(session: Session, number: int) -> Inclusion | None:
    """Return the proof of a record under the checkpoint it was sealed with; None while it is not sealed."""
    for first, packed, joined in session.execute(_CANDIDATES, {"n": number}):
        seqs = struct.unpack(f">{len(packed) // 8}q", bytes(packed))
        if number not in seqs:
            continue
        hashes = [bytes(joined)[at : at + 32] for at in range(0, len(joined), 32)]
        stated = session.execute(_CHECKPOINT, {"size": first + len(seqs)}).first()
        before = session.execute(_CHECKPOINT, {"size": first}).first() if first else None
        if stated is None or (first and before is None):
            return None
        left = Frontier.load(first, bytes(before.frontier)) if before is not None else Frontier()
        at = first + seqs.index(number)
        path = [_subtree(left, hashes, *part) for part in inclusion_ranges(at, stated.size)]
        leaf = hashes[seqs.index(number)]
        return Inclusion(at, stated.size, leaf, path, bytes(stated.root), stated.number, stated.note)
    return None


def consistency(session: Session, old: int, new: int) -> list[bytes]:
    """Return the proof that the tree of `old` records is the beginning of that of `new` (RFC 6962 2.1.2).

    Both must be sizes of checkpoints. Raises Invalid for a way too long, NotFound where no checkpoint states a size
    or the records between were pruned.
    """
    if not 0 < old <= new < 2**62:
        raise Invalid(fields={"old": "Name two sizes, the older one first."})
    if new - old > MOST:
        raise Invalid(fields={"new": f"At most {MOST} records lie between two trees: go in steps."})
    before = session.execute(_CHECKPOINT, {"size": old}).first()
    if before is None or session.execute(_CHECKPOINT, {"size": new}).first() is None:
        raise NotFound("No checkpoint states that size.")
    hashes: list[bytes] = []
    for first, count, joined in session.execute(_BETWEEN, {"old": old, "new": new}):
        if first != old + len(hashes):
            break
        hashes += [bytes(joined)[at : at + 32] for at in range(0, 32 * count, 32)]
    if old + len(hashes) != new:
        raise NotFound("The records between these sizes are not there any more.")
    left = Frontier.load(old, bytes(before.frontier))
    return [_subtree(left, hashes, *part) for part in consistency_ranges(old, new)]


def _subtree(left: Frontier, hashes: list[bytes], start: int, end: int) -> bytes:
    """Return the root over leaves of which those left of the batch are known by the frontier only."""
    tree = Frontier()
    for (level, first), node in zip(perfect_parts(0, left.size), left.nodes, strict=True):
        if start <= first < end:
            tree.append_subtree(level, node)
    tree.extend(hashes[max(start, left.size) - left.size : max(end - left.size, 0)])
    return tree.root()
