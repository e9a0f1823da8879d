"""The queue every lane has: requests wait here for the next group, and for its commit."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from idp.database.lane.group import Item, Records
from idp.database.lane.resting import RestsOn, Stale
from idp.database.lane.statements import OneStatement, Sql, Work
from idp.errors import Unavailable

QUEUE_LIMIT = 4096
GROUP_LIMIT = 256
SECONDS_TO_ANSWER = 5.0
Mark = int | bytes
"""Tells one state of a database from every other; compared, never ordered."""
AWAY = "The database did not answer. Try again in a moment."


def _give_up(future: "asyncio.Future[Any]") -> None:
    if not future.done():
        future.set_exception(Unavailable("The database did not answer in time. Try again in a moment."))


def _give_all_up(items: list[Item]) -> None:
    for item in items:
        _give_up(item.future)


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
        when the queue is full or the database does not answer in time.
        """
        if self._closing or len(self._waiting) >= QUEUE_LIMIT:
            raise Unavailable("The service is busy. Try again in a moment.")
        item = Item(work, rows, rests_on, at_once, self._loop.create_future(), light)
        self._waiting.append(item)
        self._wake()
        # A timer, not wait_for: one of these stands behind every machine's answer.
        timer = self._loop.call_later(SECONDS_TO_ANSWER, _give_up, item.future)
        try:
            return await item.future
        finally:
            timer.cancel()

    async def write_each(self, each: Sequence[tuple[Sequence[tuple[Any, ...]], RestsOn]]) -> list[bool]:
        """Append the rows of each in the next groups; return once they are committed, saying whose ground held.

        Nothing was written of those whose ground did not hold. Raises Unavailable as `write` does; which of them
        are written then nobody knows.
        """
        if self._closing or len(self._waiting) + len(each) > QUEUE_LIMIT:
            raise Unavailable("The service is busy. Try again in a moment.")
        items = [Item(None, rows, ground, None, self._loop.create_future()) for rows, ground in each]
        self._waiting.extend(items)
        self._wake()
        timer = self._loop.call_later(SECONDS_TO_ANSWER, _give_all_up, items)
        try:
            outcomes = await asyncio.gather(*(item.future for item in items), return_exceptions=True)
        finally:
            timer.cancel()
        for outcome in outcomes:
            if isinstance(outcome, BaseException) and not isinstance(outcome, Stale):
                raise outcome
        return [not isinstance(outcome, Stale) for outcome in outcomes]

    async def hears(self, channel: str, ring: Callable[[], None]) -> bool:
        """Say whether commits ring on a channel of this database; where not, whoever waits has to look."""
        return False

    def _take(self) -> list[Item]:
        group: list[Item] = []
        while self._waiting and len(group) < GROUP_LIMIT:
            item = self._waiting.popleft()
            if not item.future.done():  # gave up waiting before its turn: must not be written
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
