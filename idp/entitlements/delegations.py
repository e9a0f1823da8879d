"""Delegations: what an organisation allows a third party to do for it (W-6). Each child stays within its parent."""

from datetime import datetime
from typing import Any

from sqlmodel import Session

from idp import clock, entropy
from idp.audit import log
from idp.audit.events import Event
from idp.entitlements import chains
from idp.entitlements.tables import Delegation, Entitlement
from idp.errors import Invalid
from idp.signals import epochs, revocations

_FACTS = (
    "partner_id",
    "parent_id",
    "entitlements",
    "lines",
    "locations",
    "redelegable",
    "approved_by",
    "starts_at",
    "ends_at",
)


def record(
    db: Session,
    *,
    provider_id: str,
    partner_id: str,
    entitlements: list[str],
    lines: list[str],
    locations: list[str] | None = None,
    redelegable: bool = False,
    parent_id: str | None = None,
    approved_by: str,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    status: str = "active",
    delegation_id: str | None = None,
) -> Delegation:
    """Record a delegation. Raises Invalid for unknown functions, a wrong interval, or more than its parent has."""
    made = Delegation(
        id=delegation_id or entropy.new_id("dlg"),
        provider_id=provider_id,
        partner_id=partner_id,
        parent_id=parent_id,
        entitlements=entitlements,
        lines=lines,
        locations=locations,
        redelegable=redelegable,
        approved_by=approved_by,
        starts_at=starts_at or clock.now(),
        ends_at=ends_at,
        status=status,
        ended_at=clock.now() if status == "ended" else None,
    )
    _check(db, made)
    db.add(made)
    _changed(db, made, "delegation_recorded")
    return made


def change(db: Session, delegation: Delegation, **facts: Any) -> None:
    """Change a delegation's bounds or status; holds at the very next decision. Raises Invalid."""
    unknown = facts.keys() - {*_FACTS, "status"}
    if unknown:
        raise TypeError(f"not facts of a delegation: {sorted(unknown)}")
    for name, value in facts.items():
        setattr(delegation, name, value)
    if delegation.status == "ended" and delegation.ended_at is None:
        delegation.ended_at = clock.now()
    _check(db, delegation)
    db.add(delegation)
    if delegation.status != "active":
        revocations.announce(db, "delegation_ended", reason=delegation.status, provider_id=delegation.provider_id)
    _changed(db, delegation, "delegation_changed")


def _check(db: Session, made: Delegation) -> None:
    problems: dict[str, str] = {}
    unknown = [key for key in made.entitlements if db.get(Entitlement, key) is None]
    if unknown:
        problems["entitlements"] = f"There is no function called {unknown[0]}."
    if made.ends_at is not None and made.ends_at <= made.starts_at:
        problems["ends_at"] = "The end must be after the start."
    parent = db.get(Delegation, made.parent_id) if made.parent_id else None
    if made.parent_id and (parent is None or parent.provider_id != made.provider_id):
        problems["parent"] = "The delegation above must be one of the same organization."
    elif parent is not None and _wider(made, parent):
        problems["parent"] = "A delegation can't allow more than the one above it."
    elif parent is not None and made.id in {link.id for link in chains.of(db, parent)}:
        problems["parent"] = "A delegation can't hang on itself."
    if problems:
        raise Invalid(fields=problems)


def _wider(made: Delegation, parent: Delegation) -> bool:
    """Say whether a delegation names a function, a line of business or a place that its parent does not."""
    places = parent.locations is not None and (
        made.locations is None or not set(made.locations) <= set(parent.locations)
    )
    more = not set(made.entitlements) <= set(parent.entitlements) or not set(made.lines) <= set(parent.lines)
    return places or more


def _changed(db: Session, row: Delegation, reason: str) -> None:
    db.flush()
    epochs.changed_policy(db)
    log.record(
        db,
        Event(
            "providers.provider.changed",
            provider=row.provider_id,
            reason=reason,
            details={"delegation": row.id, "partner": row.partner_id, "status": row.status},
        ),
    )
