"""When ends by date are looked for: what reached its date is told at once, the rest looked at every few seconds."""

import time

from idp import clock
from idp.database import Database
from idp.database.glance import Glance

WHOLE = 5.0
"""Seconds between two looks at everything, what idles included; between them only at what has a date."""


class Expiring:
    """The job of one worker; what it needs is imported by the first run, as with every job (`runner.named`)."""

    def __init__(self, glance: Glance) -> None:
        self._glance = glance
        self._whole = -WHOLE

    def run(self, database: Database) -> bool:
        """End what has reached its date, where anything has; return whether more of it waits."""
        from idp.jobs import expiries
        from idp.leaving import by_date

        now = time.monotonic()
        if now - self._whole < WHOLE and not self._glance.at(by_date.DUE, clock.micros(clock.now())):
            return False
        self._whole = now
        return expiries.run(database)
