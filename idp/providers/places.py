"""The NPIs of an organisation (type 2) and the places where it works."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, exists, or_
from sqlmodel import Session, col, select

from idp import clock
from idp.audit import log
from idp.audit.events import Event
from idp.errors import Conflict, Invalid
from idp.providers import identifiers, organisations
from idp.providers.registry_tables import ProviderLocation, ProviderNpi
from idp.providers.tables import (
    Affiliation,
    Agreement,
    Participation,
    PortalAccess,
    Practitioner,
    PractitionerMembership,
    Provider,
)

WORDS = ("name", "line1", "line2", "city", "state", "postal_code", "country", "phone")
_LONGEST = 200


def add_npi(db: Session, provider_id: str, npi: str, *, name: str = "") -> ProviderNpi:
    """Record an NPI of an organisation; raise Invalid for a wrong one, Conflict when it is somebody's already."""
    number = identifiers.normalise(npi)
    if not identifiers.npi_is_valid(number):
        raise Invalid(fields={"npi": f"Enter a 10-digit NPI. {npi} has a wrong form or check digit."})
    if npi_of(db, number) is not None:
        raise Conflict("This NPI is already recorded for an organization.")
    if db.exec(select(Practitioner.id).where(col(Practitioner.npi) == number)).first() is not None:
        raise Conflict("This NPI is a practitioner's.")
    row = ProviderNpi(provider_id=provider_id, npi=number, name=name)
    db.add(row)
    _changed(db, provider_id, {"npi": row.id})
    return row


def npi_of(db: Session, npi: str) -> ProviderNpi | None:
    """Return the organisation's NPI with this number, or None."""
    return db.exec(select(ProviderNpi).where(col(ProviderNpi.npi) == identifiers.normalise(npi))).one_or_none()


def adopt_npi(db: Session, provider_id: str, row: ProviderNpi) -> None:
    """Give an organisation an NPI that the registry's file brought first, with its place; the husk it leaves ends.

    Raises Conflict where the NPI belongs to an organisation that is more than the registry's row.
    """
    husk = db.exec(select(Provider).where(col(Provider.id) == row.provider_id, ~not_of_the_registry_alone())).first()
    if husk is None or husk.tin_hash is not None:
        raise Conflict("This NPI is already recorded for an organization.")
    row.provider_id = provider_id
    db.add(row)
    for place in db.exec(select(ProviderLocation).where(col(ProviderLocation.npi) == row.npi)):
        place.provider_id = provider_id
        db.add(place)
    db.flush()
    if db.exec(select(ProviderNpi.id).where(col(ProviderNpi.provider_id) == husk.id)).first() is None:
        organisations.change(db, husk, status="ended")
    _changed(db, provider_id, {"npi": row.id, "from": husk.id})


def not_of_the_registry_alone() -> ColumnElement[bool]:
    """The condition that an organisation is more than a row of the registry's file: something hangs on it.

    What is the registry's alone comes with its file again, and is left out of exports.
    """
    mine = col(Provider.id)
    hangs = [
        exists().where(col(table.provider_id) == mine)
        for table in (PortalAccess, Participation, Agreement, PractitionerMembership, Affiliation)
    ]
    ours = exists().where(col(ProviderLocation.provider_id) == mine, col(ProviderLocation.source) == "operator")
    return or_(col(Provider.source) != "registry", ours, *hangs)


def add_location(
    db: Session,
    provider_id: str,
    *,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    **words: str,
) -> ProviderLocation:
    """Record a place; `words` are those of WORDS. Raises Invalid without a name, or for dates in the wrong order."""
    _check(words)
    starts_at = starts_at or clock.now()
    _in_order(starts_at, ends_at)
    row = ProviderLocation(provider_id=provider_id, starts_at=starts_at, ends_at=ends_at)
    for name, word in words.items():
        setattr(row, name, word)
    db.add(row)
    _changed(db, provider_id, {"location": row.id})
    return row


def change_location(db: Session, row: ProviderLocation, *, ends_at: datetime | None, **words: str) -> bool:
    """Change a place's words or its end; return whether anything differed."""
    _check({"name": row.name, **words})
    _in_order(row.starts_at, ends_at)
    wanted = {**words, "ends_at": ends_at}
    changed = [name for name, value in wanted.items() if getattr(row, name) != value]
    for name in changed:
        setattr(row, name, wanted[name])
    if changed:
        db.add(row)
        _changed(db, row.provider_id, {"location": row.id, "changed": sorted(changed)})
    return bool(changed)


def named(db: Session, provider_id: str, names: list[str] | None) -> list[str] | None:
    """Return the ids of an organisation's places by their names (or ids); raise Invalid for one it has not."""
    if names is None:
        return None
    rows = db.exec(select(ProviderLocation).where(col(ProviderLocation.provider_id) == provider_id)).all()
    known = {row.name: row.id for row in rows} | {row.id: row.id for row in rows}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise Invalid(fields={"locations": f"This organization has no place called {unknown[0]}."})
    return sorted({known[name] for name in names})


def names_of(db: Session, provider_id: str, ids: Sequence[str]) -> list[str]:
    """Return the names of an organisation's places; of one whose name another has too, the id."""
    rows = db.exec(select(ProviderLocation).where(col(ProviderLocation.provider_id) == provider_id)).all()
    count: dict[str, int] = {}
    for row in rows:
        count[row.name] = count.get(row.name, 0) + 1
    names = {row.id: row.name for row in rows if count[row.name] == 1}
    return sorted(names.get(one, one) for one in ids)


def _check(words: dict[str, str]) -> None:
    unknown = set(words) - set(WORDS)
    if unknown:
        raise TypeError(f"not words of a place: {sorted(unknown)}")
    if not words.get("name"):
        raise Invalid(fields={"name": "Enter what the place is called."})
    long = {name: f"Use at most {_LONGEST} characters." for name, word in words.items() if len(word) > _LONGEST}
    if long:
        raise Invalid(fields=long)


def _in_order(starts_at: datetime, ends_at: datetime | None) -> None:
    if ends_at is not None and ends_at <= starts_at:
        raise Invalid(fields={"ends_at": "The end must be after the start."})


def _changed(db: Session, provider_id: str, details: dict[str, object]) -> None:
    """Record it; no decision reads a place or an organisation's NPI, so no epoch rises."""
    db.flush()
    log.record(db, Event("providers.provider.changed", provider=provider_id, details=details))
