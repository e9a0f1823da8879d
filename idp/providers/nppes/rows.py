"""One row of the file, checked: what is taken over of it, or every reason why nothing is."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from idp.providers import identifiers
from idp.providers.nppes import layout

UNAVAILABLE = "<UNAVAIL>"
"""Stands in the public file where a number is withheld."""
_TAXONOMY = re.compile(r"[0-9A-Z]{9}X")
_LONGEST = 300


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a row: `column` by its name, the reason without the value."""

    column: str
    reason: str
    warning: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """A row that is in order."""

    line: int
    npi: str
    kind: str
    """`person`, `organization`; empty for a number taken out of use, of which the file says no more."""
    name: str
    facts: dict[str, Any]
    location: dict[str, str]
    date: str
    """The newest of its dates, ISO: an older row changes nothing."""
    deactivated_at: datetime | None
    enumerated_at: datetime | None
    tin: str | None
    parent_tin: str | None


class HeaderWrong(ValueError):
    """The file is not in this layout; the sentence says what is missing."""


@dataclass
class Reader:
    """Turns cells into entries, by the header of one file."""

    header: list[str]
    _at: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        names = [name.strip() for name in self.header]
        self._at = {name: index for index, name in enumerate(names)}
        missing = [name for name in layout.READ if name not in self._at]
        if missing:
            more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
            raise HeaderWrong(f"The first line lacks the columns {'; '.join(missing[:3])}{more}.")
        if len(self._at) != len(names):
            raise HeaderWrong("The first line names a column twice.")

    def entry(self, number: int, cells: Sequence[str]) -> tuple[Entry | None, list[Problem]]:
        """Return the entry of a row, or None, with everything that was found wrong or odd."""
        if len(cells) != len(self.header):
            reason = f"The line has {len(cells)} columns, the first line {len(self.header)}."
            return None, [Problem("", reason)]
        row = _Row(self._at, cells)
        made = row.entry(number)
        wrong = any(not problem.warning for problem in row.problems)
        return (None if wrong else made), row.problems


class _Row:
    """The cells of one row while it is checked."""

    def __init__(self, at: dict[str, int], cells: Sequence[str]) -> None:
        self._at, self._cells = at, cells
        self.problems: list[Problem] = []

    def entry(self, number: int) -> Entry | None:
        npi = self._npi(layout.NPI)
        left, back = self._date(layout.DEACTIVATED), self._date(layout.REACTIVATED)
        gone = left if left is not None and (back is None or back < left) else None
        code = self._word(layout.ENTITY)
        kind = {"1": "person", "2": "organization", "": ""}.get(code)
        if kind is None or (not kind and gone is None):
            self._wrong(layout.ENTITY, "Must be 1 (a person) or 2 (an organization).")
            return None
        updated, enumerated = self._date(layout.UPDATED), self._date(layout.ENUMERATED)
        dates = [moment for moment in (updated, enumerated, left, back) if moment is not None]
        name = self._name(kind) if kind else ""
        facts = self._facts(kind, name)
        return Entry(
            line=number,
            npi=npi,
            kind=kind,
            name=name,
            facts=facts,
            location=self._address(layout.LOCATION),
            date=max(dates).date().isoformat() if dates else "",
            deactivated_at=gone,
            enumerated_at=enumerated,
            tin=self._tin(layout.EIN) if kind == "organization" else None,
            parent_tin=self._tin(layout.PARENT_TIN) if facts.get("subpart") else None,
        )

    def _name(self, kind: str) -> str:
        if kind == "organization":
            name = self._word(layout.ORGANIZATION)
            if not name:
                self._wrong(layout.ORGANIZATION, "An organization needs a name.")
            return name
        if not self._word(layout.LAST):
            self._wrong(layout.LAST, "A person needs a last name.")
        words = [self._word(column) for column in (layout.FIRST, layout.MIDDLE, layout.LAST, layout.SUFFIX)]
        name = " ".join(word for word in words if word)
        credential = self._word(layout.CREDENTIAL)
        return f"{name}, {credential}" if credential else name

    def _facts(self, kind: str, name: str) -> dict[str, Any]:
        facts: dict[str, Any] = {"name": name, "taxonomies": self._taxonomies()}
        replaced = self._word(layout.REPLACEMENT)
        if replaced:
            facts["replaced_by"] = self._npi(layout.REPLACEMENT)
        if kind == "organization":
            facts["other_name"] = self._word(layout.OTHER_ORGANIZATION)
            facts["parent"] = self._word(layout.PARENT)
            facts["subpart"] = self._word(layout.SUBPART) == "Y"
        facts["location"] = self._address(layout.LOCATION)
        facts["mailing"] = self._address(layout.MAILING)
        facts["reason"] = self._word(layout.REASON)
        return {key: value for key, value in facts.items() if value}

    def _taxonomies(self) -> list[dict[str, Any]]:
        found = []
        for code, licence, state, switch in layout.TAXONOMIES:
            word = self._word(code)
            if not word:
                continue
            if not _TAXONOMY.fullmatch(word):
                self._wrong(code, "Must be a taxonomy code: ten characters that end in X.")
            told = {
                "code": word,
                "licence": self._word(licence),
                "state": self._word(state),
                "primary": self._word(switch) == "Y",
            }
            found.append({key: value for key, value in told.items() if value})
        return found

    def _address(self, columns: tuple[str, ...]) -> dict[str, str]:
        names = ("line1", "line2", "city", "state", "postal_code", "country", "phone")
        words = {name: self._word(column) for name, column in zip(names, columns[:7], strict=True)}
        return {name: word for name, word in words.items() if word}

    def _word(self, column: str) -> str:
        word = " ".join(self._cells[self._at[column]].split())
        if not word:
            return ""
        if len(word) > _LONGEST:
            self._wrong(column, f"Has more than {_LONGEST} characters.")
            return ""
        if not word.isprintable():
            self._wrong(column, "Holds a character that cannot be printed.")
            return ""
        return word

    def _npi(self, column: str) -> str:
        word = self._word(column)
        if not identifiers.npi_is_valid(word) or word != identifiers.normalise(word):
            self._wrong(column, "Must be a 10-digit NPI with a right check digit.")
        return word

    def _date(self, column: str) -> datetime | None:
        word = self._word(column)
        if not word:
            return None
        try:
            return datetime.strptime(word, "%m/%d/%Y").replace(tzinfo=UTC)
        except ValueError:
            self._wrong(column, "Must be a date such as 11/21/2026.")
            return None

    def _tin(self, column: str) -> str | None:
        word = self._word(column)
        if not word or word == UNAVAILABLE:
            return None
        if not identifiers.tin_is_valid(word):
            self._wrong(column, f"Must be nine digits, empty or {UNAVAILABLE}.")
            return None
        if identifiers.tin_is_unusual(word):
            self.problems.append(Problem(column, "Has a prefix that is not in use.", warning=True))
        return identifiers.normalise(word)

    def _wrong(self, column: str, reason: str) -> None:
        problem = Problem(column, reason)
        if problem not in self.problems:
            self.problems.append(problem)
