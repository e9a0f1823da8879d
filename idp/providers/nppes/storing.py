"""Take a batch of entries over: who is new, who changed, whose number went out of use. Opens nothing to anybody."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import insert
from sqlmodel import Session, col, select

from idp import clock, entropy
from idp.audit import log
from idp.audit.events import Event
from idp.database import of
from idp.providers import practitioners
from idp.providers.nppes import layout
from idp.providers.nppes.rows import Entry, Problem
from idp.providers.registry_tables import ProviderLocation, ProviderNpi
from idp.providers.tables import Practitioner, Provider
from idp.signals import epochs

_FACILITIES = ("27", "28", "31", "32")
"""Beginnings of taxonomy codes of hospitals, their units, nursing homes and residential treatment."""


@dataclass
class Batch:
    """One batch in one transaction: what is known of its numbers, and the rows to come."""

    db: Session
    counts: Counter[str] = field(default_factory=Counter)
    problems: list[tuple[int, Problem]] = field(default_factory=list)
    people: dict[str, Practitioner] = field(default_factory=dict)
    npis: dict[str, ProviderNpi] = field(default_factory=dict)
    places: dict[str, ProviderLocation] = field(default_factory=dict)
    by_tin: dict[bytes, str] = field(default_factory=dict)
    new: dict[type[Any], list[dict[str, Any]]] = field(default_factory=dict)

    def take(self, entries: list[Entry]) -> None:
        """Take over entries; of two with one number the newer counts, of two as new the later."""
        latest: dict[str, Entry] = {}
        for entry in entries:
            before = latest.get(entry.npi)
            if before is not None:
                self.counts["older"] += 1
            if before is None or entry.date >= before.date:
                latest[entry.npi] = entry
        self._load(latest)
        for entry in latest.values():
            self._one(entry)
        for table in (Practitioner, Provider, ProviderNpi, ProviderLocation):
            if self.new.get(table):
                self.db.execute(insert(table), self.new[table])
        self.db.flush()

    def _load(self, latest: dict[str, Entry]) -> None:
        db, numbers = self.db, list(latest)
        for person in db.exec(select(Practitioner).where(col(Practitioner.npi).in_(numbers))):
            self.people[person.npi] = person
        for npi in db.exec(select(ProviderNpi).where(col(ProviderNpi.npi).in_(numbers))):
            self.npis[npi.npi] = npi
        for place in db.exec(select(ProviderLocation).where(col(ProviderLocation.npi).in_(list(self.npis)))):
            self.places[place.npi or ""] = place
        hashes = [self._hash(tin) for e in latest.values() for tin in (e.tin, e.parent_tin) if tin]
        if hashes:
            found = db.exec(select(Provider.tin_hash, Provider.id).where(col(Provider.tin_hash).in_(hashes)))
            self.by_tin = {tin_hash: provider_id for tin_hash, provider_id in found if tin_hash is not None}

    def _hash(self, tin: str) -> bytes:
        return of(self.db).ring.keyed_hash("tin-hash", tin)

    def _one(self, entry: Entry) -> None:
        person, npi = self.people.get(entry.npi), self.npis.get(entry.npi)
        known = person or npi
        if entry.kind and known is not None and (entry.kind == "person") != (person is not None):
            reason = "The number is recorded as an organization's." if npi else "The number is recorded as a person's."
            self.problems.append((entry.line, Problem(layout.ENTITY, reason)))
            self.counts["refused"] += 1
        elif known is None:
            if entry.kind == "person":
                self._new_person(entry)
            elif entry.kind == "organization":
                self._new_organization(entry)
            else:
                self.counts["unknown"] += 1
        elif entry.date < known.registry_date:
            self.counts["older"] += 1
        elif person is not None:
            self._person(person, entry)
        else:
            assert npi is not None
            self._organization(npi, entry)

    def _add(self, table: type[Any], **values: Any) -> None:
        self.new.setdefault(table, []).append({**values, "created_at": clock.now()})

    def _new_person(self, entry: Entry) -> None:
        self._add(
            Practitioner,
            id=entropy.new_id("prc"),
            npi=entry.npi,
            name=entry.name,
            account_id=None,
            registry_facts=entry.facts,
            registry_date=entry.date,
            deactivated_at=entry.deactivated_at,
            lapse_handled_at=None,
        )
        self.counts["people added"] += 1

    def _person(self, row: Practitioner, entry: Entry) -> None:
        moved = row.deactivated_at != entry.deactivated_at
        if moved:
            practitioners.deactivate(self.db, row, entry.deactivated_at, by="registry")
            self.counts["taken out of use" if entry.deactivated_at else "back in use"] += 1
        row.registry_date = entry.date
        if entry.kind and row.registry_facts != entry.facts:
            if row.name == (row.registry_facts or {}).get("name"):  # nobody gave another
                row.name = entry.name
            row.registry_facts = entry.facts
            self.counts["people changed"] += 1
        elif not moved:
            self.counts["unchanged"] += 1
        self.db.add(row)

    def _new_organization(self, entry: Entry) -> None:
        provider_id = self._home(entry)
        self._add(
            ProviderNpi,
            id=entropy.new_id("npi"),
            npi=entry.npi,
            provider_id=provider_id,
            name=entry.name,
            registry_facts=entry.facts,
            registry_date=entry.date,
            deactivated_at=entry.deactivated_at,
        )
        self._place(provider_id, entry)
        self.counts["organizations added"] += 1

    def _home(self, entry: Entry) -> str:
        """Return the organisation a new number belongs to: that of its TIN, its parent's, else one of its own."""
        for tin in (entry.tin, entry.parent_tin):
            known = self.by_tin.get(self._hash(tin)) if tin else None
            if known is not None:
                return known
        provider_id, ring = entropy.new_id("prv"), of(self.db).ring
        sealed: dict[str, Any] = {"tin_encrypted": None, "tin_hash": None, "tin_last4": ""}
        if entry.tin:
            sealed["tin_hash"] = self._hash(entry.tin)
            sealed["tin_encrypted"] = ring.seal("tin", f"provider.tin_encrypted:{provider_id}", entry.tin.encode())
            sealed["tin_last4"] = entry.tin[-4:]
            self.by_tin[sealed["tin_hash"]] = provider_id
        codes = [one["code"] for one in entry.facts.get("taxonomies", [])]
        kind = "facility" if codes and codes[0].startswith(_FACILITIES) else "practice"
        self._add(
            Provider,
            id=provider_id,
            kind=kind,
            source="registry",
            name=entry.name,
            status="active",
            payment_arrangement="fee_for_service",
            help_name=None,
            help_contact=None,
            **sealed,
        )
        return provider_id

    def _place(self, provider_id: str, entry: Entry) -> None:
        if entry.location:
            blank = dict.fromkeys(("line1", "line2", "city", "state", "postal_code", "country", "phone"), "")
            self._add(
                ProviderLocation,
                id=entropy.new_id("loc"),
                provider_id=provider_id,
                npi=entry.npi,
                name=entry.name,
                source="registry",
                starts_at=entry.enumerated_at or clock.now(),
                ends_at=None,
                **blank | entry.location,
            )

    def _organization(self, row: ProviderNpi, entry: Entry) -> None:
        moved = row.deactivated_at != entry.deactivated_at
        if moved:
            row.deactivated_at = entry.deactivated_at
            name = "deactivated" if entry.deactivated_at else "reactivated"
            log.record(
                self.db, Event(f"providers.organization.{name}", provider=row.provider_id, details={"npi": row.id})
            )
            self.counts["taken out of use" if entry.deactivated_at else "back in use"] += 1
        row.registry_date = entry.date
        if entry.kind and row.registry_facts != entry.facts:
            self._rename(row, entry)
            row.registry_facts, row.name = entry.facts, entry.name
            self.counts["organizations changed"] += 1
        elif not moved:
            self.counts["unchanged"] += 1
        self.db.add(row)
        if entry.kind:
            self._change_place(row, entry)

    def _rename(self, row: ProviderNpi, entry: Entry) -> None:
        provider = self.db.get(Provider, row.provider_id)
        if provider is not None and provider.name == row.name != entry.name:
            provider.name = entry.name
            self.db.add(provider)
            epochs.changed_policy(self.db)  # decisions say an organisation's name

    def _change_place(self, row: ProviderNpi, entry: Entry) -> None:
        place = self.places.get(entry.npi)
        if place is None:
            self._place(row.provider_id, entry)
            return
        place.name = entry.name
        for name in ("line1", "line2", "city", "state", "postal_code", "country", "phone"):
            setattr(place, name, entry.location.get(name, ""))
        self.db.add(place)
