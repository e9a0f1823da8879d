"""What time does to a request for access: reminders, escalation, expiry (domain.md 7)."""

from sqlalchemy import CursorResult, update
from sqlmodel import Session, col, select

from idp import clock, configuration
from idp.audit import log
from idp.audit.events import Event
from idp.notices import outbox
from idp.wam import requests
from idp.wam.tables import AccessRequest

BATCH = 100


def tend(db: Session) -> int:
    """Remind, escalate and expire what has waited; return how many were touched. Ten workers send one mail."""
    clocks, now = configuration.current(db).clocks, clock.now()
    steps = (*clocks.application_reminders, clocks.application_escalates)
    touched = 0
    waiting = select(AccessRequest).where(col(AccessRequest.status) == "submitted")
    for request in db.exec(waiting.where(col(AccessRequest.expires_at) <= now).limit(BATCH)).all():
        if requests.take(db, request, status="expired"):
            _ended(db, request)
            touched += 1
    for number, after in enumerate(steps, 1):
        due = waiting.where(
            col(AccessRequest.reminded) == number - 1,
            col(AccessRequest.created_at) <= now - after,
            col(AccessRequest.expires_at) > now,
        )
        for request in db.exec(due.limit(BATCH)).all():
            if _step(db, request, number):
                _say(db, request, escalate=number == len(steps))
                touched += 1
    return touched


def _step(db: Session, request: AccessRequest, number: int) -> bool:
    taken = db.execute(
        update(AccessRequest)
        .where(
            col(AccessRequest.id) == request.id,
            col(AccessRequest.status) == "submitted",
            col(AccessRequest.reminded) == number - 1,
        )
        .values(reminded=number)
        .execution_options(synchronize_session=False)
    )
    assert isinstance(taken, CursorResult)
    db.refresh(request)
    return taken.rowcount == 1


def _say(db: Session, request: AccessRequest, *, escalate: bool) -> None:
    if not escalate:
        requests.tell(db, "request_waiting", request)
        return
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
