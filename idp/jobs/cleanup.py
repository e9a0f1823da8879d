"""Delete what has served, in bounded batches: proofs and journeys a day after their end, sessions after 90 days.

The log keeps what happened; these rows are only what deciding needs. Counters of an account's failed tries stay:
forgetting them by time would give a guesser a hundred new tries each time (security.md 7).
"""

from datetime import timedelta

from sqlalchemy import CursorResult, text

from idp import clock
from idp.database import Database, transaction

KEPT = timedelta(days=1)
"""Long enough that a second use is still recognised as one."""
REMEMBERED = timedelta(days=90)
"""Ended sessions and delivered mail, for the pages that show them and for support."""
SOON = timedelta(minutes=15)
"""Where a row is left for each token; nothing asks about one that has run out."""
CHUNK = 1000
OVER = "expires_at < :day"
SERVED = (
    ("authorization_code", OVER),
    ("refresh_token", OVER),
    ("revoked_token", OVER),
    ("used_assertion", OVER),
    ("flow", OVER),
    ("pending_login", OVER),
    ("pending_link", OVER),
    ("pending_merge", OVER),
    ("pushed_request", OVER),
    ("seen_logout", OVER),
    ("registration", OVER),
    ("spent_challenge", OVER),
    ("recovery", OVER),
    ("address_proof", OVER),
    ("practice_fact", OVER),
    ("proof_key", OVER),
    ("api_answer", OVER),
    ("status_entry", "expires_at < :soon"),
    ("status_block", "list_number IN (SELECT number FROM status_list WHERE filled_at < :day)"),
    ("status_list", "filled_at < :day AND NOT EXISTS (SELECT 1 FROM status_block WHERE list_number = number)"),
    # Names nobody has: there is no account to protect, and they would fill the table.
    ("throttle", "key LIKE '%/name:%' AND last_at < :day AND (not_before IS NULL OR not_before < :day)"),
)
"""Tables and what is over in them; looked at each minute."""
OLD = (
    # No family outlives its session, and no session a day.
    ("token_family", "started_at < :long"),
    ("session", "expires_at < :long AND created_at < :long"),
    ("feed_receipt", "at < :long"),
    ("signal_delivery", "created_at < :long"),
    # What the detector of shared logins remembers of what nobody has used for so long has faded (docs/sharing.md).
    ("sharing_memory", "touched_at < :long"),
    ("sharing_score", "at < :long"),
    ("sharing_day", "created_at < :long"),
    ("outbox", "(sent_at IS NOT NULL AND sent_at < :long) OR (failed_at IS NOT NULL AND failed_at < :long)"),
)
"""Looked at each hour."""


def run(database: Database) -> bool:
    """Delete one chunk of each table that has served; return whether more waits."""
    return _delete(database, SERVED)


def run_old(database: Database) -> bool:
    """Delete one chunk of each table of old things; return whether more waits."""
    return _delete(database, OLD)


def _delete(database: Database, tables: tuple[tuple[str, str], ...]) -> bool:
    more = False
    now = clock.now()
    values = {"day": clock.micros(now - KEPT), "long": clock.micros(now - REMEMBERED)}
    values["soon"] = clock.micros(now - SOON)
    row = "rowid" if database.is_sqlite else "ctid"
    for table, over in tables:
        given = {name: value for name, value in values.items() if f":{name}" in over}
        with transaction(database) as session:  # one table at a time: nobody waits long for a lock
            result = session.execute(
                text(
                    f"DELETE FROM {table} WHERE {row} IN "  # noqa: S608 - our own names
                    f"(SELECT {row} FROM {table} WHERE {over} LIMIT {CHUNK})"
                ),
                given,
            )
            assert isinstance(result, CursorResult)
            more = more or result.rowcount == CHUNK
    return more
