"""What the frame around every signed-in page shows: the areas a person works in and their navigation (ui.md 2)."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlmodel import Session, col, select

from idp import clock
from idp.entitlements import appointed
from idp.entitlements.tables import Appointment, Grant
from idp.partners import members
from idp.providers.tables import Provider

_NAVIGATION: dict[str, tuple[tuple[str, str], ...]] = {
    "account": (
        ("Home", "/account"),
        ("Logins", "/account/logins"),
        ("Second step", "/account/second-step"),
        ("Devices and activity", "/account/activity"),
        ("Notices", "/account/notices"),
    ),
    "practice": (
        ("Inbox", "/p/{p}/inbox"),
        ("People", "/p/{p}/people"),
        ("Reviews", "/p/{p}/reviews"),
        ("Delegations", "/p/{p}/delegations"),
        ("Reports", "/p/{p}/reports"),
        ("Access managers", "/p/{p}/managers"),
        ("Practice profile", "/p/{p}/profile"),
    ),
    "company": (("Practices", "/company/{p}"), ("People", "/company/{p}/people")),
    "security": (
        ("Search", "/security/search"),
        ("Cases", "/security/cases"),
        ("Who could", "/security/who"),
        ("Access reviews", "/security/reviews"),
        ("Log proof", "/security/log"),
        ("Practices and terms", "/insurer/organizations"),
    ),
    "catalogue": (
        ("Functions", "/insurer/catalogue"),
        ("Jobs", "/insurer/jobs"),
        ("Duties", "/insurer/duties"),
    ),
    "support": (("Look up a person", "/support"),),
    "verify": (("First managers", "/insurer/first-managers"),),
    "companies": (("Companies", "/insurer/companies"),),
}
"""Entries by area, in the order every page shows them; `{p}` is the practice. At most six where a group can be made."""
_GROUPS: dict[str, tuple[tuple[str, str], ...]] = {
    "Cases": (
        ("Cases", "/security/cases"),
        ("Shared logins", "/security/sharing"),
        ("Misuse reports", "/security/reports"),
    ),
    "Who could": (("Who could", "/security/who"), ("Logins of a person", "/security/links")),
    "Access reviews": (("Access reviews", "/security/reviews"), ("Emergency access", "/security/emergency")),
    "Log proof": (("Log proof", "/security/log"), ("Revocations", "/security/revocations")),
    "Practices and terms": (("Practices", "/insurer/organizations"), ("Terms", "/insurer/terms")),
}
"""What stands together under one entry of the security desk: a second row shows it."""


@dataclass(frozen=True, slots=True)
class Area:
    """One of the places a person works in."""

    key: str
    label: str
    href: str


@dataclass(frozen=True, slots=True)
class Running:
    """Emergency access under way: where it can be given back, and how long it lasts yet."""

    href: str
    left: str


def navigation(area: str, provider_id: str | None) -> list[tuple[str, str]]:
    """Return the entries of an area; those of a practice only where one is acted for."""
    return [
        (label, href.format(p=provider_id))
        for label, href in _NAVIGATION.get(area, ())
        if provider_id or "{p}" not in href
    ]


def group(area: str, current: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Return the entry a page belongs to, and what stands beside the page under it; `current` as pages give it."""
    if area == "security":
        for name, members in _GROUPS.items():
            if any(current in one for one in members):
                return name, members
    return current, ()


MANAGED = 5
"""Practices, and companies, that each page links to; the page of one's own links to every one."""


def areas(db: Session, account_id: str) -> list[Area]:
    """Return where this person works: their own account, each practice they manage, each company, the security desk.

    Only signs: each page asks for its own decision.
    """
    now = clock.now()
    managed = db.exec(
        select(Provider)
        .join(Appointment, col(Appointment.provider_id) == col(Provider.id))
        .where(
            col(Appointment.account_id) == account_id,
            appointed.in_force(),
        )
        .order_by(col(Provider.name))
        .distinct()
        .limit(MANAGED + 1)
    ).all()
    administered = members.administered(db, account_id)
    found = [Area("account", "My account", "/account")]
    found += [Area("practice", f"Manage {provider.name}", f"/p/{provider.id}/people") for provider in managed[:MANAGED]]
    found += [Area("company", one.name, f"/company/{one.id}") for one in administered[:MANAGED]]
    if max(len(managed), len(administered)) > MANAGED:  # the page of one's own has them all
        found.append(Area("all", "All that I manage", "/account"))
    held = _at_the_insurer(db, account_id, now)
    return found + [Area(key, label, href) for needs, key, label, href in _STAFF if needs & held]


# The table belongs to a part that is loaded later than the first page; only two columns are read here, by name.
_RUNNING = text(
    "SELECT provider_id, ends_at FROM emergency_use WHERE account_id = :a AND ended_at IS NULL AND ends_at > :now "
    "ORDER BY ends_at DESC LIMIT 1"
)


def emergency(db: Session, account_id: str) -> Running | None:
    """Return the emergency access a person has now, the one that ends last; None as a rule."""
    now = clock.micros(clock.now())
    found = db.execute(_RUNNING, {"a": account_id, "now": now}).first()
    if found is None:
        return None
    minutes = -(-(found[1] - now) // 60_000_000)
    hours = f"{minutes // 60} h " if minutes >= 60 else ""
    return Running(f"/account/access/{found[0]}/emergency", f"{hours}{minutes % 60} min")


_STAFF = (
    (frozenset({"audit.search"}), "security", "Security", "/security/search"),
    (frozenset({"catalogue.manage"}), "catalogue", "Catalog", "/insurer/catalogue"),
    (frozenset({"support.view"}), "support", "Support", "/support"),
    (frozenset({"wam.verify"}), "verify", "First managers", "/insurer/first-managers"),
    (frozenset({"partner.manage"}), "companies", "Companies", "/insurer/companies"),
)
"""Areas of the insurer's staff, by the functions that open them."""


def _at_the_insurer(db: Session, account_id: str, now: datetime) -> set[str]:
    """Return what a person holds at the insurer itself; the pages ask the decision."""
    return set(
        db.exec(
            select(Grant.entitlement)
            .join(Provider, col(Provider.id) == col(Grant.provider_id))
            .where(
                col(Grant.account_id) == account_id,
                col(Grant.entitlement).in_({key for needs, *_ in _STAFF for key in needs}),
                col(Grant.effect) == "allow",
                col(Grant.ended_at).is_(None),
                col(Grant.not_before) <= now,
                col(Grant.expires_at).is_(None) | (col(Grant.expires_at) > now),
                col(Provider.kind) == "insurer",
            )
            .distinct()
        ).all()
    )
