"""Who may manage access, who was given what, and third parties' delegations; with dates past and future."""

from datetime import datetime
from typing import Any

from sqlmodel import Session as Db
from sqlmodel import col, select

from idp.apply import past
from idp.apply.schema.organisations import Delegation as WantedDelegation
from idp.apply.schema.organisations import Provider as WantedProvider
from idp.apply.schema.people import Appointment as WantedAppointment
from idp.apply.schema.people import Grant as Wanted
from idp.apply.source import Place
from idp.apply.work import Work, rows
from idp.entitlements import bundles, delegations, grant_rows, grants, pauses
from idp.entitlements.tables import Appointment, Assignment, Delegation, Grant
from idp.errors import Invalid
from idp.providers import places
from idp.wam import appointments


def apply(work: Work, entries: list[Wanted]) -> None:
    """Give, change and end access. What was ended since it was applied is not given again."""
    for index, entry in enumerate(entries):
        place = ("grants", index)
        with work.entry(place):
            if entry.bundle:
                _bundle(work, entry, place)
            else:
                _single(work, entry, place)


def _who(work: Work, entry: Wanted | WantedAppointment, place: Place) -> tuple[str, str]:
    account_id = work.id_of("people", entry.person, (*place, "person"))
    return account_id, work.id_of("providers", entry.provider, (*place, "provider"))


def _single(work: Work, entry: Wanted, place: Place) -> None:
    db, key = work.db, entry.key()
    assert entry.entitlement is not None
    known = work.references.find("grants", key, Grant)
    row = db.get(Grant, known) if known else None
    new = row is None
    if row is None:
        if work.unborn(entry.ended):
            return
        account_id, provider_id = _who(work, entry, place)
        delegation_id = work.maybe_id("delegations", entry.delegation, (*place, "delegation"))
        if entry.effect == "deny":
            at = grant_rows.Place(account_id, provider_id, entry.line)
            (row,) = pauses.suspend(
                db,
                at,
                [entry.entitlement],
                by=entry.granted_by,
                reason=entry.reason,
                starts_at=entry.starts or work.at,
                until=entry.until,
            )
        else:
            row = grants.grant(
                db,
                account_id=account_id,
                provider_id=provider_id,
                line=entry.line,
                entitlement=entry.entitlement,
                by=entry.granted_by,
                reason=entry.reason,
                not_before=entry.starts or work.at,
                expires_at=entry.until,
                delegation_id=delegation_id,
                grant_id=entry.id,
            )
        work.references.put("grants", key, row.id)
        work.difference.add("added", "grants", key)
    elif row.ended_at is not None:
        if not entry.ended:
            work.difference.add("kept", "grants", key, because=f"ended by {row.ended_by}; it is not given again")
        return
    else:
        starts = entry.starts or row.not_before
        if (row.not_before, row.expires_at) != (starts, entry.until):
            changed = {"from": (row.not_before, starts), "until": (row.expires_at, entry.until)}
            row = grants.replace(
                db, row, by=entry.granted_by, reason=entry.reason, not_before=starts, expires_at=entry.until
            )
            work.references.move("grants", key, row.id)
            work.difference.change("grants", key, {k: pair for k, pair in changed.items() if pair[0] != pair[1]})
    if entry.ended:
        live, by = row, entry.granted_by
        work.end(
            row,
            entry.ended,
            new=new,
            by=by,
            reason=entry.end_reason,
            now=lambda: grants.end(db, live, by=by, reason=entry.end_reason),
        )
        work.difference.add("ended", "grants", key)


def _bundle(work: Work, entry: Wanted, place: Place) -> None:
    db, key = work.db, entry.key()
    assert entry.bundle is not None
    known = work.references.find("grants", key, Assignment)
    row = db.get(Assignment, known) if known else None
    if row is not None and row.ended_at is not None:
        if not entry.ended:
            work.difference.add("kept", "grants", key, because="ended since; it is not given again")
        return
    if row is not None and not entry.ended:
        starts = entry.starts or row.starts_at
        if (row.starts_at, row.ends_at) == (starts, entry.until):
            return
        changed = {"from": (row.starts_at, starts), "until": (row.ends_at, entry.until)}
        bundles.end_assignment(db, row, by=entry.granted_by, reason="replaced")
        work.difference.change("grants", key, {k: pair for k, pair in changed.items() if pair[0] != pair[1]})
        row = _assign(work, entry, starts, place)
        work.references.move("grants", key, row.id)
        return
    new = row is None
    if row is None:
        if work.unborn(entry.ended):
            return
        row = _assign(work, entry, entry.starts or work.at, place)
        work.references.put("grants", key, row.id)
        work.difference.add("added", "grants", key)
    if entry.ended:
        assigned, by = row, entry.granted_by
        if new:
            for grant in rows(db, Grant, Grant.assignment_id == row.id):
                past.ended(db, grant, entry.ended, by=by, reason=entry.end_reason)
        work.end(
            row,
            entry.ended,
            new=new,
            by=by,
            reason=entry.end_reason,
            now=lambda: bundles.end_assignment(db, assigned, by=by, reason=entry.end_reason),
        )
        work.difference.add("ended", "grants", key)


def _assign(work: Work, entry: Wanted, starts: datetime, place: Place) -> Assignment:
    account_id, provider_id = _who(work, entry, place)
    assert entry.bundle is not None
    assignment, _rows = bundles.assign(
        work.db,
        account_id=account_id,
        provider_id=provider_id,
        line=entry.line,
        bundle=entry.bundle,
        by=entry.granted_by,
        reason=entry.reason,
        starts_at=starts,
        ends_at=entry.until,
    )
    return assignment


def apply_appointments(work: Work, entries: list[WantedAppointment]) -> None:
    """Appoint access managers and end appointments."""
    for index, entry in enumerate(entries):
        place = ("appointments", index)
        with work.entry(place):
            _appointment(work, entry, place)


def _appointment(work: Work, entry: WantedAppointment, place: Place) -> None:
    db, key = work.db, entry.key()
    account_id, provider_id = _who(work, entry, place)
    known = work.references.find("appointments", key, Appointment)
    row = db.get(Appointment, known) if known else _live(db, account_id, provider_id, entry.line)
    new = row is None
    if row is None:
        if work.unborn(entry.ended):
            return
        row = appointments.appoint(
            db,
            account_id=account_id,
            provider_id=provider_id,
            line=entry.line,
            by="operator",
            verified_by=entry.verified_by,
            appointment_id=entry.id,
            starts_at=entry.starts or work.at,
            ends_at=entry.until,
        )
        work.difference.add("added", "appointments", key)
    elif row.ended_at is not None:
        if not entry.ended:
            work.difference.add("kept", "appointments", key, because=f"ended by {row.ended_by}; it is not made again")
        return
    elif row.ends_at != entry.until:
        before = row.ends_at
        appointments.set_end(db, row, entry.until, by="operator")
        work.difference.change("appointments", key, {"until": (before, entry.until)})
    if known is None:
        work.references.put("appointments", key, row.id)
    if entry.ended:
        live = row
        work.end(
            row,
            entry.ended,
            new=new,
            by="operator",
            reason=entry.end_reason,
            now=lambda: appointments.end(db, live, by="operator", reason=entry.end_reason),
        )
        work.difference.add("ended", "appointments", key)


def _live(db: Db, account_id: str, provider_id: str, line: str) -> Appointment | None:
    return db.exec(
        select(Appointment).where(
            col(Appointment.account_id) == account_id,
            col(Appointment.provider_id) == provider_id,
            col(Appointment.line) == line,
            col(Appointment.ended_at).is_(None),
        )
    ).one_or_none()


_SCOPE = ("status", "entitlements", "lines")


def apply_delegations(work: Work, entries: list[WantedProvider]) -> None:
    """Record what organisations allow third parties, parents before children."""
    for index, provider in enumerate(entries):
        for number, entry in enumerate(provider.delegations):
            place = ("providers", index, "delegations", number)
            with work.entry(place):
                _delegation(work, provider.ref, entry, place)


def _places(work: Work, provider: str, names: list[str] | None, place: Place) -> list[str] | None:
    provider_id = work.id_of("providers", provider, place)
    try:
        return places.named(work.db, provider_id, names)
    except Invalid as problem:
        raise work.wrong((*place, "locations"), problem.detail) from None


def _delegation(work: Work, provider: str, entry: WantedDelegation, place: Place) -> None:
    known = work.references.find("delegations", entry.ref, Delegation)
    row = work.db.get(Delegation, known) if known else None
    wanted: dict[str, Any] = {
        "partner_id": work.id_of("partners", entry.partner, (*place, "partner")),
        "parent_id": work.maybe_id("delegations", entry.parent, (*place, "parent")),
        "entitlements": sorted(past.now(entry, "entitlements", work.at)),
        "lines": sorted(past.now(entry, "lines", work.at)),
        "locations": _places(work, provider, entry.locations, place),
        "redelegable": entry.redelegable,
        "approved_by": entry.approved_by or "operator",
        "starts_at": entry.starts or (row.starts_at if row else work.at),
        "ends_at": entry.until,
        "status": past.now(entry, "status", work.at),
    }
    if row is None:
        if work.unborn(entry.ended):
            return
        provider_id = work.id_of("providers", provider, place)
        made = delegations.record(work.db, provider_id=provider_id, delegation_id=entry.id, **wanted)
        past.was(work.db, made, entry, *_SCOPE, new=True)
        work.references.put("delegations", entry.ref, made.id)
        work.difference.add("added", "delegations", entry.ref)
        if entry.ended:
            work.db.flush()
            past.ended(work.db, made, entry.ended, by="operator", reason=entry.end_reason)
        return
    if entry.ended:
        wanted["status"] = "ended"
    changed = {name: (getattr(row, name), value) for name, value in wanted.items() if getattr(row, name) != value}
    if changed:
        delegations.change(work.db, row, **{name: value for name, (_, value) in changed.items()})
    if past.was(work.db, row, entry, *_SCOPE, new=False):
        changed["history"] = ("without it", "stated")
    if changed:
        work.difference.change("delegations", entry.ref, changed)
