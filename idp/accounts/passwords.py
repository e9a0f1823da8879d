"""Password hashes: the only module that knows passlib.

A password is normalised once (NFKC, the documented form, security.md 4), keyed with a pepper that is not
in the database, and hashed with Argon2id. Hash work happens outside transactions, at a bounded number of
places with a bounded queue, so a storm of sign-ins is answered 429 and never blocks a writer.
"""

import base64
import hmac
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NewType

from idp import configuration, entropy
from idp.accounts import hash_memory
from idp.database import Database
from idp.envelope import KeyRing
from idp.errors import TooMany

if TYPE_CHECKING:
    from passlib.context import CryptContext

Hashed = NewType("Hashed", str)
"""The stored form of a password; only `hashed` makes one."""

LONGEST = 1024
_SECONDS_IN_QUEUE = 0.15
"""Longer than this nobody waits to be told no: the answer to the excess is due within 200 ms."""


@cache
def _schemes() -> "CryptContext":
    # With the first password: a worker starts without it. Not by passlib's lazy names: two threads may come at once.
    from passlib.context import CryptContext
    from passlib.handlers.argon2 import argon2

    class Argon2(argon2):
        """Passlib's Argon2, which computes its digest in memory that is kept (hash_memory)."""

        @classmethod
        def hash(cls, secret: str | bytes, **_more: Any) -> str:
            made: Any = cls(use_defaults=True)
            made.checksum = _digest(made, secret, made.checksum_size)
            return str(made.to_string())

        @classmethod
        def verify(cls, secret: str | bytes, hash: str | bytes, **_more: Any) -> bool:  # noqa: A002 - as passlib has it
            stored: Any = cls.from_string(hash)
            if (stored.type, stored.version, stored.memory_cost) != ("id", 19, cls.memory_cost) or not stored.checksum:
                return bool(argon2.verify(secret, hash))  # type: ignore[no-untyped-call]
            return hmac.compare_digest(_digest(stored, secret, len(stored.checksum)), stored.checksum)

    return CryptContext(
        schemes=[Argon2, "bcrypt"],
        deprecated="auto",
        argon2__type="ID",
        argon2__memory_cost=19456,  # KiB
        argon2__time_cost=2,
        argon2__parallelism=1,
    )


def _digest(stored: Any, secret: str | bytes, length: int) -> bytes:
    return hash_memory.argon2id(
        secret.encode() if isinstance(secret, str) else secret,
        stored.salt,
        rounds=stored.rounds,
        kibibytes=stored.memory_cost,
        lanes=stored.parallelism,
        length=length,
    )


def normalised(password: str) -> str:
    """Return the one form of a password that is measured, compared with lists and hashed."""
    return unicodedata.normalize("NFKC", password)


def _peppered(ring: KeyRing, password: str) -> str:
    # The oldest key: the pepper has to outlive key rotation, for nobody can hash a password anew but its owner.
    digest = hmac.new(ring.oldest("pepper"), normalised(password).encode(), sha256).digest()
    return base64.b64encode(digest).decode()


class _Room:
    """Places to hash at, and a queue in front of them."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._working = 0
        self._waiting = 0
        self.limits = configuration.Passwords()
        """The limits last asked for; the door reads them without the database."""

    @contextmanager
    def place(self, limits: configuration.Passwords) -> Iterator[None]:
        """Wait for a place; raise TooMany when the queue is full or the wait too long."""
        with self._changed:
            self.limits = limits
            if self._working >= limits.concurrent_hashes:
                if self._waiting >= limits.waiting_hashes:
                    raise TooMany("Many people are signing in just now. Try again in a moment.", retry_after=1)
                self._waiting += 1
                try:
                    free = self._changed.wait_for(
                        lambda: self._working < limits.concurrent_hashes, timeout=_SECONDS_IN_QUEUE
                    )
                finally:
                    self._waiting -= 1
                if not free:
                    raise TooMany("Many people are signing in just now. Try again in a moment.", retry_after=2)
            self._working += 1
        try:
            yield
        finally:
            with self._changed:
                self._working -= 1
                self._changed.notify()


_room = _Room()


def seats() -> int:
    """Return how many sign-ins may be under way in this worker: at a place, or waiting for one."""
    return _room.limits.concurrent_hashes + _room.limits.waiting_hashes


def hashed(ring: KeyRing, password: str, limits: configuration.Passwords | None = None) -> Hashed:
    """Hash a password. Takes about 25 ms of a processor: call it before the transaction, not in it."""
    with _room.place(limits or configuration.Passwords()):
        return Hashed(_schemes().hash(_peppered(ring, password)))


@cache
def _nobodys_hash() -> str:
    return _schemes().hash(entropy.token())


def verify(
    database: Database, password: str, stored: str | None, limits: configuration.Passwords
) -> tuple[bool, Hashed | None]:
    """Say whether a password is the stored one, and give its new hash where the stored one is out of date.

    `stored` None (nobody has that name) does the same work and says no (security.md 9).
    """
    ring = database.ring
    with _room.place(limits):
        if stored is None:
            _schemes().verify(_peppered(ring, password), _nobodys_hash())
            return False, None
        if _schemes().identify(stored) == "bcrypt":  # brought from elsewhere, without our pepper
            clear = normalised(password)
            good = len(clear.encode()) <= 72 and "\x00" not in clear and _schemes().verify(clear, stored)
            return good, Hashed(_schemes().hash(_peppered(ring, password))) if good else None
        keyed = _peppered(ring, password)
        good, better = _schemes().verify_and_update(keyed, stored)
        return good, Hashed(better) if better else None
