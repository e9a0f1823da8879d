"""The second person's word on an action of a case: wanted too, refused, or never given in time (SE-3)."""

from functools import partial

from sqlalchemy import CursorResult, update
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock
from idp.accounts import humans
from idp.audit import log
from idp.audit.events import Event
from idp.cases import file
from idp.cases.tables import CaseAction, SecurityCase
from idp.casework import acting, desk, roles
from idp.errors import Conflict, NotEntitled, NotFound


def confirm(db: Db, action_id: str, *, by: str, case_id: str | None = None) -> CaseAction:
    """Want an action as the second person: it is done now.

    Raises NotFound, NotEntitled for who asked for it or whom it is about, Conflict when it is done, refused, lapsed,
    no longer wanted by who asked, or the case says otherwise by now; Invalid where an interim manager is needed
    meanwhile and none was chosen.
    """
    case, action = _waiting(db, action_id, by, case_id)
    if by in humans.same(db, action.asked_by):
        event = Event(
            "security.case.refused",
            outcome="refused",
            account=case.account_id,
            reason=case.id,
            details={"action": action.id, "same_person": by},
        )
        raise NotEntitled(
            "Two different people must want this. Ask a colleague.",
            code="own_decision",
            then=(partial(log.record, event=event),),
        )
    acting.may_be_done(case, action.kind)
    if not roles.acts_on_cases(db, action.asked_by):
        raise Conflict("Who asked for this does no longer work here, or may not act on cases. Refuse it, and ask anew.")
    _settle(db, action, "done", by)
    acting.carry_out_and_tell(db, case, action, by)
    return action


def refuse(db: Db, action_id: str, *, by: str, case_id: str | None = None) -> CaseAction:
    """Refuse an action that waits; who asked for it may take it back so. Raises NotFound, Conflict."""
    case, action = _waiting(db, action_id, by, case_id)
    _settle(db, action, "refused", by)
    acting.write(db, case, "action_refused", action, {})
    return action


def lapse(db: Db, limit: int) -> int:
    """Close what no second person wanted in time; return how many."""
    due = db.exec(
        select(CaseAction)
        .where(col(CaseAction.status) == "waiting", col(CaseAction.lapses_at) <= clock.now())
        .limit(limit)
    ).all()
    for action in due:
        case = file.hold(db, action.case_id)
        _settle(db, action, "lapsed", "system", late=True)
        acting.write(db, case, "action_refused", action, {"lapsed": True})
    return len(due)


def _waiting(db: Db, action_id: str, by: str, case_id: str | None) -> tuple[SecurityCase, CaseAction]:
    found = acting.find(db, action_id)
    if case_id is not None and found.case_id != case_id:
        raise NotFound
    case = desk.held_by(db, found.case_id, by)
    db.refresh(found)
    return case, found


def _settle(db: Db, action: CaseAction, status: str, by: str, *, late: bool = False) -> None:
    in_time = col(CaseAction.lapses_at) <= clock.now() if late else col(CaseAction.lapses_at) > clock.now()
    done = db.execute(
        update(CaseAction)
        .where(col(CaseAction.id) == action.id, col(CaseAction.status) == "waiting", in_time)
        .values(status=status, answered_by=by)
        .execution_options(synchronize_session=False)
    )
    assert isinstance(done, CursorResult)
    if done.rowcount != 1:
        raise Conflict("This no longer waits: it was done, refused, or its time is over.")
    db.refresh(action)
