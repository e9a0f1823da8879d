"""In which order the places of a list are given out, and which of them are decoys.

The order is shuffled by the list's own seed, so neighbours in a list have nothing in common and the next place cannot
be guessed. The last of the order are never given out: they are shown revoked and valid again in turns, so that who
only watches the bits does not learn how many tokens were revoked.
"""

from array import array
from functools import lru_cache
from hashlib import shake_256

SIZE = 1 << 16
"""Places of a list: 8 KiB of bits, some hundred bytes compressed while little is revoked."""
BLOCK = 64
"""Places leased at a time."""
DECOYS = 256
BLOCKS = (SIZE - DECOYS) // BLOCK
TURN = 900
"""Seconds a decoy stays as it is; about as long as a mark stays."""
_ONE_IN = 8


@lru_cache(maxsize=32)
def order(seed: bytes) -> "array[int]":
    """Return the places of a list in the order they are given out.

    Sorting takes 25 ms, once for each list a worker sees, 65,000 tokens; a thread would not help, since the sort keeps
    the interpreter. 128 KiB are kept of each: enough for the lists alive at 2,000 tokens a second.
    """
    keys = array("Q", shake_256(b"order" + seed).digest(SIZE * 8))
    return array("H", sorted(range(SIZE), key=keys.__getitem__))


def block(seed: bytes, number: int) -> list[int]:
    """Return the places of a block, numbered from 0."""
    return list(order(seed)[number * BLOCK : (number + 1) * BLOCK])


def decoys(seed: bytes, second: int) -> list[int]:
    """Return the decoys shown as revoked at a moment; each turns at a time of its own."""
    turn, passed = divmod(second, TURN)
    before, after = (shake_256(b"turn %d " % (turn + n) + seed).digest(DECOYS) for n in (0, 1))
    phases = array("H", shake_256(b"phase" + seed).digest(DECOYS * 2))
    shown = []
    for n, place in enumerate(order(seed)[-DECOYS:]):
        state = before[n] if passed < phases[n] % TURN else after[n]
        if state % _ONE_IN == 0:
            shown.append(place)
    return shown
