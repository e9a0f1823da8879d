"""Provider organisations as the applied file writes them."""

from typing import Any

from sqlmodel import Session as Db
from sqlmodel import col, select

from idp.apply.sections import provider_places, withheld
from idp.apply.sections.clients import variable
from idp.apply.sections.providers import FACTS, dates
from idp.apply.work import References, rows
from idp.entitlements.tables import Delegation
from idp.providers import places
from idp.providers.tables import (
    Agreement,
    Credential,
    Participation,
    PortalAccess,
    Practitioner,
    PractitionerMembership,
    Provider,
)


def export(db: Db, names: References) -> list[dict[str, Any]]:
    """Return every organisation with its portals, contracts, practitioners and delegations."""
    refs = names.named("providers")
    found = []
    for row in rows(db, Provider, places.not_of_the_registry_alone()):
        ref = refs.get(row.id, row.id)
        entry: dict[str, Any] = {"ref": ref, "name": row.name, "kind": row.kind}
        if row.tin_hash is not None:
            entry["tin"] = "env:" + variable("TIN", ref)
        entry |= {name: value for name in FACTS[1:] if (value := getattr(row, name))}
        lists = {
            "portals": [
                {"line": r.line, "opened_by": r.opened_by, **dates(r)}
                for r in _of(db, PortalAccess, row.id)
                if r.basis == "contract"
            ],
            "participation": [
                {"line": r.line, "network": r.network, **dates(r)} for r in _of(db, Participation, row.id)
            ],
            "agreements": [{"line": r.line, **dates(r)} for r in _of(db, Agreement, row.id) if r.basis == "contract"],
            "practitioners": _practitioners(db, row.id, names),
            "delegations": _delegations(db, row.id, names),
            **provider_places.export(db, row.id),
            **withheld.export(db, row.id),
        }
        found.append(entry | {name: value for name, value in lists.items() if value})
    return found


def _of(db: Db, table: type[Any], provider_id: str) -> list[Any]:
    return rows(db, table, table.provider_id == provider_id)


def _practitioners(db: Db, provider_id: str, names: References) -> list[dict[str, Any]]:
    people = names.named("people")
    found = []
    joined = db.exec(
        select(PractitionerMembership, Practitioner)
        .join(Practitioner, col(Practitioner.id) == col(PractitionerMembership.practitioner_id))
        .where(col(PractitionerMembership.provider_id) == provider_id)
        .order_by(col(Practitioner.npi), col(PractitionerMembership.starts_at))
    )
    for membership, row in joined:
        entry: dict[str, Any] = {"npi": row.npi, "name": row.name, **dates(membership)}
        if row.account_id:
            entry["person"] = people.get(row.account_id, row.account_id)
        facts = []
        for fact in rows(db, Credential, Credential.practitioner_id == row.id):
            told = {"kind": fact.kind, "number": fact.number, "state": fact.state, "source": fact.source}
            told = {name: value for name, value in told.items() if value} | dates(fact)
            told |= {"verified": fact.verified_at} if fact.verified_at else {}
            facts.append(told if fact.services is None else {**told, "services": fact.services})
        found.append({**entry, "credentials": facts} if facts else entry)
    return found


def _delegations(db: Db, provider_id: str, names: References) -> list[dict[str, Any]]:
    refs, partners = names.named("delegations"), names.named("partners")
    found = []
    for row in _of(db, Delegation, provider_id):
        entry: dict[str, Any] = {
            "ref": refs.get(row.id, row.id),
            "partner": partners.get(row.partner_id, row.partner_id),
        }
        if row.parent_id:
            entry["parent"] = refs.get(row.parent_id, row.parent_id)
        entry |= {"entitlements": row.entitlements, "lines": row.lines, "approved_by": row.approved_by}
        if row.locations is not None:
            entry["locations"] = places.names_of(db, provider_id, row.locations)
        if row.redelegable:
            entry["redelegable"] = True
        told = dates(row)
        told.pop("ended", None)
        found.append({**entry, "status": row.status, **told})
    return found
