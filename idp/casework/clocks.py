"""What time brings to cases: escalation, unanswered questions, notices that are due, second words that never came."""

from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock
from idp.cases import appeals, file, questions, staff, telling
from idp.cases.tables import SecurityCase
from idp.casework import desk, interim_ends, second_words
from idp.database import Database, of, transaction
from idp.notices import outbox, saying

BATCH = 100


def escalate(db: Db, limit: int) -> int:
    """Write to everybody of the desk about cases nobody took up in time, once each; return how many."""
    due = db.exec(
        select(SecurityCase.id)
        .where(
            col(SecurityCase.status).in_(desk.WORKED),
            col(SecurityCase.triaged_at).is_(None),
            col(SecurityCase.escalated_at).is_(None),
            col(SecurityCase.triage_due_at) <= clock.now(),
        )
        .limit(limit)
    ).all()
    settings = of(db).settings
    for case_id in due:
        case = file.hold(db, case_id)
        if not desk.overdue(case) or case.escalated_at is not None:
            continue
        case.escalated_at = clock.now()
        assert case.triage_due_at is not None
        file.write(db, case, "escalated", {"due": clock.iso(case.triage_due_at)}, by="system")
        facts = {
            "reference": case.reference,
            "due": saying.moment(case.triage_due_at, settings.time_zone),
            "page": f"{settings.issuer}/security/cases/{case.id}",
        }
        for reader in staff.readers(db, but={case.account_id or ""}):
            outbox.send(db, reader, "case_overdue", facts)
    return len(due)


STEPS = (questions.run_out, escalate, telling.tell_due, second_words.lapse, appeals.late, interim_ends.tend)
"""Each in a transaction of its own."""


def run(database: Database) -> bool:
    """Take a batch of each step; return whether a step had a full one."""
    more = False
    for step in STEPS:
        with transaction(database) as db:
            more = step(db, BATCH) >= BATCH or more
    return more
