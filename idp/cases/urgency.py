"""When a case must be taken up, and when those concerned must have heard (domain.md 10)."""

from datetime import datetime

from sqlmodel import Session as Db

from idp import clock, configuration
from idp.cases.tables import SecurityCase
from idp.database import of


def triage_due(db: Db) -> datetime:
    """Return when a case that opens now must be taken up: the end of the next business day."""
    holidays = configuration.current(db).insurer.holidays
    return clock.next_business_day(clock.now(), of(db).settings.time_zone, holidays)


def to_desk(db: Db, case: SecurityCase) -> None:
    """Give a private question to the desk; its clocks begin."""
    if case.status == "question":
        case.status, case.triage_due_at = "new", triage_due(db)
        case.triaged_at = case.escalated_at = case.worked_by = None


def soon(db: Db, case: SecurityCase) -> None:
    """Have a case taken up within hours, unless somebody has."""
    due = clock.now() + configuration.current(db).clocks.case_triage_urgent
    case.triage_due_at = min(due, case.triage_due_at or due)


def owe_notice(db: Db, case: SecurityCase) -> None:
    """Begin the clock by which the person and the practices must have heard of what was done."""
    case.tell_due_at, case.told_at = clock.now() + configuration.current(db).clocks.case_notice, None
