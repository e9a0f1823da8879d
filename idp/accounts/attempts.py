"""Count failed tries so that nobody can guess, and nobody can be locked out (security.md 7 and 8).

Each try is counted *before* it is evaluated, by one conditional statement, and forgotten when it succeeds;
so two hundred tries at once cannot get past the limit. Devices the account knows have counters of their own:
a stranger who fails a hundred times closes the password for strangers, never for its owner's desk.
"""

from datetime import datetime, timedelta

from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock, configuration
from idp.accounts.tables import KnownDevice, Throttle
from idp.database import of
from idp.database.lane import Sql, Work, drive
from idp.envelope import KeyRing
from idp.errors import TooMany

LONGEST_DELAY = timedelta(minutes=15)
_NOW = "CAST($2 AS BIGINT)"


def _next_try(failures: str) -> str:
    """Write when the next try may come: at once after the first few, then in twice the time, to 15 minutes."""
    beyond = f"{failures} - CAST($4 AS INTEGER)"
    seconds = f"CASE WHEN {beyond} >= 10 THEN {LONGEST_DELAY.seconds} ELSE 1 << ({beyond}) END"
    return f"CASE WHEN {beyond} >= 0 THEN {_NOW} + 1000000 * ({seconds}) END"


_COUNT = Sql(
    "INSERT INTO throttle (key, failures, last_at, created_at, not_before) "  # noqa: S608 - our own names
    f"VALUES ($1, 1, {_NOW}, {_NOW}, {_next_try('1')}) "
    f"ON CONFLICT (key) DO UPDATE SET failures = throttle.failures + 1, last_at = {_NOW}, "
    f"not_before = COALESCE({_next_try('throttle.failures + 1')}, throttle.not_before) "
    f"WHERE throttle.failures < $3 AND (throttle.not_before IS NULL OR throttle.not_before <= {_NOW}) "
    "RETURNING failures"
)
_FORGET = Sql("DELETE FROM throttle WHERE key = $1 RETURNING 1")


class Throttled(TooMany):
    """Too many failures came before this try; it was not evaluated."""

    title = "Too many tries"


def key_for(db: Db, kind: str, *, account_id: str | None, name: str = "", device_id: str | None = None) -> str:
    """Return the counter of an account (over all its logins), or of a name nobody has.

    A device the account knows has its own counter; the name is kept only as a keyed hash.
    """
    known = account_id is not None and device_id is not None and _knows(db, account_id, device_id)
    return key_of(of(db).ring, kind, account_id=account_id, name=name, known_device=device_id if known else None)


def key_of(ring: KeyRing, kind: str, *, account_id: str | None, name: str, known_device: str | None) -> str:
    """Return the counter, for those who have read which device the account knows."""
    if account_id is None:
        return f"{kind}/name:{ring.keyed_hash('forms', name).hex()}"
    return f"{kind}/{account_id}/{known_device}" if known_device is not None else f"{kind}/{account_id}"


def _knows(db: Db, account_id: str, device_id: str) -> bool:
    return (
        db.exec(
            select(KnownDevice).where(
                col(KnownDevice.account_id) == account_id, col(KnownDevice.device_id) == device_id
            )
        ).one_or_none()
        is not None
    )


def count(db: Db, key: str) -> int:
    """Count a try that is about to be evaluated; return how many there were in a row. Raises Throttled.

    The caller commits before it evaluates.
    """
    rules = configuration.current(db).passwords
    if not rules.throttle:
        return 0
    failures = drive(db, counting(key, rules, clock.now()))
    if failures is None:
        raise refusal(db, key, rules.max_failures)
    return int(failures)


def within(db: Db, key: str, most: int) -> bool:
    """Count one more and say whether that is still within the limit; no delays, for things that are no guesses."""
    return drive(db, _counted(key, clock.now(), most, most + 1)) is not None


def counting(key: str, rules: configuration.Passwords, now: datetime) -> Work:
    """Count a try; answers how many there were in a row, None when this one must not be evaluated.

    One statement: who guesses must not see the count without the wait that it brings.
    """
    return _counted(key, now, rules.max_failures, rules.delays_after)


def _counted(key: str, now: datetime, most: int, free: int) -> Work:
    rows = yield _COUNT, (key, clock.micros(now), most, free)
    return int(rows[0][0]) if rows else None


def forget(db: Db, key: str) -> None:
    """Start counting anew after a success."""
    drive(db, forgetting(key))


def forgetting(key: str) -> Work:
    """Start counting anew, in either lane."""
    yield _FORGET, (key,)


def refusal(db: Db, key: str, most: int) -> Throttled:
    """Say why a try was not evaluated, and how long to wait."""
    row = db.get(Throttle, key, populate_existing=True)
    if row is None or row.not_before is None or row.failures >= most:
        return Throttled(
            "This way of signing in is closed after too many tries. Sign in on a device you have used before "
            "or with your organization's login. If you have neither, call access support.",
            retry_after=int(LONGEST_DELAY.total_seconds()),
        )
    seconds = max(1, -(-(row.not_before - clock.now()) // timedelta(seconds=1)))
    wait = "a second" if seconds == 1 else f"{seconds} seconds" if seconds < 120 else f"{-(-seconds // 60)} minutes"
    return Throttled(f"There were too many tries. Wait {wait}, then try again.", retry_after=seconds)
