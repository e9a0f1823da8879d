"""What waits for a second person dies with the suspicion it came from (SE-3)."""

from sqlalchemy import CursorResult, update
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp.cases import file
from idp.cases.tables import CaseAction, SecurityCase


def waiting(db: Db, case: SecurityCase, *, by: str) -> int:
    """Take back every action of a held case that waits for its second person; return how many."""
    found = db.exec(
        select(CaseAction).where(col(CaseAction.case_id) == case.id, col(CaseAction.status) == "waiting")
    ).all()
    taken_back = 0
    for action in found:
        done = db.execute(
            update(CaseAction)
            .where(col(CaseAction.id) == action.id, col(CaseAction.status) == "waiting")
            .values(status="refused", answered_by=by)
            .execution_options(synchronize_session=False)
        )
        assert isinstance(done, CursorResult)
        if done.rowcount != 1:
            continue
        db.refresh(action)
        facts = {"action": action.id, "kind": action.kind, "interim": action.interim_id}
        more = {"target": action.target, "asked_by": action.asked_by, "withdrawn": True}
        file.write(db, case, "action_refused", facts | more, by=by, tell=facts)
        taken_back += 1
    return taken_back
