"""The tree agrees with RFC 6962's test vectors and with a foreign implementation."""

from hashlib import sha256

import pymerkle
import pytest

from idp.audit.merkle import (
    EMPTY,
    Frontier,
    check_consistency,
    check_inclusion,
    consistency_ranges,
    inclusion_ranges,
    leaf_hash,
    perfect_parts,
    root_of,
)

# Inputs and root of the tests of certificate-transparency implementations (RFC 6962 2.1.3).
_INPUTS = [bytes.fromhex(x) for x in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")]  # noqa: E501  # fmt: skip
_ROOT_OF_8 = "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
SIZES = [*range(1, 34), 63, 64, 65, 100, 257]


def _leaves(size: int) -> list[bytes]:
    return [leaf_hash(str(n).encode()) for n in range(size)]


def _proof(leaves: list[bytes], ranges: list[tuple[int, int]]) -> list[bytes]:
    return [root_of(leaves[start:end]) for start, end in ranges]


def test_the_root_is_that_of_the_published_test_vector() -> None:
    assert root_of([]) == EMPTY == sha256(b"").digest()
    assert root_of([leaf_hash(x) for x in _INPUTS]).hex() == _ROOT_OF_8


@pytest.mark.parametrize("size", SIZES)
def test_a_foreign_implementation_agrees_on_roots_and_consistency(size: int) -> None:
    foreign = pymerkle.InmemoryTree(algorithm="sha256")
    for n in range(size):
        foreign.append_entry(str(n).encode())
    leaves = _leaves(size)
    root = root_of(leaves)
    assert foreign.get_root(size) == root
    for index in range(0, size, 7):
        path = _proof(leaves, inclusion_ranges(index, size))
        theirs = foreign.prove_inclusion(index + 1, size)
        assert theirs.path[1:] == path  # theirs begins with the leaf
        pymerkle.verify_inclusion(leaves[index], root, theirs)
    for old in range(1, size + 1, 5):
        pymerkle.verify_consistency(root_of(leaves[:old]), root, foreign.prove_consistency(old, size))


@pytest.mark.parametrize("size", SIZES)
def test_proofs_hold_for_the_true_tree_and_for_no_other(size: int) -> None:
    leaves = _leaves(size)
    root = root_of(leaves)
    other = leaf_hash(b"other")
    for index in range(size):
        path = _proof(leaves, inclusion_ranges(index, size))
        assert check_inclusion(leaves[index], index, size, path, root)
        assert not check_inclusion(other, index, size, path, root)
        assert not check_inclusion(leaves[index], index, size, [*path, other], root)
        if path:
            assert not check_inclusion(leaves[index], index, size, path[:-1], root)
        if index + 1 < size:
            assert not check_inclusion(leaves[index], index + 1, size, path, root)
    for old in range(1, size + 1):
        path = _proof(leaves, consistency_ranges(old, size))
        before = root_of(leaves[:old])
        assert check_consistency(old, before, size, root, path)
        assert not check_consistency(old, other, size, root, path)
        assert not check_consistency(old, before, size, other, path)


@pytest.mark.parametrize("size", SIZES)
def test_a_frontier_goes_on_where_it_was_left_and_takes_whole_subtrees(size: int) -> None:
    leaves = _leaves(size)
    for cut in {0, 1, size // 2, size - 1, size}:
        first = Frontier()
        first.extend(leaves[:cut])
        again = Frontier.load(cut, first.dump())
        for level, start in perfect_parts(cut, size):
            again.append_subtree(level, root_of(leaves[start : start + (1 << level)]))
        assert again.root() == root_of(leaves)
    with pytest.raises(ValueError, match="does not belong"):
        Frontier(size, [EMPTY] * (size.bit_count() + 1))


def test_a_subtree_cannot_stand_where_it_is_not_aligned() -> None:
    tree = Frontier()
    tree.append(EMPTY)
    with pytest.raises(ValueError, match="cannot stand here"):
        tree.append_subtree(1, EMPTY)
