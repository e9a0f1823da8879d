"""Plain words for what the detector knows by short names."""

from datetime import UTC, date, datetime, timedelta

KINDS = {
    "role_split": "Two kinds of work on two computers",
    "foreign_device": "Somebody else's computer",
    "slow_code": "Codes that come late",
    "two_hands": "Two computers in the same seconds",
    "absent_desktop": "Used while the person was away",
    "handover": "Passed on at shift change",
    "two_places": "Two places too far apart",
    "overlap": "Two computers in turn within the hour",
    "device_spread": "Many new computers",
    "hours_span": "Very long days",
    "hours_split": "Two computers at different hours",
    "new_work": "New work on a new computer",
    "report": "Somebody reported it",
    "strange_place": "A strange device in a strange place",
    "strange_functions": "Functions never used before",
    "factor_change": "A second step changed by a stranger",
    "strange_journey": "An impossible journey to a strange place",
}
"""Kinds of evidence, as headings."""
LINES = {"": "below every line", "notice": "notice", "case": "case", "containment": "containment"}


def sentence(seen: str) -> str:
    """Write what was seen as a sentence."""
    return f"{seen[:1].upper()}{seen[1:]}." if seen else ""


def day(number: int) -> str:
    """Write a day counted since 1970."""
    return (date(1970, 1, 1) + timedelta(days=number)).isoformat()


def day_of(moment: datetime) -> str:
    """Write the day of a moment, in UTC."""
    return moment.astimezone(UTC).date().isoformat()
