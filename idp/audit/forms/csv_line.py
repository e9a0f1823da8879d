"""CSV (RFC 4180) that a spreadsheet takes for text: no cell begins as a formula does, no cell breaks its line."""

import csv
import io
from collections.abc import Sequence

from idp.audit.forms.entry import Entry, visible

COLUMNS = (
    "number", "at", "event", "outcome", "reason", "actor", "account", "provider", "entitlement", "client", "channel",
    "session", "device", "purpose", "decision", "request", "details",
)  # fmt: skip
"""Columns of the table; person fields stay out of it."""
_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def head() -> bytes:
    """Return the line of the columns' names."""
    return _line(COLUMNS)


def line(entry: Entry) -> bytes:
    """Return the record as one line."""
    return _line([str(entry.number), *(_cell(entry.text(name)) for name in COLUMNS[1:])])


def _cell(value: str | None) -> str:
    if value is None:
        return ""
    shown = visible(value)
    return f"'{shown}" if shown.lstrip()[:1] in _FORMULA else shown


def _line(cells: Sequence[str]) -> bytes:
    made = io.StringIO()
    csv.writer(made, lineterminator="\r\n").writerow(cells)
    return made.getvalue().encode()
