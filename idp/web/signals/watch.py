"""One look at a rising number for all waiting readers of this worker: when a commit rings, or many times a second."""

import asyncio
from contextlib import suppress

from idp.database.lane import Lane, Sql
from idp.errors import Unavailable
from idp.signals.revocations import CHANNEL
from idp.web.boundary import Service

_NEWEST = Sql("SELECT seq FROM revocation_counter")
_EVERY = 0.05
"""Seconds between two looks without a bell."""
_ANYWAY = 0.25
"""Seconds between two looks with one: should a ring ever be lost, a reader waits this long and no longer."""
_WAITING_MOST = 2000


class Watch:
    """Knows the newest number, and wakes readers that wait for a newer one."""

    def __init__(self, lane: Lane, sql: Sql, *, channel: str | None, every: float) -> None:
        """Look with a statement that returns one number; `every` so many seconds where no bell rings."""
        self._lane = lane
        self._sql, self._channel, self._every = sql, channel, every
        self._newest = 0
        self._waiting = 0
        self._rang = asyncio.Event()
        self._bell = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def look(self) -> int:
        """Return the newest number."""
        [(newest,)] = await self._lane.fetch(self._sql)
        if (newest or 0) != self._newest:
            self._newest = int(newest or 0)
            self._rang.set()
            self._rang = asyncio.Event()
        return self._newest

    async def beyond(self, number: int, seconds: float) -> None:
        """Return once there is something after the number, or when the time is over."""
        if self._waiting >= _WAITING_MOST:
            return
        self._waiting += 1
        try:
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._run(), name="watch")
            async with asyncio.timeout(seconds):
                while self._newest <= number:
                    await self._rang.wait()
        except TimeoutError:
            return
        finally:
            self._waiting -= 1

    async def _run(self) -> None:
        while self._waiting:
            self._bell.clear()
            hears = False
            with suppress(Unavailable):  # those who wait ask the database themselves when their time is over
                hears = self._channel is not None and await self._lane.hears(self._channel, self._bell.set)
                await self.look()
            if not hears:
                await asyncio.sleep(self._every)
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(_ANYWAY):
                    await self._bell.wait()


def watch_of(service: Service) -> Watch:
    """Return this worker's watch."""
    watch = service.parts.get("signals")
    if watch is None:
        watch = service.parts["signals"] = Watch(service.lane, _NEWEST, channel=CHANNEL, every=_EVERY)
    assert isinstance(watch, Watch)
    return watch
