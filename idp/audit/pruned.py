"""What pruning leaves: for each batch the roots of the subtrees it filled, or the numbers that are gone from it.

The tree stands on those roots as it stood on the records: later checkpoints prove both. That a stretch was pruned
by us, and not destroyed by somebody, the newest `audit.log.pruned` record says: it holds a digest over this table.
"""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

import orjson
from sqlalchemy import text
from sqlmodel import Session

from idp.audit.leaf import raw
from idp.audit.merkle import perfect_parts, root_of

EVENT = "audit.log.pruned"
_ROWS = text("SELECT first_index, count, low_seq, high_seq, nodes, gone FROM audit_pruned ORDER BY first_index")
_NEWEST = text("SELECT leaf FROM audit_record WHERE event = :event ORDER BY seq DESC LIMIT 1")


@dataclass(frozen=True, slots=True)
class Pruned:
    """One batch of which records are gone."""

    first: int
    count: int
    low: int
    high: int
    nodes: Sequence[tuple[int, bytes]]
    """Level and root of each perfect subtree of a batch that is gone whole; empty while the batch is kept."""
    gone: frozenset[int]
    """Numbers that are gone from a batch that is kept."""


def packed_nodes(first: int, hashes: Sequence[bytes]) -> bytes:
    """Return the roots of the perfect subtrees that these leaves fill, 33 bytes each."""
    return b"".join(
        bytes((level,)) + root_of(hashes[start - first : start - first + (1 << level)])
        for level, start in perfect_parts(first, first + len(hashes))
    )


def packed(numbers: Iterable[int]) -> bytes:
    """Return numbers as 8 bytes each, in order."""
    ordered = sorted(numbers)
    return struct.pack(f">{len(ordered)}q", *ordered)


def unpacked(stored: bytes) -> list[int]:
    """Read what `packed` wrote."""
    return list(struct.unpack(f">{len(stored) // 8}q", stored[: len(stored) // 8 * 8]))


def read(session: Session) -> dict[int, Pruned]:
    """Return the pruned batches by their first position."""
    found: dict[int, Pruned] = {}
    for first, count, low, high, nodes, gone in session.execute(_ROWS).all():
        joined = bytes(nodes)
        parts = [(joined[at], joined[at + 1 : at + 33]) for at in range(0, len(joined) // 33 * 33, 33)]
        found[first] = Pruned(first, count, low, high, parts, frozenset(unpacked(bytes(gone))))
    return found


def digest(session: Session) -> str:
    """Return the digest over the whole table, as a pruning's record holds it."""
    total = sha256()
    for first, count, low, high, nodes, gone in session.execute(_ROWS).all():
        total.update(
            struct.pack(">qqqqqq", first, count, low, high, len(nodes), len(gone)) + bytes(nodes) + bytes(gone)
        )
    return total.hexdigest()


def attested(session: Session) -> str | None:
    """Return the digest that the newest pruning's record holds; None where nothing was pruned."""
    leaf = session.execute(_NEWEST, {"event": EVENT}).scalar()
    if leaf is None:
        return None
    try:
        return str(orjson.loads(raw(leaf))["details"]["digest"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return ""
