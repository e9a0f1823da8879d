"""Functions of the catalogue: what each asks for, and in development what it asked for on other days."""

from typing import Any

from sqlmodel import Session as Db

from idp.apply import past
from idp.apply.difference import differing
from idp.apply.schema.policy import Function as Wanted
from idp.apply.sections import versions
from idp.apply.work import Work
from idp.database.history import whole
from idp.entitlements import catalog
from idp.entitlements.tables import OF_A_FUNCTION, Entitlement

_FACTS = tuple(name for name in OF_A_FUNCTION if name != "key")


def apply(work: Work, entries: list[Wanted]) -> None:
    """Change functions the catalogue has."""
    for index, entry in enumerate(entries):
        place = ("functions", index)
        row = catalog.find(work.db, entry.key)
        if row is None:
            raise work.wrong((*place, "key"), "is no function of the catalogue")
        with work.entry(place):
            _one(work, entry, row)


def _one(work: Work, entry: Wanted, row: Entitlement) -> None:
    db = work.db
    present = {name: getattr(row, name) for name in _FACTS}
    lines = [(line.starts, _said(line)) for line in entry.history]
    wanted = past.laid_over(present, lines, work.at) | _said(entry)
    changed = differing(wanted, present)
    if changed:
        catalog.change(db, row, **{name: value for name, (_, value) in changed.items()})
    if lines:
        base = {"key": row.key, **wanted}
        stated = [(at, past.laid_over(base, lines, at)) for at, _ in lines]
        if past.were(db, row.key, "function", [(at, whole([was[n] for n in OF_A_FUNCTION])) for at, was in stated]):
            changed["history"] = ("without it", "stated")
    if changed:
        work.difference.change("functions", entry.key, changed)


def _said(entry: Any) -> dict[str, Any]:
    return {name: value for name in _FACTS if (value := getattr(entry, name)) is not None}


def export(db: Db) -> list[dict[str, Any]]:
    """Return the functions that are not as they are by default."""
    found = []
    for default in catalog.rows():
        row = catalog.find(db, default["key"])
        if row is None:
            continue
        differs = {name: getattr(row, name) for name in _FACTS if getattr(row, name) != default[name]}
        differs |= versions.next_of(db, row.key)
        if differs:
            found.append({"key": row.key, **differs})
    return found
