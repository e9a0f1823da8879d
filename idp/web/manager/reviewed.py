"""The report of a review in words: what each person had, and for a change, from what to what."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from idp.web.manager import views


def people(report: Mapping[str, Any], functions: Mapping[str, str], zone: str) -> list[dict[str, Any]]:
    """Return the people of a report, each with the names of their functions then and what changed.

    Reports of reviews that ran out keep ids of grants alone, older ones no state before: those say less.
    """
    shown = []
    for line in report["people"]:
        told = [g for g in line["grants"] if isinstance(g, dict)]
        names = sorted({functions.get(g["function"], g["function"]) for g in told})
        changes = _changes(line["before"], told, functions, zone) if "before" in line else []
        shown.append({**line, "functions": names, "changes": changes})
    return shown


def _changes(
    before: list[dict[str, Any]], after: list[dict[str, Any]], functions: Mapping[str, str], zone: str
) -> list[str]:
    was, now = _ends(before), _ends(after)

    def named(keys: set[str]) -> str:
        return ", ".join(sorted(functions.get(key, key) for key in keys))

    said = []
    if gone := set(was) - set(now):
        said.append(f"Removed: {named(gone)}")
    if new := set(now) - set(was):
        said.append(f"Added: {named(new)}")
    ends: dict[tuple[str, str], set[str]] = {}
    for key in set(was) & set(now):
        if was[key] != now[key]:
            ends.setdefault((views.until(was[key], zone), views.until(now[key], zone)), set()).add(key)
    said += [f"{named(keys)}: was {first}, is {then}" for (first, then), keys in sorted(ends.items())]
    return said or ["The same as when the review began"]


def _ends(rows: list[dict[str, Any]]) -> dict[str, datetime | None]:
    """Return function -> its last end; None where one row has no end."""
    found: dict[str, datetime | None] = {}
    for row in rows:
        end = datetime.fromisoformat(row["until"]) if row["until"] else None
        known = found.get(row["function"], end)
        found[row["function"]] = None if end is None or known is None else max(end, known)
    return found
