"""The log's months on PostgreSQL: each a partition of its own, made before it begins.

A month is pruned by dropping it, and a search that names a time looks at its months only. SQLite keeps one
table. The making runs in a database function with its owner's rights: the service itself needs none.
"""

from datetime import UTC, datetime

from sqlalchemy import text

from idp import clock
from idp.database import Database, transaction

AHEAD = 3
_MAKE = text(
    "SELECT count(*) FILTER (WHERE audit_record_month(m)) FROM generate_series("
    "CAST(CAST(:first AS text) AS timestamp), CAST(CAST(:last AS text) AS timestamp), interval '1 month') AS m"
)


def ensure(database: Database, *, since: datetime | None = None) -> int:
    """Make the partitions from this month (or `since`) to `AHEAD` months on; return how many were made."""
    if database.is_sqlite:
        return 0
    now = clock.now()
    year, month = divmod(now.year * 12 + now.month - 1 + AHEAD, 12)
    values = {"first": f"{(since or now).astimezone(UTC):%Y-%m}-01", "last": f"{year:04d}-{month + 1:02d}-01"}
    with transaction(database) as session:
        made = session.execute(_MAKE, values)
        return int(made.scalar_one())


def tend(database: Database) -> bool:
    """Make the months that are missing; as a job."""
    ensure(database)
    return False
