"""A bell that PostgreSQL rings at a commit (LISTEN): whoever waits for news looks at once."""

import asyncio
from collections.abc import Callable
from typing import Any

import asyncpg

from idp.database.lane.readers import GONE

_AGAIN = 1.0
"""Seconds between two tries to hear again."""


class Bell:
    """One listening connection of a worker, made with the first who waits and anew when it was lost."""

    def __init__(self, dsn: str, channel: str, ring: Callable[[], None]) -> None:
        self._dsn, self._channel, self._ring = dsn, channel, ring
        self._connection: asyncpg.Connection | None = None
        self._try_at = 0.0

    async def hears(self) -> bool:
        """Say whether a commit will ring; try to connect where it would not."""
        if self._connection is not None and not self._connection.is_closed():
            return True
        now = asyncio.get_running_loop().time()
        if now < self._try_at:
            return False
        self._try_at = now + _AGAIN
        try:
            connection = await asyncpg.connect(self._dsn, timeout=2, command_timeout=4)
            await connection.add_listener(self._channel, self._rang)
        except GONE:
            return False
        self._connection = connection
        self._ring()  # what was committed before it listened
        return True

    def _rang(self, *_: Any) -> None:
        self._ring()

    def close(self) -> None:
        """Stop listening."""
        if self._connection is not None:
            self._connection.terminate()
