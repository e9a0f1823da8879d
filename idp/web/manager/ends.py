"""How long access is given for: a year, until a day, or no end; read from what a manager chose (ui.md 4.7)."""

from datetime import datetime

from idp import clock
from idp.errors import Invalid
from idp.web import dates

_WITHOUT_A_DAY = {"year": "One year", "none": "No end date"}


def read(end: str, until: str, zone: str) -> datetime | None:
    """Return the end chosen; raise Invalid for none, a day that is none, or a typed day beside another end.

    Of two ends neither is taken without a word: one would be longer or shorter than what somebody meant.
    """
    if two(end, until):
        said = f'You typed a last day, {until}, and "{_WITHOUT_A_DAY[end]}" was chosen'
        raise Invalid(fields={"until": f'{said}. "Until a day" is chosen now. For the other, empty the last day.'})
    if end == "date":
        return dates.end_of(dates.typed_day(until, "until"), zone)
    if end == "year":
        return dates.end_of(dates.same_day_next_year(clock.now(), zone), zone)
    if end != "none":
        raise Invalid(fields={"end": "Choose how long."})
    return None


def two(end: str, until: str) -> bool:
    """Say whether a day is typed beside an end that needs none."""
    return bool(until) and end in _WITHOUT_A_DAY
