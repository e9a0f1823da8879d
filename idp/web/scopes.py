"""The form in which somebody says what an outside company, or one of its people, may do: read and shown alike (W-6)."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlmodel import Session as Db

from idp import clock
from idp.database import of
from idp.entitlements import gives, sentences
from idp.entitlements.chains import Scope
from idp.entitlements.tables import Delegation, Entitlement
from idp.errors import Invalid
from idp.providers.registry_tables import ProviderLocation
from idp.wam import holdings
from idp.web import dates
from idp.web.forms import Form

LINE_NAMES = sentences.LINE_NAMES


def read(db: Db, form: Form, *, places: bool) -> Scope:
    """Read what was chosen; `places` says whether places were offered.

    Raises Invalid for a day that is none, and for places checked beside "All of them": taken without a word, either
    would be more or less than what somebody meant. Where nothing was said of places, it is none of them.
    """
    where, checked = form.get("where"), form.list_of("place")
    if places and where == "all" and checked:
        said = 'You checked places, and "All of them" was chosen.'
        raise Invalid(
            fields={"place": f'{said} "Only those I check" is chosen now. For all of them, uncheck the places.'}
        )
    until = form.get("until", "").strip()
    ends_at = dates.end_of(dates.typed_day(until, "until"), of(db).settings.time_zone) if until else None
    some = places and where != "all"
    return Scope(tuple(form.list_of("f")), tuple(form.list_of("line")), tuple(checked) if some else None, ends_at)


def choices(
    db: Db,
    functions: Mapping[str, Entitlement],
    lines: Iterable[str],
    places: Iterable[ProviderLocation],
    form: Form | None,
    *,
    most: datetime | None = None,
    chosen: Iterable[str] = (),
) -> dict[str, Any]:
    """Return what the form offers, with what was chosen before; the last day proposed is a year ahead, or the most.

    Nothing is chosen at first but `chosen`, what somebody else asked for: who gives says what is needed.
    """
    zone, now = of(db).settings.time_zone, clock.now()
    apps: dict[str, list[dict[str, str]]] = {}
    for key, function in functions.items():
        note = " · ".join(said for said in (gives.GIVES.get(key), holdings.WORDS[function.sensitivity]) if said)
        entry = {"key": key, "name": function.name, "note": note}
        apps.setdefault(function.app, []).append(entry)
    proposed = dates.same_day_next_year(now, zone)
    if most is not None:
        proposed = min(proposed, dates.last_day(most, zone))
    offered = sorted(lines, key=list(LINE_NAMES).index)
    return {
        "apps": [(app, sorted(entries, key=lambda e: e["name"])) for app, entries in sorted(apps.items())],
        "offered_lines": offered,
        "places": list(places),
        "line_names": LINE_NAMES,
        "latest": dates.us(dates.last_day(most, zone)) if most else None,
        "chosen": {
            "f": set(form.list_of("f")) if form is not None else set(chosen),
            "line": set(form.list_of("line")) if form is not None else set(offered[:1] if len(offered) == 1 else ()),
            "place": set(form.list_of("place")) if form is not None else set(),
            "where": ("some" if form.list_of("place") else form.get("where", "")) if form is not None else "",
            "until": form.get("until", "") if form is not None else dates.us(proposed),
        },
    }


def shown(db: Db, one: Delegation, functions: Mapping[str, str], places: Mapping[str, str]) -> dict[str, Any]:
    """Return a delegation in words."""
    return {
        "row": one,
        "functions": [functions.get(str(key), str(key)) for key in one.entitlements],
        "lines": [LINE_NAMES.get(str(line), str(line)) for line in one.lines],
        "places": None if one.locations is None else [places.get(str(p), "a place") for p in one.locations],
    }
