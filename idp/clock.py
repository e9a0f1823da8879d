"""The one place times come from; every time in the service is UTC-aware."""

from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def now() -> datetime:
    """Return the present moment in UTC."""
    return datetime.now(UTC)


def micros(moment: datetime) -> int:
    """Return whole microseconds since 1970; how the database stores a moment.

    Raises ValueError for a naive datetime: which moment it means is unknown.
    """
    if moment.tzinfo is None:
        raise ValueError("a moment needs a time zone")
    since = moment - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds  # a third of what `//` takes


def from_micros(value: int) -> datetime:
    """Return the moment that many microseconds after 1970, in UTC."""
    return EPOCH + timedelta(microseconds=value)


def iso(moment: datetime) -> str:
    """Return RFC 3339 in UTC with milliseconds, as audit records and APIs show it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def day_in_words(moment: datetime, zone: str) -> str:
    """Return the day a moment falls on in a zone, as letters say it: Nov 21, 2026 (ui.md 4.7)."""
    local = moment.astimezone(ZoneInfo(zone))
    return f"{local:%b} {local.day}, {local.year}"


def next_business_day(moment: datetime, zone: str, holidays: Collection[date] = ()) -> datetime:
    """Return the end of the next business day after a moment, in a zone: Monday to Friday, but for holidays."""
    day = moment.astimezone(ZoneInfo(zone)).date() + timedelta(days=1)
    while day.weekday() >= 5 or day in holidays:
        day += timedelta(days=1)
    over = day + timedelta(days=1)
    return datetime(over.year, over.month, over.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)
