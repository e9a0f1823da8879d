"""The one place random values come from (security.md 59: at least 128 bits)."""

import base64
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
    ids = _ids
    if ids.spelled + 26 > len(ids.letters):
        ids.letters, ids.spelled = secrets.token_bytes(_POOL).translate(_LETTERS).decode(), 0
    ids.spelled += 26
    return f"{prefix}_{ids.letters[ids.spelled - 26 : ids.spelled]}"


def mark() -> str:
    """Return 96 random bits that tell one thing from all others, such as a request; never a secret."""
    return base64.urlsafe_b64encode(_ids.take(12)).decode()


class _Pool(threading.local):
    """Random bytes for ids, drawn by the page: one system call for 157 ids. Secrets never come from here."""

    drawn = b""
    used = 0
    letters = ""
    spelled = 0

    def take(self, size: int) -> bytes:
        if self.used + size > len(self.drawn):
            self.drawn, self.used = secrets.token_bytes(_POOL), 0
        self.used += size
        return self.drawn[self.used - size : self.used]

    def forget(self) -> None:
        self.drawn, self.used, self.letters, self.spelled = b"", 0, "", 0


_ids = _Pool()
# A forked worker must not give out the ids its parent will.
os.register_at_fork(after_in_child=_ids.forget)


def raw(size: int) -> bytes:
    """Return `size` random bytes."""
    return secrets.token_bytes(size)
