"""When ends by date are looked for: what reached its date is told at once, the rest looked at every few seconds.

A session ends of idleness at no date: each use moves it. Every few seconds one look finds those that will be over
before the next look if their persons do nothing, and each of these is asked about by its id when its moment has come.
So nothing is looked through more often than before, and no use of a session has one index more to keep.
"""

import time
from bisect import bisect_right
from datetime import datetime, timedelta

from idp import clock
from idp.database import Database, transaction
from idp.database.glance import Glance

WHOLE = 5.0
"""Seconds between two looks at everything; between them only at what has a date, and at sessions about to be over."""
_AHEAD = timedelta(seconds=WHOLE + 2)
_MOST = 5000
"""Sessions remembered as about to be over; what is more is found by the next look at everything."""


class Expiring:
    """The job of one worker; what it needs is imported by the first run, as with every job (`runner.named`)."""

    def __init__(self, glance: Glance) -> None:
        self._glance = glance
        self._whole = -WHOLE
        self._soon: list[tuple[datetime, str]] = []
        """When a session will be over, and its id; the first first."""

    def run(self, database: Database) -> bool:
        """End what has reached its date, where anything has; return whether more of it waits."""
        from idp.jobs import expiries
        from idp.leaving import by_date

        now = time.monotonic()
        whole = now - self._whole >= WHOLE
        if whole:
            self._whole = now
            with transaction(database) as db:
                self._soon = expiries.sessions_over(db, _AHEAD, _MOST)
        more = self._end_sessions(database)
        if whole:
            return expiries.run_dated(database) or more
        if self._glance.at(by_date.DUE, clock.micros(clock.now())):
            return expiries.run(database) or more
        return more

    def _end_sessions(self, database: Database) -> bool:
        """End a batch of the sessions whose moment has come; return whether more of them wait."""
        from idp.jobs.expiries import BATCH, end_session

        due = bisect_right(self._soon, clock.now(), key=lambda one: one[0])
        if due:
            now, self._soon = self._soon[: min(due, BATCH)], self._soon[min(due, BATCH) :]
            with transaction(database) as db:
                for _, session_id in now:
                    end_session(db, session_id)
        return due > BATCH
