"""What the desk's pages about the log share: addresses of searches, names for ids, where to go on from a value."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from sqlmodel import Session as Db
from sqlmodel import col, select

from idp.accounts.tables import Account
from idp.audit import search
from idp.audit.search import Filters
from idp.entitlements.tables import Entitlement
from idp.providers.tables import Provider
from idp.web.guards import Acting

SEARCH = "/security/search"
LABELS = {
    "person": "Person",
    "provider": "Practice",
    "event": "Event",
    "outcome": "Outcome",
    "reason": "Reason",
    "entitlement": "Function",
    "client": "App",
    "session": "Session",
    "device": "Device",
    "address": "Network address",
    "decision": "Decision",
    "request": "Request",
    "since": "From",
    "until": "To",
}


def address(filters: Filters, path: str = SEARCH, **more: str | None) -> str:
    """Return where these filters are asked."""
    query = {name: value for name, value in (filters.given() | more).items() if value}
    return path + (f"?{urlencode(query)}" if query else "")


def given(filters: Filters) -> dict[str, Any]:
    """Return the filters that are set, as they are."""
    return {name: getattr(filters, name) for name in search.NAMES if getattr(filters, name) is not None}


@dataclass(frozen=True, slots=True)
class Mentioned:
    """Whom and what something that is no record mentions, for `names`."""

    account_id: str | None
    provider_id: str | None = None
    actor_id: str | None = None
    entitlement: str | None = None


def mentioned(said: dict[str, Any]) -> list[Mentioned]:
    """Return the people that the details of a record name: who gave, invited, confirmed."""
    details = said.get("details")
    values = details.values() if isinstance(details, dict) else ()
    return [Mentioned(one) for one in values if isinstance(one, str) and one.startswith("acc_")]


def names(db: Db, rows: Iterable[Any]) -> dict[str, str]:
    """Return the names of the people, practices and functions that the rows mention."""
    rows = list(rows)
    people = {who for row in rows for who in (row.actor_id, row.account_id) if who and who.startswith("acc_")}
    places = {row.provider_id for row in rows if row.provider_id}
    found = dict(db.execute(select(Account.id, Account.display_name).where(col(Account.id).in_(people))).all())
    found |= dict(db.execute(select(Provider.id, Provider.name).where(col(Provider.id).in_(places))).all())
    functions = {row.entitlement for row in rows if row.entitlement}
    found |= dict(
        db.execute(select(Entitlement.key, Entitlement.name).where(col(Entitlement.key).in_(functions))).all()
    )
    return {str(key): str(value) for key, value in found.items()}


def links(said: dict[str, Any], address_hash: bytes | None) -> list[tuple[str, str]]:
    """Return where to go on from a record: everything with the same value, and the drawings it is part of."""
    wanted = (
        ("Same request", "request", "request"),
        ("Same session", "session", "session"),
        ("Same device", "device", "device"),
        ("Same decision", "decision", "decision"),
        ("Who acted", "person", "actor"),
        ("Whom it is about", "person", "account"),
        ("Same practice", "provider", "provider"),
        ("Same app", "client", "client"),
        ("Same function", "entitlement", "entitlement"),
        ("Same reason", "reason", "reason"),
        ("Same outcome", "outcome", "outcome"),
        ("Same event", "event", "event"),
    )
    found = [
        (label, address(search.read({name: str(said[member])}))) for label, name, member in wanted if said.get(member)
    ]
    if address_hash is not None:
        found.append(("Same network address", address(Filters(address=address_hash.hex()))))
    for label, kind in (("Session drawn over time", "session"), ("Device drawn over time", "device")):
        if said.get(kind):
            found.append((label, f"/security/timeline?{urlencode({kind: str(said[kind])})}"))
    for label, member in (("For whom they act", "actor"), ("Who acts for the practice", "provider")):
        if str(said.get(member)).startswith(("acc_", "prv_")):
            found.append((label, f"/security/acting?{urlencode({'of': str(said[member])})}"))
    return found


def acting(staff: Acting) -> dict[str, Any]:
    """Return what the frame says of where the visitor works."""
    return {"name": staff.provider.name, "tin_last4": None, "id": staff.provider.id}
