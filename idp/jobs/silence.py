"""People not seen for long: warn, pause, end (domain.md 7)."""

from idp.database import Database, transaction
from idp.wam import inactivity


def run(database: Database) -> bool:
    """Take a batch of each step; return whether a step had a full one."""
    more = False
    for step in inactivity.STEPS:
        with transaction(database) as db:
            more = step(db) >= inactivity.BATCH or more
    return more
