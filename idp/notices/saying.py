"""How pages and mails say a moment: in the deployment's zone, which is always named."""

from datetime import datetime
from zoneinfo import ZoneInfo


def moment(at: datetime, zone: str) -> str:
    """Return "Nov 21, 2026, 9:14 AM CST" in the deployment's zone."""
    local = at.astimezone(ZoneInfo(zone))
    return f"{local:%b} {local.day}, {local.year}, {local.hour % 12 or 12}:{local:%M} {local:%p} {local:%Z}"


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
