"""Affiliations: a person was approved to act for an organisation, and as what (T-10)."""

from datetime import datetime

from sqlalchemy import CursorResult, update
from sqlalchemy.orm import make_transient_to_detached
from sqlmodel import Session, col, select

from idp import clock, entropy
from idp.audit import log
from idp.audit.events import Event
from idp.database.inserting import insert_unless_there
from idp.errors import Conflict, Invalid
from idp.providers.tables import Affiliation
from idp.signals import epochs, revocations

CAPACITIES = ("employee", "representative", "agent")


def approve(
    db: Session,
    *,
    account_id: str,
    provider_id: str,
    capacity: str = "employee",
    by: str,
    partner_id: str | None = None,
    locations: list[str] | None = None,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    affiliation_id: str | None = None,
) -> Affiliation:
    """Approve that a person acts for an organisation; raise Conflict when one is already in force.

    `partner_id` names the third party the person works for, `by` the approving account or `operator`.
    """
    if capacity not in CAPACITIES:
        raise Invalid(fields={"capacity": f"Choose one of {', '.join(CAPACITIES)}."})
    starts_at = starts_at or clock.now()
    if ends_at is not None and ends_at <= starts_at:
        raise Invalid(fields={"ends_at": "The end must be after the start."})
    made = Affiliation(
        id=affiliation_id or entropy.new_id("aff"),
        account_id=account_id,
        provider_id=provider_id,
        capacity=capacity,
        partner_id=partner_id,
        locations=locations,
        approved_by=by,
        starts_at=starts_at,
        ends_at=ends_at,
    )
    if ends_at is not None and ends_at <= clock.now():  # history, recorded afterwards
        made.ended_at, made.ended_by, made.end_reason = ends_at, "system", "expired"
    # The unique index decides. Only where it refuses may the one it holds have run out without a job's notice.
    if not insert_unless_there(db, Affiliation, made.model_dump()):
        _close_run_out(db, account_id, provider_id)
        if not insert_unless_there(db, Affiliation, made.model_dump()):
            raise Conflict("This person already acts for this organization.")
    make_transient_to_detached(made)
    db.add(made)
    epochs.changed_account(db, account_id)
    log.record(
        db,
        Event(
            "providers.affiliation.approved",
            account=account_id,
            provider=provider_id,
            details={"affiliation": made.id, "capacity": capacity, "partner": partner_id, "by": by},
        ),
    )
    return made


def _close_run_out(db: Session, account_id: str, provider_id: str) -> None:
    """Mark one that reached its own end date as ended, so that the person can be approved anew."""
    db.execute(
        update(Affiliation)
        .where(
            col(Affiliation.account_id) == account_id,
            col(Affiliation.provider_id) == provider_id,
            col(Affiliation.ended_at).is_(None),
            col(Affiliation.ends_at) <= clock.now(),
        )
        .values(ended_at=col(Affiliation.ends_at), ended_by="system", end_reason="expired")
    )


def end(db: Session, affiliation: Affiliation, *, by: str, reason: str) -> bool:
    """End an affiliation once; return False when it had ended before.

    Tokens stop at the raised authorization epoch; `leaving.people.leave` also ends grants and token families.
    """
    result = db.execute(
        update(Affiliation)
        .where(col(Affiliation.id) == affiliation.id, col(Affiliation.ended_at).is_(None))
        .values(ended_at=clock.now(), ended_by=by, end_reason=reason)
    )
    assert isinstance(result, CursorResult)
    if result.rowcount != 1:
        return False
    account_id, provider_id = affiliation.account_id, affiliation.provider_id
    epochs.changed_account(db, account_id, takes_away=True)
    revocations.announce(db, "affiliation_ended", reason=reason, account_id=account_id, provider_id=provider_id)
    log.record(
        db,
        Event(
            "providers.affiliation.ended",
            account=account_id,
            provider=provider_id,
            reason=reason,
            details={"affiliation": affiliation.id, "by": by},
        ),
    )
    return True


def set_end(db: Session, affiliation: Affiliation, ends_at: datetime | None, *, by: str) -> bool:
    """Move the end date of an affiliation; return whether it differed. An earlier end takes access away."""
    before = affiliation.ends_at
    if before == ends_at:
        return False
    if ends_at is not None and ends_at <= affiliation.starts_at:
        raise Invalid(fields={"ends_at": "The end must be after the start."})
    affiliation.ends_at = ends_at
    db.add(affiliation)
    db.flush()
    account_id = affiliation.account_id
    epochs.changed_account(db, account_id, takes_away=ends_at is not None and (before is None or ends_at < before))
    log.record(
        db,
        Event(
            "providers.affiliation.approved",
            account=account_id,
            provider=affiliation.provider_id,
            reason="end_date_moved",
            details={"affiliation": affiliation.id, "to": clock.iso(ends_at) if ends_at else None, "by": by},
        ),
    )
    return True


def set_places(db: Session, affiliation: Affiliation, locations: list[str] | None, *, by: str) -> bool:
    """Say for which places a third party's person works; return whether it differed. Fewer take access away."""
    before = affiliation.locations
    if before == locations:
        return False
    affiliation.locations = locations
    db.add(affiliation)
    db.flush()
    less = locations is not None and (before is None or not set(before) <= set(locations))
    epochs.changed_account(db, affiliation.account_id, takes_away=less)
    log.record(
        db,
        Event(
            "providers.affiliation.approved",
            account=affiliation.account_id,
            provider=affiliation.provider_id,
            reason="places_changed",
            details={"affiliation": affiliation.id, "places": locations, "by": by},
        ),
    )
    return True


def live(db: Session, account_id: str, provider_id: str) -> Affiliation | None:
    """Return the affiliation of a person with an organisation that nobody has ended, or None."""
    return db.exec(
        select(Affiliation).where(
            col(Affiliation.account_id) == account_id,
            col(Affiliation.provider_id) == provider_id,
            col(Affiliation.ended_at).is_(None),
        )
    ).one_or_none()


def current(db: Session, account_id: str, provider_id: str) -> Affiliation | None:
    """Return the affiliation of a person with an organisation, begun or to come, that is not over; or None.

    One that has run out counts as over before a job has marked it, and `approve` closes it where another follows.
    """
    found = live(db, account_id, provider_id)
    return found if found is not None and (found.ends_at is None or found.ends_at > clock.now()) else None


def in_force(db: Session, account_id: str, at: datetime) -> list[Affiliation]:
    """Return every affiliation of a person in force at a moment, oldest first."""
    found = db.exec(
        select(Affiliation).where(col(Affiliation.account_id) == account_id).order_by(col(Affiliation.starts_at))
    ).all()
    return [
        a
        for a in found
        if a.starts_at <= at and (a.ends_at is None or at < a.ends_at) and (a.ended_at is None or at < a.ended_at)
    ]
