"""What an answer rests on, in words: whoever reads why somebody may do something reads names and days."""

from collections.abc import Callable, Iterable
from typing import Any
from zoneinfo import ZoneInfo

from sqlmodel import Session as Db
from sqlmodel import col, select

from idp.accounts.tables import Account
from idp.database import of
from idp.entitlements.defaults import DESK_PAUSE
from idp.entitlements.tables import Absence, Appointment, Delegation, Entitlement, Grant
from idp.partners.tables import Partner
from idp.providers.tables import Affiliation, Agreement, PortalAccess, Provider
from idp.web import dates, givers, scopes

_TABLES: dict[str, tuple[type[Any], Callable[["_Names", Any], str]]] = {
    "acc": (Account, lambda _, row: str(row.display_name)),
    "ptr": (Partner, lambda _, row: str(row.name)),
    "aff": (Affiliation, lambda names, row: f"Works for {names.place(row)}{names.span(row)}"),
    "agr": (Agreement, lambda names, row: f"Agreement, {names.line(row.line)}{names.span(row)}"),
    "pac": (PortalAccess, lambda names, row: f"Opened to {names.place(row)}, {names.line(row.line)}{names.span(row)}"),
    "wam": (Appointment, lambda names, row: f"Access manager, {names.line(row.line)}{names.span(row)}"),
    "abs": (Absence, lambda names, row: f"Away{names.span(row)}"),
    "dlg": (Delegation, lambda names, row: f"Delegation to {names.company(row)}{names.span(row)}"),
    "grt": (Grant, lambda names, row: names.grant(row)),
    DESK_PAUSE: (Grant, lambda names, row: f"Paused by the security desk{names.span(row)}"),
}
"""By the kind of an id: where it is kept, and what it is in words."""


class _Names:
    """Names and days for one page; each name is looked up once."""

    def __init__(self, db: Db) -> None:
        self._db, self._zone, self._known = db, of(db).settings.time_zone, dict[str, str]()

    def place(self, row: Any) -> str:
        return self._name(Provider, "name", row.provider_id)

    def company(self, row: Any) -> str:
        return self._name(Partner, "name", row.partner_id)

    def line(self, key: str) -> str:
        return scopes.LINE_NAMES.get(key, key)

    def grant(self, row: Any) -> str:
        what = self._name(Entitlement, "name", row.entitlement)
        by = givers.called(row.granted_by) or self._name(Account, "display_name", row.granted_by)
        kind = "given" if row.effect == "allow" else "paused"
        ours = givers.REASONS.get(row.reason)
        said = f", {ours}" if ours else f', "{row.reason}"' if row.reason else ""
        return f"{what}, {kind} by {by}{self.span(row)}{said}"

    def span(self, row: Any) -> str:
        """Return from when until when, as the reader counts days; an end that came earlier is the end."""
        grant = isinstance(row, Grant)
        starts, ends = (row.not_before, row.expires_at) if grant else (row.starts_at, row.ends_at)
        said = f", from {_day(starts.astimezone(ZoneInfo(self._zone)))}"
        ended = getattr(row, "ended_at", None)
        if ended is not None:
            return f"{said}, ended {_day(ended.astimezone(ZoneInfo(self._zone)))}"
        return said + (f" until {_day(dates.last_day(ends, self._zone))}" if ends is not None else "")

    def _name(self, table: type[Any], column: str, key: str) -> str:
        if key not in self._known:
            row = self._db.get(table, key)
            self._known[key] = str(getattr(row, column)) if row is not None else key
        return self._known[key]


def named(db: Db, ids: Iterable[str | None]) -> dict[str, str]:
    """Return by id what it is in words; an id that is nothing kept (an app, a purpose) is not among them."""
    names, found = _Names(db), dict[str, str]()
    kinds: dict[str, set[str]] = {}
    for one in ids:
        if one:
            kinds.setdefault(one.partition("_")[0], set()).add(one)
    for kind, of_it in kinds.items():
        if kind in _TABLES:
            table, words = _TABLES[kind]
            rows = db.exec(select(table).where(col(table.id).in_(of_it))).all()
            found |= {row.id: words(names, row) for row in rows}
    return found


def _day(day: Any) -> str:
    return f"{day:%b} {day.day}, {day.year}"
