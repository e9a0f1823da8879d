"""The one place random values come from (security.md 59: at least 128 bits)."""

import os
import secrets
from time import time_ns

_POOL = 4096
_LETTERS = b"abcdefghijklmnopqrstuvwxyz234567" * 8
"""Which letter a random byte becomes: five bits of it, each letter as likely as any other."""
_GROWING = "234567abcdefghijklmnopqrstuvwxyz"
"""The same letters in the order databases sort them by."""


def token(size: int = 32) -> str:
    """Return a URL-safe secret of `size` random bytes (default 256 bits)."""
    return secrets.token_urlsafe(size)


def digits(count: int = 6) -> str:
    """Return a code of decimal digits for people to type."""
    return f"{secrets.randbelow(10**count):0{count}d}"


def new_id(prefix: str) -> str:
    """Return a typed id: the prefix, an underscore and 26 characters of base32 (130 random bits)."""
    return f"{prefix}_{_ids.spell(26)}"


def mark() -> str:
    """Return 100 random bits that tell one thing from all others, such as a request; never a secret."""
    return _ids.spell(20)


def ordered_id(prefix: str) -> str:
    """Return an id as long as `new_id`'s that begins with the time (95 random bits): never a secret.

    What is found by an index and written all day, such as a decision, then goes where the last one went and not
    anywhere in the index, of which each page written costs as much as ten records.
    """
    return f"{prefix}_{_ids.since(19)}"


def ordered_mark() -> str:
    """Return what `mark` does, with the time before 65 random bits, for what an index holds."""
    return _ids.since(13)


class _Pool:
    """Random texts for ids, drawn by the page: one system call for 157 ids. Secrets never come from here.

    Threads share it: taking one is a single step of the interpreter.
    """

    def __init__(self) -> None:
        self._ready: dict[int, list[str]] = {}
        self._tick = (-1, "")

    def spell(self, size: int) -> str:
        """Return so many letters, five random bits each."""
        try:
            return self._ready[size].pop()
        except (KeyError, IndexError):
            return self._draw(size)

    def _draw(self, size: int) -> str:
        letters = secrets.token_bytes(_POOL).translate(_LETTERS).decode()
        first, *others = (letters[start : start + size] for start in range(0, _POOL - size + 1, size))
        self._ready.setdefault(size, []).extend(others)
        return first

    def since(self, size: int) -> str:
        """Return seven letters that grow sixty times a second, which nothing reads as a time, then so many random."""
        ticks = time_ns() >> 24
        last, spelt = self._tick
        if ticks != last:
            spelt = "".join(_GROWING[(ticks >> shift) & 31] for shift in range(30, -1, -5))
            self._tick = (ticks, spelt)
        return spelt + self.spell(size)

    def forget(self) -> None:
        self._ready = {}


_ids = _Pool()
# A forked worker must not give out the ids its parent will.
os.register_at_fork(after_in_child=_ids.forget)


def raw(size: int) -> bytes:
    """Return `size` random bytes."""
    return secrets.token_bytes(size)
