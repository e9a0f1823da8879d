"""How pages and mails say a moment: in the deployment's zone, which is always named."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo


def moment(at: datetime, zone: str) -> str:
    """Return "Nov 21, 2026, 9:14 AM CST" in the deployment's zone."""
    local = at.astimezone(ZoneInfo(zone))
    return f"{local:%b} {local.day}, {local.year}, {local.hour % 12 or 12}:{local:%M} {local:%p} {local:%Z}"


def end_of_day(at: datetime, zone: str) -> str:
    """Return "the end of Nov 23, 2026" for the moment after that day; any other moment as it is."""
    last = (at - timedelta(microseconds=1)).astimezone(ZoneInfo(zone))
    if last.date() == at.astimezone(ZoneInfo(zone)).date():
        return moment(at, zone)
    return f"the end of {last:%b} {last.day}, {last.year}"


def exact_moment(at: datetime, zone: str) -> str:
    """Return "Nov 21, 2026, 9:14:02.118 AM CST": to the millisecond."""
    local = at.astimezone(ZoneInfo(zone))
    thousandths = local.microsecond // 1000
    return (
        f"{local:%b} {local.day}, {local.year}, {local.hour % 12 or 12}:{local:%M:%S}.{thousandths:03d} "
        f"{local:%p} {local:%Z}"
    )


def zone_name(at: datetime, zone: str) -> str:
    """Return how a zone is called at a moment: "CST", "CDT"."""
    return f"{at.astimezone(ZoneInfo(zone)):%Z}"
