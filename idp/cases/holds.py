"""Whether the desk holds an account: what it put on hold by a case, only it lets go (SE-3)."""

from sqlmodel import Session as Db
from sqlmodel import col, select

from idp.accounts import humans
from idp.cases.tables import CaseAction, SecurityCase

PUT, LIFTED = "suspend", "lift_hold"


def by_desk(db: Db, account_id: str) -> bool:
    """Say whether the desk put a person on hold and has not let go since, by any account of theirs."""
    cases = select(SecurityCase.id).where(col(SecurityCase.account_id).in_(humans.same(db, account_id)))
    last = db.exec(
        select(CaseAction.kind)
        .where(
            col(CaseAction.case_id).in_(cases),
            col(CaseAction.kind).in_((PUT, LIFTED)),
            col(CaseAction.status) == "done",
            col(CaseAction.done_at).is_not(None),
        )
        .order_by(col(CaseAction.done_at).desc(), col(CaseAction.id).desc())
        .limit(1)
    ).first()
    return last == PUT
