"""The queue every lane has: requests wait here for the next group, and for its commit."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from idp.database.lane.group import Item, Part, Records
from idp.database.lane.resting import RestsOn, Stale
from idp.database.lane.statements import OneStatement, Sql, Work
from idp.errors import Unavailable

QUEUE_LIMIT = 4096
GROUP_LIMIT = 256
SECONDS_TO_ANSWER = 5.0
"""How long an item waits for its turn, and as long again for its group's word."""
Mark = int | bytes
"""Tells one state of a database from every other; compared, never ordered."""
AWAY = "The database did not answer. Try again in a moment."


def _give_up(future: "asyncio.Future[Any] | Part") -> None:
    if not future.done():
        future.set_exception(Unavailable("The database did not answer in time. Try again in a moment."))


class Lane:
    """Reads and group commits of one worker; made by `open_lane`, closed with `close`."""

    _loop: asyncio.AbstractEventLoop

    def __init__(self, records: Records) -> None:
        self._records = records
        self._waiting: deque[Item] = deque()
        self._closing = False

    async def fetch(self, sql: Sql, *values: Any) -> list[Any]:
        """Run one statement on the autocommit reader and return its rows as tuples."""
        raise NotImplementedError

    def mark(self) -> Mark | None:
        """Return a mark that stays while nobody commits anything, or None where only reading tells.

        Raises Unavailable as `fetch` does.
        """
        return None

    async def write(
        self,
        work: Callable[[], Work] | None = None,
        rows: Sequence[tuple[Any, ...]] = (),
        rests_on: RestsOn | None = None,
        at_once: OneStatement | None = None,
        *,
        light: bool = False,
    ) -> Any:
        """Do the work and append the rows in the next group; return once it is committed.

        `at_once` is the common case of `work` in one statement, for the driver that can. `light` says that the work is
        one statement, rests on nothing, and may be lost with the machine's power: a journey that was begun, never
        something used up, counted or recorded.

        Raises Stale when `rests_on` no longer holds (nothing of this item was written) and Unavailable
        when the queue is full or the database does not answer in time: then nothing was written either, unless the
        connection broke while the database had already been told to commit.
        """
        if self._closing or len(self._waiting) >= QUEUE_LIMIT:
            raise Unavailable("The service is busy. Try again in a moment.")
        answered: asyncio.Future[Any] = self._loop.create_future()
        item = Item(work, rows, rests_on, at_once, answered, light)
        self._waiting.append(item)
        self._wake()
        # A timer, not wait_for: one of these stands behind every machine's answer.
        item.timer = self._loop.call_later(SECONDS_TO_ANSWER, self._over, item)
        try:
            return await answered
        finally:
            item.timer.cancel()

    async def write_each(self, each: Sequence[tuple[Sequence[tuple[Any, ...]], RestsOn]]) -> list[bool]:
        """Append the rows of each in the next groups; return once they are committed, saying whose ground held.

        Nothing was written of those whose ground did not hold. Raises Unavailable as `write` does; which of them
        are written then nobody knows.
        """
        if self._closing or len(self._waiting) + len(each) > QUEUE_LIMIT:
            raise Unavailable("The service is busy. Try again in a moment.")
        if not each:
            return []
        whole: asyncio.Future[None] = self._loop.create_future()
        left = [len(each)]
        parts = [Part(whole, left) for _ in each]
        self._waiting.extend(
            Item(None, rows, ground, None, part) for (rows, ground), part in zip(each, parts, strict=True)
        )
        self._wake()
        timer = self._loop.call_later(SECONDS_TO_ANSWER, _give_up, whole)
        try:
            await whole
        finally:
            timer.cancel()
        for part in parts:
            if part.error is not None and not isinstance(part.error, Stale):
                raise part.error
        return [part.error is None for part in parts]

    async def hears(self, channel: str, ring: Callable[[], None]) -> bool:
        """Say whether commits ring on a channel of this database; where not, whoever waits has to look."""
        return False

    def _over(self, item: Item) -> None:
        """Answer who waited in vain; what is in a group already may be written, so it gets the group's word."""
        if item.claim():
            _give_up(item.future)
        else:
            item.timer = self._loop.call_later(SECONDS_TO_ANSWER, _give_up, item.future)

    def _take(self) -> list[Item]:
        group: list[Item] = []
        while self._waiting and len(group) < GROUP_LIMIT:
            item = self._waiting.popleft()
            if item.claim() and not item.future.done():  # gave up waiting before its turn: must not be written
                group.append(item)
        return group

    @staticmethod
    def _resolve(group: list[Item]) -> None:
        for item in group:
            if item.future.done():
                continue
            if item.error is not None:
                item.future.set_exception(item.error)
            else:
                item.future.set_result(item.result)

    def _wake(self) -> None:
        raise NotImplementedError

    async def close(self) -> None:
        """Finish the waiting groups and close the connections."""
        raise NotImplementedError
