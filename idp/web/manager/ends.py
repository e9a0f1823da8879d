"""How long access is given for: a year, until a day, or no end; alike for a change and an invitation (ui.md 4.7)."""

from datetime import datetime
from typing import Literal

from idp import clock
from idp.errors import Invalid
from idp.web import dates
from idp.web.manager import views

End = datetime | Literal["year"] | None
"""A moment (exclusive), a year from today, or no end."""
YEAR: Literal["year"] = "year"
"""What is meant where nobody chose."""
_WITHOUT_A_DAY = {"year": "One year", "none": "No end date"}


def read(end: str, until: str, zone: str) -> End:
    """Return the end chosen; raise Invalid for none, a day that is none, or a typed day beside another end.

    Of two ends neither is taken without a word: one would be longer or shorter than what somebody meant.
    """
    if two(end, until):
        said = f'You typed a last day, {until}, and "{_WITHOUT_A_DAY[end]}" was chosen'
        raise Invalid(fields={"until": f'{said}. "Until a day" is chosen now. For the other, empty the last day.'})
    if end == "date":
        return dates.end_of(dates.typed_day(until, "until"), zone)
    if end == "year":
        return YEAR
    if end != "none":
        raise Invalid(fields={"end": "Choose how long."})
    return None


def two(end: str, until: str) -> bool:
    """Say whether a day is typed beside an end that needs none."""
    return bool(until) and end in _WITHOUT_A_DAY


def moment(end: End, zone: str) -> datetime | None:
    """Return the moment after the last one, in UTC; None for no end."""
    return dates.end_of(dates.same_day_next_year(clock.now(), zone), zone) if end == "year" else end


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
    return views.shown(dates.end_of(dates.same_day_next_year(clock.now(), zone), zone), zone)
