"""Continuity of care: a non-participating organisation goes on with a patient's treatment, for a time (O-08)."""

from datetime import datetime, timedelta

from sqlalchemy import and_, or_
from sqlmodel import Session, col, select

from idp import clock
from idp.audit import log
from idp.audit.events import Event
from idp.errors import Conflict, Invalid
from idp.providers import organisations
from idp.providers.tables import Agreement, Participation, PortalAccess

LONGEST = timedelta(days=366)
"""A treatment that goes on for longer is decided anew."""


def allow(
    db: Session,
    provider_id: str,
    line: str,
    *,
    by: str,
    reference: str,
    ends_at: datetime,
    starts_at: datetime | None = None,
) -> PortalAccess:
    """Open a line for a time, with an agreement of the same dates; only what is meant for such organisations follows.

    `reference` is the insurer's number of the case, nothing clinical. Raises Invalid without an end or a
    reference, or beyond a year; Conflict where the organisation participates in that time and needs no exception.
    """
    starts_at = starts_at or clock.now()
    fields = {}
    if not reference.strip():
        fields["reference"] = "Enter the number of the continuity case."
    if ends_at <= starts_at or ends_at - starts_at > LONGEST:
        fields["ends_at"] = "Enter an end after the start, at most a year later."
    if fields:
        raise Invalid(fields=fields)
    if participates(db, provider_id, line, starts_at, ends_at):
        raise Conflict("This organization participates in the network in that time. Nothing needs to be opened.")
    opened = organisations.open_portal(
        db,
        provider_id,
        line,
        by=by,
        starts_at=starts_at,
        ends_at=ends_at,
        basis="continuity",
        reference=reference.strip()[:60],
    )
    agreement = organisations.agree(db, provider_id, line, starts_at=starts_at, ends_at=ends_at, basis="continuity")
    log.record(
        db,
        Event(
            "providers.continuity.allowed",
            provider=provider_id,
            details={"line": line, "portal": opened.id, "agreement": agreement.id, "until": clock.iso(ends_at)},
        ),
    )
    return opened


def set_end(db: Session, opened: PortalAccess, ends_at: datetime) -> bool:
    """Move the end of a continuity opening and of its agreement together; return whether it differed."""
    if ends_at - opened.starts_at > LONGEST:
        raise Invalid(fields={"ends_at": "Enter an end at most a year after the start."})
    agreements = db.exec(
        select(Agreement).where(
            col(Agreement.provider_id) == opened.provider_id,
            col(Agreement.line) == opened.line,
            col(Agreement.basis) == "continuity",
            col(Agreement.starts_at) == opened.starts_at,
        )
    ).all()
    for agreement in agreements:
        organisations.set_end(db, agreement, ends_at)
    return organisations.set_end(db, opened, ends_at)


def participates(db: Session, provider_id: str, line: str, starts_at: datetime, ends_at: datetime) -> bool:
    """Say whether a participation covers any moment of a span."""
    found = db.exec(
        select(Participation.id).where(
            col(Participation.provider_id) == provider_id,
            col(Participation.line) == line,
            and_(
                col(Participation.starts_at) < ends_at,
                or_(col(Participation.ends_at).is_(None), col(Participation.ends_at) > starts_at),
            ),
        )
    )
    return found.first() is not None
