"""The Merkle tree of RFC 6962: leaf and node hashes, appending, roots, inclusion and consistency.

Proofs are described as ranges of leaves first (`inclusion_ranges`, `consistency_ranges`): whoever keeps
the leaf hashes turns each range into its subtree's root, in one pass over what is stored.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256

EMPTY = sha256(b"").digest()
"""Root of the tree without leaves (RFC 6962 2.1)."""
Range = tuple[int, int]
"""Leaves from the first (included) to the second (excluded)."""


def leaf_hash(leaf: bytes) -> bytes:
    """Return the hash of a leaf's bytes; the prefix keeps leaves and nodes apart (RFC 6962 2.1)."""
    return sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash over two children."""
    return sha256(b"\x01" + left + right).digest()


class Frontier:
    """The right edge of a growing tree: the roots of its perfect subtrees, largest first.

    It is all that appending needs, at most 64 hashes whatever the tree's size.
    """

    __slots__ = ("nodes", "size")

    def __init__(self, size: int = 0, nodes: Iterable[bytes] = ()) -> None:
        """Take up a tree where it was left; raise ValueError when the parts do not fit the size."""
        self.size = size
        self.nodes = list(nodes)
        if size < 0 or len(self.nodes) != size.bit_count() or any(len(node) != 32 for node in self.nodes):
            raise ValueError("this frontier does not belong to a tree of that size")

    @classmethod
    def load(cls, size: int, stored: bytes) -> "Frontier":
        """Read what `dump` wrote."""
        return cls(size, (stored[at : at + 32] for at in range(0, len(stored), 32)))

    def dump(self) -> bytes:
        """Return the hashes, 32 bytes each."""
        return b"".join(self.nodes)

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash."""
        self.append_subtree(0, leaf)

    def append_subtree(self, level: int, node: bytes) -> None:
        """Add a perfect subtree of 2**level leaves by its root; the size must be a multiple of that."""
        if self.size & ((1 << level) - 1):
            raise ValueError("a subtree of that height cannot stand here")
        remaining = self.size >> level
        while remaining & 1:
            node = node_hash(self.nodes.pop(), node)
            remaining >>= 1
        self.nodes.append(node)
        self.size += 1 << level

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Add many leaf hashes: level by level as far as they fill whole subtrees."""
        given = list(leaves)
        at, count = 0, len(given)
        while at < count:
            level = (count - at).bit_length() - 1
            if self.size:
                level = min(level, (self.size & -self.size).bit_length() - 1)
            row = given[at : at + (1 << level)]
            at += len(row)
            while len(row) > 1:
                pairs = iter(row)
                row = [sha256(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs, strict=True)]
            self.append_subtree(level, row[0])

    def root(self) -> bytes:
        """Return the root over everything added so far."""
        if not self.nodes:
            return EMPTY
        root = self.nodes[-1]
        for node in reversed(self.nodes[:-1]):
            root = node_hash(node, root)
        return root


def root_of(leaves: Iterable[bytes]) -> bytes:
    """Return the root over leaf hashes."""
    tree = Frontier()
    tree.extend(leaves)
    return tree.root()


def perfect_parts(start: int, end: int) -> list[tuple[int, int]]:
    """Split the leaves from `start` to `end` into perfect subtrees of the tree: (level, first leaf)."""
    parts = []
    while start < end:
        level = (start & -start).bit_length() - 1 if start else 64
        level = min(level, (end - start).bit_length() - 1)
        parts.append((level, start))
        start += 1 << level
    return parts


def _split(size: int) -> int:
    """Return the largest power of two smaller than `size`."""
    return 1 << ((size - 1).bit_length() - 1)


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """Name the subtrees of the audit path of a leaf, from the leaf upwards (RFC 6962 2.1.1)."""
    if not 0 <= index < size:
        raise ValueError("there is no such leaf in a tree of that size")
    ranges: list[Range] = []
    first, end = 0, size
    while end - first > 1:
        middle = first + _split(end - first)
        if index < middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((first, middle))
            first = middle
    return ranges[::-1]


def consistency_ranges(old: int, size: int) -> list[Range]:
    """Name the subtrees that prove that a tree of `old` leaves grew into this one (RFC 6962 2.1.2)."""
    if not 0 < old <= size:
        raise ValueError("consistency is between a tree and a later one")
    ranges: list[Range] = []
    first, end, whole = 0, size, True
    while old != end:
        middle = first + _split(end - first)
        if old <= middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((first, middle))
            first, whole = middle, False
    if not whole:
        ranges.append((first, end))
    return ranges[::-1]


def check_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Say whether the path proves that the leaf hash stands at the index (RFC 9162 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    node, last, here = leaf, size - 1, index
    for step in path:
        if last == 0:
            return False
        if here & 1 or here == last:
            node = node_hash(step, node)
            while here and not here & 1:
                here >>= 1
                last >>= 1
        else:
            node = node_hash(node, step)
        here >>= 1
        last >>= 1
    return last == 0 and node == root


def check_consistency(old: int, old_root: bytes, size: int, root: bytes, path: Sequence[bytes]) -> bool:
    """Say whether the path proves that the old tree is the beginning of the new one (RFC 9162 2.1.4.2)."""
    if not 0 < old <= size:
        return False
    if old == size:
        return not path and old_root == root
    steps = list(path) if old & (old - 1) else [old_root, *path]
    if not steps:
        return False
    here, last = old - 1, size - 1
    while here & 1:
        here >>= 1
        last >>= 1
    before = after = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if here & 1 or here == last:
            before, after = node_hash(step, before), node_hash(step, after)
            while here and not here & 1:
                here >>= 1
                last >>= 1
        else:
            after = node_hash(after, step)
        here >>= 1
        last >>= 1
    return last == 0 and before == old_root and after == root
