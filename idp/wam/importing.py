"""Read a file of people to invite: every line is checked before anything happens, and all or none are invited (W-3)."""

import csv
import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from idp.accounts.people import normalised_email
from idp.errors import Invalid

COLUMNS = ("name", "email", "works_as", "job", "until")
NEEDED = ("name", "email")
MOST = 2000
_FORMULA = re.compile(r"^[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
"""What spreadsheets run, in both widths (OWASP: CSV injection)."""


@dataclass(frozen=True, slots=True)
class Line:
    """One person of the file, fit to be invited when `problem` is empty."""

    number: int
    name: str
    email: str
    works_as: str
    job: str | None
    ends_at: datetime | None = None
    """When what the job gives ends (exclusive)."""
    problem: str = ""


def read(
    text: str,
    *,
    jobs: Mapping[str, str],
    capacities: Mapping[str, str],
    ends: Callable[[str], datetime | None],
    known: frozenset[str],
    filled: frozenset[str] = frozenset(),
) -> list[Line]:
    """Return every line of a file, each with what is wrong with it.

    `jobs` and `capacities` are key -> name, either may be written; `ends` reads the cell of the end and
    raises Invalid for one that can't be; `known` are addresses already invited here, `filled` those that had so many
    invitations that they get no more for now.
    Raises Invalid when the file as a whole can't be used.
    """
    written = text.lstrip("\ufeff").strip().replace("\r\n", "\n").replace("\r", "\n")
    reader = csv.reader(io.StringIO(written, newline=""), strict=True)
    try:
        rows = list(reader) if written else []
    except csv.Error as problem:
        long = "field larger" in str(problem)
        why = "a cell is longer than a name or an address can be" if long else "a quotation mark does not end"
        sentence = f"This is not a CSV file: in line {reader.line_num} {why}."
        raise Invalid(fields={"file": sentence}) from None
    if not rows:
        raise Invalid(fields={"file": "Choose a file, or paste its lines."})
    heading = [cell.strip().lower().replace(" ", "_") for cell in rows[0]]
    unknown = [name for name in heading if name not in COLUMNS]
    missing = [name for name in NEEDED if name not in heading]
    if unknown or missing or len(set(heading)) != len(heading):
        raise Invalid(fields={"file": f"The first line must name the columns: {', '.join(COLUMNS)}."})
    body = [(n, row) for n, row in enumerate(rows[1:], 2) if any(cell.strip() for cell in row)]
    if not body:
        raise Invalid(fields={"file": "There is nobody in the file."})
    if len(body) > MOST:
        raise Invalid(fields={"file": f"Invite at most {MOST:,} people at a time. There are {len(body):,}."})
    seen: set[str] = set(known)
    lines = [_line(number, row, heading, (jobs, capacities), ends=ends, seen=seen) for number, row in body]
    often = "This address was written to too often within the hour."
    return [replace(one, problem=often) if one.email in filled and not one.problem else one for one in lines]


def _line(
    number: int,
    row: list[str],
    heading: list[str],
    names: tuple[Mapping[str, str], Mapping[str, str]],
    *,
    ends: Callable[[str], datetime | None],
    seen: set[str],
) -> Line:
    jobs, capacities = names
    cells = dict.fromkeys(COLUMNS, "") | dict(zip(heading, (" ".join(c.split()) for c in row), strict=False))
    problem = "" if len(row) == len(heading) else f"Has {len(row)} cells, not {len(heading)}."
    if any(_FORMULA.match(cell) or _FORMULA.match(cell.strip()) for cell in row):
        problem = problem or "Starts with a sign that a spreadsheet takes for a formula."
    if not cells["name"] or len(cells["name"]) > 120:
        problem = problem or "Needs a name of at most 120 characters."
    email = cells["email"]
    try:
        email = normalised_email(email)
    except Invalid:
        problem = problem or "Needs an e-mail address such as ana@clinic.example."
    if email in seen:
        problem = problem or "This address was invited already, or stands twice in the file."
    seen.add(email)
    works_as = _key(cells["works_as"] or "employee", capacities)
    if works_as is None:
        problem = problem or f"Works as: {', '.join(capacities)}."
    job = _key(cells["job"], jobs) if cells["job"] else None
    if cells["job"] and job is None:
        problem = problem or f"Job: {', '.join(sorted(jobs.values()))}."
    ends_at = None
    try:
        ends_at = ends(cells["until"]) if cells["job"] else None
    except Invalid:
        problem = problem or "Until: a last day to come such as 11/30/2027, or none; empty means one year."
    if cells["until"] and not cells["job"]:
        problem = problem or "Until: only beside a job."
    return Line(number, cells["name"], email, works_as or "", job, ends_at, problem)


def _key(written: str, names: Mapping[str, str]) -> str | None:
    low = written.lower()
    return next((key for key, name in names.items() if low in (key, name.lower())), None)
