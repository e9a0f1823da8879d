"""The one place random values come from (security.md 59: at least 128 bits)."""

import os
import secrets
import threading

_POOL = 4096
_LETTERS = b"abcdefghijklmnopqrstuvwxyz234567" * 8
"""Which letter a random byte becomes: five bits of it, each letter as likely as any other."""


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


class _Pool(threading.local):
    """Random letters for ids, drawn by the page: one system call for 157 ids. Secrets never come from here."""

    letters = ""
    used = 0

    def spell(self, size: int) -> str:
        """Return so many letters, five random bits each."""
        start, end = self.used, self.used + size
        if end > len(self.letters):
            self.letters, start, end = secrets.token_bytes(_POOL).translate(_LETTERS).decode(), 0, size
        self.used = end
        return self.letters[start:end]

    def forget(self) -> None:
        self.letters, self.used = "", 0


_ids = _Pool()
# A forked worker must not give out the ids its parent will.
os.register_at_fork(after_in_child=_ids.forget)


def raw(size: int) -> bytes:
    """Return `size` random bytes."""
    return secrets.token_bytes(size)
