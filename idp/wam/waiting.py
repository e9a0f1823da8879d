"""What time does to a request that waits for an answer: reminders, then escalation (domain.md 7); once each."""

from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from sqlalchemy import CursorResult, update
from sqlmodel import Session, col, select

from idp import clock, configuration
from idp.wam.tables import AccessRequest, DelegationRequest

BATCH = 100
Waits = TypeVar("Waits", AccessRequest, DelegationRequest)


def tend(
    db: Session, kind: type[Waits], status: str, say: Callable[[Waits], None], escalate: Callable[[Waits], None]
) -> int:
    """Take each step that is due for requests in this status; return how many. Ten workers take each once."""
    now, steps, touched = clock.now(), _steps(db), 0
    for number, after in enumerate(steps, 1):
        due = select(kind).where(
            col(kind.status) == status,
            col(kind.reminded) == number - 1,
            col(kind.created_at) <= now - after,
            col(kind.expires_at) > now,
        )
        for request in db.exec(due.limit(BATCH)).all():
            if _step(db, kind, request, status, number):
                (escalate if number == len(steps) else say)(request)
                touched += 1
    return touched


def _steps(db: Session) -> tuple[timedelta, ...]:
    clocks = configuration.current(db).clocks
    return (*clocks.application_reminders, clocks.application_escalates)


def _step(db: Session, kind: type[Waits], request: Waits, status: str, number: int) -> bool:
    taken = db.execute(
        update(kind)
        .where(col(kind.id) == request.id, col(kind.status) == status, col(kind.reminded) == number - 1)
        .values(reminded=number)
        .execution_options(synchronize_session=False)
    )
    assert isinstance(taken, CursorResult)
    db.refresh(request)
    return taken.rowcount == 1
