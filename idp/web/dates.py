"""Days as people type and read them: the end date is the end of that day, in the zone of the pages (ui.md 4.7)."""

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from idp.errors import Invalid

_US = re.compile(r"^(\d{1,2})/(\d{1,2})/(\d{4})$")
_ISO = re.compile(r"^(\d{4})-(\d{2})-(\d{2})$")
_FIRST, _LAST = date(1900, 1, 1), date(9999, 1, 1)
HOW = "Enter a date such as 11/30/2027."


def typed_day(text: str, field: str) -> date:
    """Read mm/dd/yyyy or ISO; raise Invalid naming the form field."""
    text = text.strip()
    us, iso = _US.match(text), _ISO.match(text)
    try:
        numbers = (us[3], us[1], us[2]) if us else (iso[1], iso[2], iso[3]) if iso else None
        if numbers is not None:
            day = date(*map(int, numbers))
            if _FIRST <= day < _LAST:  # beyond, a day has no next one or no moment in UTC
                return day
    except ValueError:
        raise Invalid(fields={field: f"There is no such day. {HOW}"}) from None
    raise Invalid(fields={field: HOW})


def start_of(day: date, zone: str) -> datetime:
    """Return the first moment of a day in a zone, in UTC."""
    return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)


def end_of(day: date, zone: str) -> datetime:
    """Return the moment after the last one of a day in a zone, in UTC; how an end date is stored."""
    return start_of(day + timedelta(days=1), zone)


def last_day(end: datetime, zone: str) -> date:
    """Return the last day that an end date includes."""
    return (end - timedelta(microseconds=1)).astimezone(ZoneInfo(zone)).date()


def same_day_next_year(moment: datetime, zone: str) -> date:
    """Return the same calendar day next year; for 29 February, 1 March."""
    today = moment.astimezone(ZoneInfo(zone)).date()
    try:
        return today.replace(year=today.year + 1)
    except ValueError:
        return date(today.year + 1, 3, 1)


def us(day: date) -> str:
    """Show a day as a form field holds it: 11/30/2027."""
    return f"{day:%m/%d/%Y}"
