"""The app's own sessions: who is signed in here, in this browser."""

import asyncio
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256

from idp.resource_server.login import Tokens


@dataclass(slots=True)
class AppSession:
    """One signed-in browser of this app."""

    tokens: Tokens
    opened_at: float
    seen_at: float
    stepped_up: tuple[str | None, int | None] | None = None
    """The step-up (acr_values, max_age) this session came from, if it did."""
    one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)
    """Held while refreshing: a refresh token works once, and two tabs may ask together."""


class MemorySessions:
    """Keeps sessions in this process; `idle` and `absolute` are in seconds.

    Good for one process. An app with several gives the portal an object of the same four methods on a shared store.
    """

    def __init__(
        self,
        *,
        idle: float = 900.0,
        absolute: float = 43_200.0,
        most: int = 50_000,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._idle, self._absolute, self._most = idle, absolute, most
        self._now = monotonic
        self._kept: dict[bytes, AppSession] = {}

    def open(self, tokens: Tokens, *, stepped_up: tuple[str | None, int | None] | None = None) -> str:
        """Open a session; return the secret for the cookie (256 random bits, only its hash is kept)."""
        now = self._now()
        if len(self._kept) >= self._most:
            self._kept = {key: each for key, each in self._kept.items() if self._alive(each, now)}
            while len(self._kept) >= self._most:
                del self._kept[next(iter(self._kept))]
        secret = secrets.token_urlsafe(32)
        self._kept[_hash(secret)] = AppSession(tokens, now, now, stepped_up)
        return secret

    def find(self, secret: str | None) -> AppSession | None:
        """Return the live session of a cookie, and note that the person is still there."""
        found = self._kept.get(_hash(secret)) if secret else None
        now = self._now()
        if found is None or not self._alive(found, now):
            return None
        found.seen_at = now
        return found

    def drop(self, secret: str | None) -> None:
        """Forget a session."""
        if secret:
            self._kept.pop(_hash(secret), None)

    def _alive(self, session: AppSession, now: float) -> bool:
        return now < session.seen_at + self._idle and now < session.opened_at + self._absolute


def _hash(secret: str) -> bytes:
    return sha256(secret.encode()).digest()
