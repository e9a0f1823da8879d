"""Which practices a person can act for, and which one a request is for."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlmodel import Session as Db

from idp.errors import Invalid
from idp.partners import standing
from idp.providers import affiliations
from idp.providers.tables import Provider

if TYPE_CHECKING:
    from idp.oauth.steps import Journey


@dataclass(frozen=True, slots=True)
class Practice:
    """One organisation a person is approved to act for."""

    provider_id: str
    name: str
    tin_last4: str
    capacity: str
    ends_at: datetime | None


def usable(db: Db, account_id: str, at: datetime) -> list[Practice]:
    """Return the practices in force for a person, by name: approved, active, the person's employer in good standing."""
    found = []
    for affiliation in affiliations.in_force(db, account_id, at):
        provider = db.get(Provider, affiliation.provider_id)
        if provider is None or provider.status != "active":
            continue
        if not standing.in_good_standing(db, affiliation.partner_id):
            continue
        found.append(
            Practice(provider.id, provider.name, provider.tin_last4, affiliation.capacity, affiliation.ends_at)
        )
    return sorted(found, key=lambda practice: practice.name.casefold())


def chosen(journey: "Journey") -> Practice | None:
    """Return the practice of a request; None when the person must choose.

    One the app asks for that is not this person's is refused to the app as `access_denied`.
    """
    available = {practice.provider_id: practice for practice in usable(journey.db, journey.person, journey.now)}
    asked = journey.request.acting_for
    if asked is not None:
        if asked not in available:
            journey.request.refuse("access_denied", "provider_not_granted")
        return available[asked]
    picked = (journey.did("practice") or {}).get("provider_id")
    if picked in available:
        return available[picked]
    return next(iter(available.values())) if len(available) == 1 else None


def pick(db: Db, account_id: str, provider_id: str, at: datetime) -> Practice:
    """Return the practice a person picked on the page; raise Invalid for one that is not theirs."""
    for practice in usable(db, account_id, at):
        if practice.provider_id == provider_id:
            return practice
    raise Invalid(fields={"practice": "Choose the practice you are working for."})
