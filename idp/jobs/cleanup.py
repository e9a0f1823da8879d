"""Delete what has served: spent and expired codes, tokens, proofs and journeys, a day after their end."""

from datetime import timedelta

from sqlalchemy import CursorResult, text

from idp import clock
from idp.database import Database, transaction

KEPT = timedelta(days=1)
"""Long enough that a second use is still recognised as one."""
CHUNK = 1000
EXPIRING = (
    "authorization_code",
    "refresh_token",
    "revoked_token",
    "used_assertion",
    "flow",
    "pending_login",
    "pending_merge",
    "pushed_request",
    "seen_logout",
    "registration",
    "spent_challenge",
    "recovery",
)
"""Tables whose rows mean nothing after `expires_at`."""


def run(database: Database) -> bool:
    """Delete one chunk of each table; return whether more waits."""
    more = False
    before = clock.micros(clock.now() - KEPT)
    row = "rowid" if database.is_sqlite else "ctid"
    for table in EXPIRING:
        with transaction(database) as session:
            result = session.execute(
                text(
                    f"DELETE FROM {table} WHERE {row} IN "  # noqa: S608 - our own names
                    f"(SELECT {row} FROM {table} WHERE expires_at < :before LIMIT {CHUNK})"
                ),
                {"before": before},
            )
            assert isinstance(result, CursorResult)
            more = more or result.rowcount == CHUNK
    return more
