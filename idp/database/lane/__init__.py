"""The machines' lane: one statement to read in the event loop, one group commit to write.

Statements are written once with `$1` parameters. Reads run on an autocommit connection, so they see
every commit made before them. Writes of many requests are committed together by one writer per
worker; each request's answer waits for its group's commit (decisions.md 7).
"""

from idp.database.engine import Database
from idp.database.lane.group import Records
from idp.database.lane.postgres import PostgresLane
from idp.database.lane.queue import Lane, Mark
from idp.database.lane.resting import RestsOn, Stale, state_of
from idp.database.lane.sqlite import SqliteLane
from idp.database.lane.statements import Append, Many, Merged, OneStatement, Sql, Work, drive

__all__ = [
    "Append",
    "Lane",
    "Many",
    "Mark",
    "Merged",
    "OneStatement",
    "PostgresLane",
    "Records",
    "RestsOn",
    "Sql",
    "SqliteLane",
    "Stale",
    "Work",
    "drive",
    "open_lane",
    "state_of",
]


async def open_lane(database: Database, records: Records) -> Lane:
    """Open the lane of this worker; `records` says how the audit rows of a group are kept."""
    if database.is_sqlite:
        return SqliteLane(database, records)
    lane = PostgresLane(database, records)
    await lane.open()
    return lane
