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
    return _line([str(entry.number), *(safe(entry.text(name) or "") for name in COLUMNS[1:])])


def safe(value: str) -> str:
    """Return a cell that no spreadsheet takes for a formula, and no reader for two (OWASP: CSV injection)."""
    shown = visible(value)
    return f"'{shown}" if shown.lstrip().startswith(_FORMULA) else shown


def _line(cells: Sequence[str]) -> bytes:
    made = io.StringIO()
    csv.writer(made, lineterminator="\r\n").writerow(cells)
    return made.getvalue().encode()
