"""Provider organisations and what the insurer opened to them, with dates."""

from datetime import datetime
from typing import Any

from idp.apply import past
from idp.apply.difference import differing
from idp.apply.schema.common import Dated, Secret
from idp.apply.schema.organisations import Practitioner as WantedPractitioner
from idp.apply.schema.organisations import Provider as Wanted
from idp.apply.source import Place
from idp.apply.work import Work, rows
from idp.providers import organisations, practitioners
from idp.providers.tables import (
    Agreement,
    Credential,
    Participation,
    PortalAccess,
    PractitionerMembership,
    Provider,
)

FACTS = ("name", "status", "payment_arrangement", "help_name", "help_contact", "channels")
DATED = ("status", "payment_arrangement", "channels")


def apply(work: Work, entries: list[Wanted]) -> None:
    """Record and change organisations, their portals, participation and agreements."""
    for index, entry in enumerate(entries):
        place = ("providers", index)
        with work.entry(place):
            provider_id = _one(work, entry, place)
            for number, portal in enumerate(entry.portals):
                _portal(work, entry.ref, provider_id, portal, (*place, "portals", number))
            for part in entry.participation:
                _span(work, Participation, entry.ref, provider_id, part, line=part.line, network=part.network)
            for agreement in entry.agreements:
                _span(work, Agreement, entry.ref, provider_id, agreement, line=agreement.line, basis="contract")


def apply_practitioners(work: Work, entries: list[Wanted]) -> None:
    """Record practitioners and where they work; after people, whom they may name."""
    for index, entry in enumerate(entries):
        provider_id = work.id_of("providers", entry.ref, ("providers", index))
        for number, practitioner in enumerate(entry.practitioners):
            place = ("providers", index, "practitioners", number)
            with work.entry(place):
                _practitioner(work, entry.ref, provider_id, practitioner, place)


def _one(work: Work, entry: Wanted, place: Place) -> str:
    db = work.db
    known = work.references.find("providers", entry.ref, Provider)
    if known is None:
        made = organisations.register(
            db,
            kind=entry.kind,
            tin=_tin(work, entry, place),
            provider_id=entry.id,
            **{name: past.now(entry, name, work.at) for name in FACTS},
        )
        past.was(db, made, entry, *DATED, new=True)
        work.references.put("providers", entry.ref, made.id)
        work.difference.add("added", "providers", entry.ref)
        return made.id
    row = organisations.find(db, known)
    wanted = {name: getattr(entry, name) for name in FACTS if name in entry.model_fields_set}
    changed = differing(wanted, {name: getattr(row, name) for name in wanted})
    if "kind" in entry.model_fields_set and entry.kind != row.kind:
        raise work.wrong((*place, "kind"), f"an organisation's kind does not change; it is {row.kind}")
    if changed:
        organisations.change(db, row, **wanted)
    if past.was(db, row, entry, *DATED, new=False):
        changed["history"] = ("without it", "stated")
    if changed:
        work.difference.change("providers", entry.ref, changed)
    return row.id


def _tin(work: Work, entry: Wanted, place: Place) -> str | None:
    if entry.tin is None:
        return None
    return work.reveal(Secret(entry.tin), (*place, "tin"))


def matching(found: list[Any], entry: Dated) -> Any | None:
    """Return the row an entry with dates means: the one that began then; without `from`, the newest."""
    if entry.starts is None:
        return max(found, key=lambda row: row.starts_at, default=None)
    return next((row for row in found if row.starts_at == entry.starts), None)


def _portal(work: Work, ref: str, provider_id: str, entry: Any, place: Place) -> None:
    db, key = work.db, f"{ref}: portal {entry.line}"
    own = (PortalAccess.provider_id == provider_id, PortalAccess.basis == "contract")
    of_line = rows(db, PortalAccess, *own, PortalAccess.line == entry.line)
    row = matching(of_line, entry)
    new = row is None
    if row is None:
        if work.unborn(entry.ended):
            return
        row = organisations.open_portal(
            db,
            provider_id,
            entry.line,
            by=entry.opened_by or "operator",
            starts_at=entry.starts or work.at,
            ends_at=entry.until,
        )
        work.difference.add("added", "providers", key)
    elif entry.until != row.ends_at and row.ended_at is None:
        before = row.ends_at
        organisations.set_end(db, row, entry.until)
        work.difference.change("providers", key, {"until": (before, entry.until)})
    if entry.ended and row.ended_at is None:
        work.end(
            row,
            entry.ended,
            new=new,
            by="operator",
            reason="applied",
            now=lambda: organisations.close_portal(db, provider_id, entry.line, by="operator", because="applied"),
        )
        work.difference.add("ended", "providers", key)
    elif row.ended_at is not None and not entry.ended:
        work.difference.add("kept", "providers", key, because="was closed since; it is not opened again")


def _span(work: Work, table: type[Any], ref: str, provider_id: str, entry: Dated, **facts: str) -> None:
    db, key = work.db, f"{ref}: {table.__name__.lower()} {facts['line']}"
    conditions = [getattr(table, name) == value for name, value in facts.items()]
    row = matching(rows(db, table, table.provider_id == provider_id, *conditions), entry)
    if row is None:
        make = organisations.participate if table is Participation else organisations.agree
        line = facts.pop("line")
        make(db, provider_id, line, starts_at=entry.starts or work.at, ends_at=entry.until, **facts)
        work.difference.add("added", "providers", key)
    elif row.ends_at != entry.until:
        before = row.ends_at
        organisations.set_end(db, row, entry.until)
        work.difference.change("providers", key, {"until": (before, entry.until)})


def _practitioner(work: Work, ref: str, provider_id: str, entry: WantedPractitioner, place: Place) -> None:
    db, key = work.db, f"{ref}: practitioner {entry.npi}"
    row = practitioners.by_npi(db, entry.npi)
    account_id = work.maybe_id("people", entry.person, (*place, "person"))
    if row is None:
        row = practitioners.record(db, npi=entry.npi, name=entry.name, account_id=account_id)
        work.difference.add("added", "providers", key)
    memberships = rows(
        db,
        PractitionerMembership,
        PractitionerMembership.practitioner_id == row.id,
        PractitionerMembership.provider_id == provider_id,
    )
    member = matching(memberships, entry)
    if member is None:
        practitioners.join(db, row, provider_id, starts_at=entry.starts or work.at, ends_at=entry.until)
        if memberships:
            work.difference.add("added", "providers", f"{key}, again")
    elif member.ends_at != entry.until:
        before = member.ends_at
        practitioners.set_end(db, member, entry.until)
        work.difference.change("providers", key, {"until": (before, entry.until)})
    if entry.out_of_use and past.out_of_use(db, row, [(one.starts or work.at, one.until) for one in entry.out_of_use]):
        work.difference.change("providers", key, {"out_of_use": ("as it was", "stated")})
    for fact in entry.credentials:
        told = f"{key}: {fact.kind} {fact.number}".rstrip()
        same = rows(
            db,
            Credential,
            Credential.practitioner_id == row.id,
            Credential.kind == fact.kind,
            Credential.number == fact.number,
            Credential.state == fact.state,
        )
        present = matching(same, fact)
        if present is None:
            practitioners.credential(
                db,
                row,
                fact.kind,
                number=fact.number,
                state=fact.state,
                services=fact.services,
                source=fact.source,
                verified_at=fact.verified,
                starts_at=fact.starts or work.at,
                ends_at=fact.until,
            )
            work.difference.add("added", "providers", told)
            continue
        changed: dict[str, Any] = {}
        if present.ends_at != fact.until:
            changed["until"] = (present.ends_at, fact.until)
            practitioners.set_end(db, present, fact.until)
        if (fact.source, fact.verified) != (present.source, present.verified_at):
            changed["verified"] = ((present.source, present.verified_at), (fact.source, fact.verified))
            practitioners.verify(db, present, source=fact.source, verified_at=fact.verified)
        if changed:
            work.difference.change("providers", told, changed)


def dates(row: Any) -> dict[str, datetime]:
    """Return `from`, `until` and `ended` of a row as the file writes them."""
    told = {"from": row.starts_at}
    if row.ends_at:
        told["until"] = row.ends_at
    if getattr(row, "ended_at", None):
        told["ended"] = row.ended_at
    return told
