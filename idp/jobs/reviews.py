"""Open, announce, miss and end reviews of who has what (W-7)."""

from idp.database import Database, transaction
from idp.wam import review_calendar

STEPS = (
    review_calendar.note_new_places,
    review_calendar.open_due,
    review_calendar.remind,
    review_calendar.miss,
    review_calendar.finish,
)
"""Each in a transaction of its own."""


def run(database: Database) -> bool:
    """Take a batch of each step; return whether a step had a full one."""
    more = False
    for step in STEPS:
        with transaction(database) as db:
            more = step(db) >= review_calendar.BATCH or more
    return more
