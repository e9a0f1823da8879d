"""What time does to a company's request to work for a practice: reminders, escalation, expiry (W-6)."""

import functools

from sqlmodel import Session, col, select

from idp import clock, configuration
from idp.notices import outbox
from idp.partners.tables import Partner
from idp.wam import delegation_requests, waiting
from idp.wam.tables import DelegationRequest


def expire(db: Session) -> int:
    """Close requests nobody answered in time; return how many."""
    due = db.exec(
        select(DelegationRequest)
        .where(col(DelegationRequest.status) == "requested", col(DelegationRequest.expires_at) <= clock.now())
        .limit(waiting.BATCH)
    ).all()
    closed = [row for row in due if delegation_requests.take(db, row, status="expired", by="system")]
    for row in closed:
        delegation_requests.record(db, "wam.delegation.request_ended", row, "system")
        delegation_requests.tell_company(db, row, "delegation_unanswered")
    return len(closed)


def tend(db: Session) -> int:
    """Remind practices of requests that wait, then tell the insurer; return how many steps were taken."""
    return waiting.tend(
        db, DelegationRequest, "requested", functools.partial(_remind, db), functools.partial(_escalate, db)
    )


def _remind(db: Session, row: DelegationRequest) -> None:
    partner = db.get(Partner, row.partner_id)
    if partner is not None:
        delegation_requests.tell_practice(db, row, partner)


def _escalate(db: Session, row: DelegationRequest) -> None:
    """Tell the insurer, where there is such a practice; the company learns neither."""
    provider, partner = delegation_requests.practice_of(db, row), db.get(Partner, row.partner_id)
    if provider is None or partner is None:
        return
    facts = {"company": partner.name, "provider": provider.name, "request": row.id}
    here = configuration.current(db).insurer.help_email
    outbox.send(db, row.asked_by, "delegation_escalated", facts, to=(here,))
    delegation_requests.record(db, "wam.delegation.request_escalated", row, "system", provider_id=provider.id)
