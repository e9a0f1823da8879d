"""Licensed individuals, where they work, and their credentialing facts (O-01)."""

from datetime import datetime

from sqlmodel import Session, col, select

from idp import clock, entropy
from idp.audit import log
from idp.audit.events import Event
from idp.errors import Conflict, Invalid
from idp.providers import identifiers
from idp.providers.tables import Credential, Practitioner, PractitionerMembership
from idp.signals import epochs

KINDS = ("licence", "credentialing", "dea", "board", "malpractice", "education", "residency")


def record(
    db: Session, *, npi: str, name: str, account_id: str | None = None, practitioner_id: str | None = None
) -> Practitioner:
    """Record a practitioner; raise Invalid for a wrong NPI, Conflict when it is already recorded."""
    number = identifiers.normalise(npi)
    if not identifiers.npi_is_valid(number):
        raise Invalid(fields={"npi": f"Enter a 10-digit NPI. {npi} has a wrong form or check digit."})
    if by_npi(db, number) is not None:
        raise Conflict("A practitioner with this NPI is already recorded.")
    made = Practitioner(id=practitioner_id or entropy.new_id("prc"), npi=number, name=name, account_id=account_id)
    db.add(made)
    _changed(db, None, {"practitioner": made.id})
    return made


def by_npi(db: Session, npi: str) -> Practitioner | None:
    """Return the practitioner of an NPI, or None."""
    return db.exec(select(Practitioner).where(col(Practitioner.npi) == identifiers.normalise(npi))).one_or_none()


def join(
    db: Session,
    practitioner: Practitioner,
    provider_id: str,
    *,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
) -> PractitionerMembership:
    """Record that a practitioner works at an organisation, with dates."""
    starts_at = _span(starts_at, ends_at)
    row = PractitionerMembership(
        practitioner_id=practitioner.id, provider_id=provider_id, starts_at=starts_at, ends_at=ends_at
    )
    db.add(row)
    _changed(db, provider_id, {"practitioner": practitioner.id, "membership": row.id})
    return row


def credential(
    db: Session,
    practitioner: Practitioner,
    kind: str,
    *,
    number: str = "",
    state: str = "",
    services: list[str] | None = None,
    source: str = "",
    verified_at: datetime | None = None,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
) -> Credential:
    """Record a credentialing fact; `services` lists what a licence covers, None meaning all.

    `source` says who confirmed it, `verified_at` when. Raises Invalid for an unknown kind, a DEA registration
    with a wrong check digit, or a verification that has yet to happen.
    """
    if kind not in KINDS:
        raise Invalid(fields={"kind": f"Choose one of {', '.join(KINDS)}."})
    if kind == "dea" and not identifiers.dea_is_valid(number):
        raise Invalid(fields={"number": f"Enter a DEA registration. {number} has a wrong form or check digit."})
    _past(verified_at)
    row = Credential(
        practitioner_id=practitioner.id,
        kind=kind,
        number=number,
        state=state,
        services=services,
        source=source,
        verified_at=verified_at,
        starts_at=_span(starts_at, ends_at),
        ends_at=ends_at,
    )
    if ends_at is not None and ends_at <= clock.now():
        row.lapse_handled_at = ends_at  # history: nothing ever rested on it here
    db.add(row)
    _changed(db, None, {"practitioner": practitioner.id, "credential": row.id, "kind": kind})
    return row


def set_end(db: Session, row: Credential | PractitionerMembership, ends_at: datetime | None) -> bool:
    """Move the end date of a credential or membership; return whether it differed."""
    if row.ends_at == ends_at:
        return False
    _span(row.starts_at, ends_at)
    row.ends_at = ends_at
    if isinstance(row, Credential):  # a renewal: warned anew before its new end
        row.warned, row.lapse_handled_at = 0, None
    db.add(row)
    _changed(db, None, {"practitioner": row.practitioner_id, "row": row.id})
    return True


def verify(db: Session, row: Credential, *, source: str, verified_at: datetime | None) -> bool:
    """State who confirmed a fact and when; return whether that differed."""
    _past(verified_at)
    if (row.source, row.verified_at) == (source, verified_at):
        return False
    row.source, row.verified_at = source, verified_at
    db.add(row)
    _changed(db, None, {"practitioner": row.practitioner_id, "credential": row.id, "verified": True})
    return True


def deactivate(db: Session, practitioner: Practitioner, at: datetime | None, *, by: str) -> bool:
    """State from when an NPI is out of use, or with None that it is in use again; return whether that differed.

    From that day nothing the practitioner has counts for an organisation (gate 10).
    """
    if practitioner.deactivated_at == at:
        return False
    practitioner.deactivated_at, practitioner.lapse_handled_at = at, None
    db.add(practitioner)
    db.flush()
    epochs.changed_policy(db)
    name = "providers.practitioner.deactivated" if at else "providers.practitioner.reactivated"
    log.record(
        db, Event(name, details={"practitioner": practitioner.id, "at": clock.iso(at) if at else None, "by": by})
    )
    return True


def _past(verified_at: datetime | None) -> None:
    if verified_at is not None and verified_at > clock.now():
        raise Invalid(fields={"verified_at": "Enter the day it was verified, not one to come."})


def _span(starts_at: datetime | None, ends_at: datetime | None) -> datetime:
    starts_at = starts_at or clock.now()
    if ends_at is not None and ends_at <= starts_at:
        raise Invalid(fields={"ends_at": "The end must be after the start."})
    return starts_at


def _changed(db: Session, provider_id: str | None, details: dict[str, object]) -> None:
    db.flush()
    epochs.changed_policy(db)
    log.record(db, Event("providers.provider.changed", provider=provider_id, details=details))
