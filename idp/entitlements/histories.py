"""What things were on another day: the rows of `status_change`, read for replays alone."""

from collections.abc import Sequence
from typing import Any

import orjson

from idp.database.history import ABSENT
from idp.entitlements.dates import Dates


class Histories:
    """Values of one moment, each edge of them noted as one at which an answer may differ."""

    __slots__ = ("_dates", "_of")

    def __init__(self, rows: Sequence[Any], dates: Dates) -> None:
        """Take rows of subject, what, value, value before and since when, in order of time."""
        self._dates = dates
        self._of: dict[tuple[str, str], list[tuple[str, str | None, int]]] = {}
        for subject, what, value, before, since in rows:
            self._of.setdefault((subject, what), []).append((value, before, since))

    def value(self, subject: str, what: str, now: str) -> str:
        """Return a column's value at the moment, given what it is now."""
        return self._dates.then(self._of.get((subject, what), ()), now)

    def row(self, subject: str, what: str) -> list[Any] | None:
        """Return the columns kept together, an empty list for a row not yet there, or None where nothing was kept."""
        kept = self._of.get((subject, what))
        if kept is None:
            return None
        value = self._dates.then(kept, ABSENT)
        return [] if value == ABSENT else list(orjson.loads(value))

    def gaps(self, subject: str, what: str) -> list[tuple[int, int]]:
        """Return the closed spans of a moment that was taken back: from the moment it named until then."""
        return [
            (int(before), since)
            for value, before, since in self._of.get((subject, what), ())
            if value == "null" and before not in (None, "null")
        ]
