"""Decide an appeal as somebody who had no part in the decision; a won one gives back what was paused (SE-3)."""

from sqlalchemy import CursorResult, update
from sqlmodel import Session as Db
from sqlmodel import col

from idp import clock
from idp.cases import appeals, file, labels, telling, withdrawing
from idp.cases.tables import CaseAppeal
from idp.casework import desk, giving_back
from idp.errors import Conflict


def decide(db: Db, case_id: str, *, by: str, outcome: str, reason: str) -> None:
    """Decide an appeal, once, as another person than any who had part in the decision; the person is told.

    Where the decision was wrong, what the case paused or held is given back in this transaction, and the practices that
    had heard of it hear of this too. What does not come back by itself is named to all of them.

    Raises NotFound without an appeal and for a case about oneself, NotEntitled for who took part, Invalid without
    outcome or reason, Conflict when it was decided.
    """
    case = desk.held_by(db, case_id, by)
    found, said = appeals.judged(db, case.id, by=by, outcome=outcome, reason=reason)
    done = db.execute(
        update(CaseAppeal)
        .where(col(CaseAppeal.id) == found.id, col(CaseAppeal.decided_at).is_(None))
        .values(decided_at=clock.now(), decided_by=by, outcome=outcome)
        .execution_options(synchronize_session=False)
    )
    assert isinstance(done, CursorResult)
    if done.rowcount != 1:
        raise Conflict("Somebody decided this appeal a moment ago.")
    won = outcome == "overturned"
    if won:
        case.decision, case.cause = "innocent", "other"  # the first decision's words stay in the file
        withdrawing.waiting(db, case, by=by)
        labels.put(db, case, by=by, pattern="other")
    file.write(db, case, "appeal_decided", {"outcome": outcome, "reason": said}, by=by, tell={"outcome": outcome})
    given = giving_back.give(db, case, by=by, reason=said) if won else []
    telling.tell_appeal(db, case, f"{appeals.OUTCOMES[outcome]}.", said, given if won else None, by=by)
