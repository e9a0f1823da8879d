"""NPIs and places of organisations, and continuity of care, as the applied file says them."""

from typing import Any

from sqlmodel import Session as Db

from idp.apply.schema.organisations import Provider as Wanted
from idp.apply.schema.places import Continuity
from idp.apply.work import Work, rows
from idp.providers import continuity, places
from idp.providers.registry_tables import ProviderLocation, ProviderNpi
from idp.providers.tables import PortalAccess


def apply(work: Work, entries: list[Wanted]) -> None:
    """Record what each organisation is known by, where it works, and what was opened to it for a treatment."""
    for index, entry in enumerate(entries):
        place = ("providers", index)
        provider_id = work.id_of("providers", entry.ref, place)
        for number, npi in enumerate(entry.npis):
            with work.entry((*place, "npis", number)):
                _npi(work, entry.ref, provider_id, npi)
        for number, location in enumerate(entry.locations):
            with work.entry((*place, "locations", number)):
                _location(work, entry.ref, provider_id, location)
        for number, wanted in enumerate(entry.continuity):
            with work.entry((*place, "continuity", number)):
                _continuity(work, entry.ref, provider_id, wanted)


def _npi(work: Work, ref: str, provider_id: str, npi: str) -> None:
    known = places.npi_of(work.db, npi)
    if known is None:
        places.add_npi(work.db, provider_id, npi)
        work.difference.add("added", "providers", f"{ref}: NPI {npi}")
    elif known.provider_id != provider_id:
        places.adopt_npi(work.db, provider_id, known)
        work.difference.add("added", "providers", f"{ref}: NPI {npi}, known from the registry")


def _location(work: Work, ref: str, provider_id: str, wanted: Any) -> None:
    db, key = work.db, f"{ref}: location {wanted.name}"
    words = {name: getattr(wanted, name) for name in places.WORDS}
    known = rows(
        db,
        ProviderLocation,
        ProviderLocation.provider_id == provider_id,
        ProviderLocation.name == wanted.name,
        ProviderLocation.source == "operator",
    )
    if not known:
        places.add_location(db, provider_id, starts_at=wanted.starts or work.at, ends_at=wanted.until, **words)
        work.difference.add("added", "providers", key)
        return
    row = known[-1]
    before = {name: getattr(row, name) for name in (*places.WORDS, "ends_at")}
    if places.change_location(db, row, ends_at=wanted.until, **words):
        now = {name: getattr(row, name) for name in before}
        changed = {name: (before[name], now[name]) for name in before if before[name] != now[name]}
        work.difference.change("providers", key, changed)


def _continuity(work: Work, ref: str, provider_id: str, wanted: Continuity) -> None:
    db, key = work.db, f"{ref}: continuity {wanted.reference}"
    known = rows(
        db,
        PortalAccess,
        PortalAccess.provider_id == provider_id,
        PortalAccess.line == wanted.line,
        PortalAccess.basis == "continuity",
        PortalAccess.reference == wanted.reference,
    )
    if not known:
        continuity.allow(
            db,
            provider_id,
            wanted.line,
            by="operator",
            reference=wanted.reference,
            starts_at=wanted.starts or work.at,
            ends_at=wanted.until,
        )
        work.difference.add("added", "providers", key)
        return
    before = known[-1].ends_at
    if known[-1].ended_at is None and continuity.set_end(db, known[-1], wanted.until):
        work.difference.change("providers", key, {"until": (before, wanted.until)})


def export(db: Db, provider_id: str) -> dict[str, Any]:
    """Return the three lists of an organisation; the registry's own places come with its file again."""
    npis = [row.npi for row in rows(db, ProviderNpi, ProviderNpi.provider_id == provider_id)]
    found: dict[str, Any] = {"npis": npis, "locations": [], "continuity": []}
    ours = (ProviderLocation.provider_id == provider_id, ProviderLocation.source == "operator")
    for row in rows(db, ProviderLocation, *ours):
        words = {name: word for name in places.WORDS if (word := getattr(row, name))}
        found["locations"].append(words | _dates(row))
    of_it = (PortalAccess.provider_id == provider_id, PortalAccess.basis == "continuity")
    for row in rows(db, PortalAccess, *of_it):
        found["continuity"].append({"line": row.line, "reference": row.reference, **_dates(row)})
    return found


def _dates(row: Any) -> dict[str, Any]:
    return {"from": row.starts_at, **({"until": row.ends_at} if row.ends_at else {})}
