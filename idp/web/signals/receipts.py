"""Who heard when: each app's copy of the feed proves by its next question what it has heard.

Kept in memory for a moment and written together with the next group, so that a busy feed costs no write per
answer. A worker that dies loses that moment: the app's next question is a later receipt, never an earlier one.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial

from idp import clock
from idp.database.lane import Lane, Many, Sql, Work
from idp.errors import Unavailable
from idp.web.boundary import Service

_KEEP = Sql(
    "INSERT INTO feed_receipt (client_id, reader, seq, at, created_at) VALUES ($1, $2, $3, $4, $4) "
    "ON CONFLICT DO NOTHING"
)
EVERY = 0.5
"""Seconds between two writes."""
READERS = 4096
"""Copies of the feed remembered in this worker; one forgotten only writes its last receipt once more."""
PER_MINUTE = 600
"""Receipts kept for one client each minute at most: an app that makes up readers fills no table."""


class Receipts:
    """The receipts of this worker that are not written yet."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self._heard: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._waiting: list[tuple[str, str, int, int]] = []
        self._spent: dict[str, int] = {}
        self._minute = 0
        self._task: asyncio.Task[None] | None = None

    def note(self, client_id: str, reader: str, seq: int, at: datetime) -> None:
        """Note that a copy had heard everything up to a number by that moment, unless it is known."""
        key = (client_id, reader)
        if seq <= self._heard.get(key, -1):
            return
        now = clock.micros(at)
        if now // 60_000_000 != self._minute:
            self._minute, self._spent = now // 60_000_000, {}
        if self._spent.get(client_id, 0) >= PER_MINUTE:
            return
        self._spent[client_id] = self._spent.get(client_id, 0) + 1
        self._heard[key] = seq
        self._heard.move_to_end(key)
        if len(self._heard) > READERS:
            self._heard.popitem(last=False)
        self._waiting.append((client_id, reader, seq, now))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write(), name="feed-receipts")

    async def _write(self) -> None:
        while self._waiting:
            await asyncio.sleep(EVERY)
            rows, self._waiting = self._waiting, []
            with suppress(Unavailable):  # the next question of each is a receipt too
                await self._lane.write(partial(_kept, rows))


def _kept(rows: Sequence[tuple[str, str, int, int]]) -> Work:
    yield Many(_KEEP, rows)


def receipts_of(service: Service) -> Receipts:
    """Return this worker's receipts."""
    receipts = service.parts.get("receipts")
    if receipts is None:
        receipts = service.parts["receipts"] = Receipts(service.lane)
    assert isinstance(receipts, Receipts)
    return receipts
