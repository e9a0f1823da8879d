"""How long access lasts: the choice that changing access and inviting offer alike, and what it means (ui.md 3.9)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from idp import clock
from idp.errors import Invalid
from idp.web import dates
from idp.web.manager import views

End = datetime | Literal["year"] | None
"""A moment (exclusive), a year from today, or no end."""
YEAR: Literal["year"] = "year"
"""What is meant where nobody chose."""
WITHOUT_A_DAY = {"year": "One year", "none": "No end date"}
"""Ends that need no day, in the words of the form."""


def read(chosen: Mapping[str, Any], zone: str) -> End:
    """Read `end` and `until` of the form; raise Invalid for a choice that is none, or two at once."""
    end, until = chosen["end"], chosen["until"]
    if two_ends(chosen):
        said = f'You typed a last day, {until}, but "{WITHOUT_A_DAY[end]}" was chosen.'
        raise Invalid(fields={"until": f'{said} "Until a day" is chosen now; for the other, empty the last day.'})
    if end == "year":
        return YEAR
    if end == "date":
        return dates.end_of(dates.typed_day(until, "until"), zone)
    if end != "none":
        raise Invalid(fields={"end": "Choose how long."})
    return None


def two_ends(chosen: Mapping[str, Any]) -> bool:
    """Say whether a last day is typed beside another end: neither is taken for the other without a word."""
    return bool(chosen["until"]) and chosen["end"] in WITHOUT_A_DAY


def moment(end: End, zone: str) -> datetime | None:
    """Return the moment after the last one, in UTC; None for no end."""
    if end == "year":
        return dates.end_of(dates.same_day_next_year(clock.now(), zone), zone)
    return end


def of_cell(written: str, zone: str) -> datetime | None:
    """Read a file's cell: a last day, `none`, or empty for a year. Raises Invalid for anything else, or a day gone."""
    if not written:
        return moment(YEAR, zone)
    if written.lower() in ("none", "no end date"):
        return None
    ends_at = dates.end_of(dates.typed_day(written, "until"), zone)
    if ends_at <= clock.now():
        raise Invalid(fields={"until": "This day has passed."})
    return ends_at


def year(zone: str) -> str:
    """Return the last day of a year from today, as the choice names it."""
    ends_at = moment(YEAR, zone)
    assert ends_at is not None
    return views.shown(ends_at, zone)
