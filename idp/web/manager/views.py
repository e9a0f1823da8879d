"""What the access manager's templates are given: plain values and sentences, no rules."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlmodel import Session

from idp.entitlements.duties import Clash
from idp.entitlements.tables import Entitlement, Grant
from idp.providers.tables import Provider
from idp.wam import authority, holdings
from idp.wam.difference import Line, Wish
from idp.wam.granting import Preview, needs_two
from idp.wam.roster import Held
from idp.wam.tables import Receipt
from idp.web import dates, scopes

LINE_NAMES = scopes.LINE_NAMES
CAPACITIES = {"employee": "Employee", "representative": "Representative", "agent": "Agent"}


def frame(db: Session, provider: Provider, account_id: str) -> dict[str, Any]:
    """Return what every page of a practice needs; `lines` are those this person manages, none for an auditor.

    `seen_lines` are those whose access this person may look at.
    """
    return {
        "acting": provider,
        "lines": authority.lines_of(db, account_id, provider.id),
        "seen_lines": authority.lines_seen(db, account_id, provider.id),
        "line_names": LINE_NAMES,
        "capacities": CAPACITIES,
        "kinds": holdings.WORDS,
    }


def shown(day: datetime, zone: str) -> str:
    """Show the last day of an end date in words."""
    last = dates.last_day(day, zone)
    return f"{last:%b} {last.day}, {last.year}"


def until(end: datetime | None, zone: str) -> str:
    """Show an end date in words."""
    return "no end date" if end is None else f"until {shown(end, zone)}"


def difference(preview: Preview, wish: Wish, zone: str) -> dict[str, Any]:
    """Return the preview's lists in words."""
    made = preview.difference
    names = {key: function.name for key, function in preview.functions.items()}

    def words(line: Line, end: datetime | None) -> dict[str, Any]:
        function: Entitlement | None = preview.functions.get(line.key)
        was = until(line.grant.expires_at, zone) if line.grant else ""
        start = f"from {_day(wish.starts_at, zone)}" if wish.starts_at else ""
        kind = holdings.WORDS[function.sensitivity] if function else ""
        return {
            "name": names.get(line.key, line.key),
            "kind": kind,
            "until": until(end, zone),
            "was": was,
            "start": start,
        }

    return {
        "added": [words(one, wish.ends_at) for one in made.added],
        "changed": [words(one, wish.ends_at) for one in made.changed],
        "removed": [words(one, None) for one in made.removed],
        "stay": [words(one, one.grant.expires_at if one.grant else None) for one in made.stay],
        "joined": [words(one, one.grant.expires_at if one.grant else None) for one in made.joined],
        "conflicts": [_pair(clash, names) for clash in made.conflicts],
        "why": [clash.why for clash in made.conflicts],
        "excepted": [
            f"{_pair(clash, names)}, until {shown(clash.exception.ends_at, zone)}"
            for clash in made.excepted
            if clash.exception
        ],
        "two": [names.get(one.key, one.key) for one in made.added + made.changed if needs_two(one, wish)],
        "lacking": list(preview.lacking),
        "count": made.count,
        "seen": preview.seen,
    }


def _pair(clash: Clash, names: dict[str, str]) -> str:
    return " and ".join(names.get(key, "Managing access") for key in (clash.first, clash.second))


def _day(moment: datetime | None, zone: str) -> str:
    if moment is None:
        return ""
    local = moment.astimezone(ZoneInfo(zone))
    return f"{local:%b} {local.day}, {local.year}"


def choices(
    functions: dict[str, Entitlement], held: dict[str, Grant], by: str, account_id: str, zone: str
) -> list[tuple[str, list[dict[str, Any]]]]:
    """Return the functions a manager can choose from, by app, each with what is special about it."""
    apps: dict[str, list[dict[str, Any]]] = {}
    for key, function in functions.items():
        notes = [holdings.WORDS[function.sensitivity]]
        grant = held.get(key)
        if grant:
            notes.append(f"held, {until(grant.expires_at, zone)}")
        barred = by == account_id and grant is None
        if barred:
            notes.append("another access manager has to give you this")
        apps.setdefault(function.app, []).append(
            {"key": key, "name": function.name, "note": " · ".join(notes), "barred": barred}
        )
    return [(app, sorted(items, key=lambda i: i["name"])) for app, items in sorted(apps.items())]


def summary(receipt: Receipt) -> str:
    """Say in a few words what a receipt is about."""
    facts = receipt.facts
    if receipt.kind == "removal":
        return "Removed all access" if not facts.get("function") else "Removed 1 function"
    if receipt.kind == "appointment":
        return "Ended as access manager" if facts.get("ended") else "Made an access manager"
    if receipt.kind == "joined":
        return "Took up the invitation"
    if receipt.kind == "delegation":
        return "Given by the company"
    counts = [
        (len(facts.get(key, [])), word)
        for key, word in (("added", "gave"), ("changed", "changed"), ("removed", "removed"))
    ]
    words = ", ".join(f"{word} {count}" for count, word in counts if count)
    total = sum(count for count, _ in counts)
    return f"{words[:1].upper()}{words[1:]} {'function' if total == 1 else 'functions'}"


def href(receipt: Receipt) -> str:
    """Return where a receipt is shown."""
    if receipt.kind in ("appointment", "joined"):  # nothing more to show than what can be saved
        return f"/p/{receipt.provider_id}/receipts/{receipt.id}"
    if receipt.kind == "delegation":
        return f"/p/{receipt.provider_id}/delegations/{receipt.facts.get('works_by', '')}".rstrip("/")
    kind = "removals" if receipt.kind == "removal" else "changes"
    return f"/p/{receipt.provider_id}/{kind}/{receipt.id}"


def about(receipt: Receipt) -> tuple[str, str]:
    """Return where more stands about what a receipt is of: address and words."""
    here, facts = f"/p/{receipt.provider_id}", receipt.facts
    if receipt.kind in ("delegation", "delegation_end") and facts.get("delegation"):
        return f"{here}/delegations/{facts['delegation']}", "Back to the delegation"
    if receipt.kind == "review" and facts.get("review"):
        return f"{here}/reviews/{facts['review']}", "Back to the review"
    if receipt.kind == "appointment":
        return f"{here}/managers", "Back to access managers"
    if receipt.kind == "invitation" and facts.get("invitation"):
        return f"{here}/invitations/{facts['invitation']}", "Back to the invitation"
    if receipt.account_id:
        return f"{here}/people/{receipt.account_id}", "Back to the person"
    return f"{here}/people", "Back to people"


def masked(email: str) -> str:
    """Show an address as `a...@clinic.example` (ui.md 4.8)."""
    name, at, domain = email.partition("@")
    return f"{name[:1]}...@{domain}" if at else ""


BACK, AHEAD = timedelta(days=182), timedelta(days=400)
"""What a picture over time shows around today."""


def bars(held: list[Held], now: datetime, zone: str) -> dict[str, Any]:
    """Return the picture "access over time": one bar for each function."""
    if not held:
        return {"bars": [], "finding": ""}
    ends = sorted(one.grant.expires_at for one in held if one.grant.expires_at)
    finding = f"The next end is {shown(ends[0], zone)}." if ends else "Nothing here has an end date."
    rows = [(one.function.name, one.grant.not_before, one.grant.expires_at) for one in held]
    return drawn(rows, now, zone) | {"finding": finding}


def drawn(rows: list[tuple[str, datetime, datetime | None]], now: datetime, zone: str) -> dict[str, Any]:
    """Return one bar for each row (name, start, end), 12 months and more around today."""
    first, last = now - BACK, now + AHEAD
    span = (last - first).total_seconds()

    def at(moment: datetime | None) -> float:
        moment = last if moment is None else min(max(moment, first), last)
        return round((moment - first).total_seconds() / span * 100, 2)

    made = [
        {
            "name": name,
            "x": min(at(starts_at), 99.2),
            "width": max(0.8, at(ends_at) - at(starts_at)),
            "open": ends_at is None or ends_at > last,
            "until": until(ends_at, zone),
        }
        for name, starts_at, ends_at in rows
    ]
    return {"bars": made, "now_at": at(now), "bar_from": _day(first, zone), "bar_to": _day(last, zone)}
