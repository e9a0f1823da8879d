"""What time does to a request for access: reminders, escalation, expiry (domain.md 7)."""

from functools import partial

from sqlmodel import Session, col, select

from idp import clock, configuration
from idp.audit import log
from idp.audit.events import Event
from idp.notices import outbox
from idp.wam import requests, waiting
from idp.wam.tables import AccessRequest
from idp.wam.waiting import BATCH


def tend(db: Session) -> int:
    """Expire, remind of and escalate what has waited; return how many were touched. Ten workers send one mail."""
    now, touched = clock.now(), 0
    over = select(AccessRequest).where(col(AccessRequest.status) == "submitted", col(AccessRequest.expires_at) <= now)
    for request in db.exec(over.limit(BATCH)).all():
        if requests.take(db, request, status="expired"):
            _ended(db, request)
            touched += 1
    say, escalate = partial(requests.tell, db, "request_waiting"), partial(_escalate, db)
    return touched + waiting.tend(db, AccessRequest, "submitted", say, escalate)


def _escalate(db: Session, request: AccessRequest) -> None:
    facts = requests.facts_of(db, request)
    outbox.send(db, request.account_id, "request_escalated", facts, to=(configuration.current(db).insurer.help_email,))
    _log(db, "wam.request.escalated", request)


def _ended(db: Session, request: AccessRequest) -> None:
    outbox.send(db, request.account_id, "request_expired", requests.facts_of(db, request))
    _log(db, "wam.request.ended", request)


def _log(db: Session, event: str, request: AccessRequest) -> None:
    log.record(
        db,
        Event(
            event,
            account=request.account_id,
            provider=request.provider_id,
            entitlement=request.entitlement,
            details={"request": request.id, "line": request.line, "status": request.status},
        ),
    )
