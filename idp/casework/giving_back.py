"""Give back what a case paused or held, once it is known that the suspicion was wrong (SE-3)."""

from datetime import datetime

from sqlmodel import Session as Db
from sqlmodel import col, select

from idp.accounts import humans, moved
from idp.accounts.tables import Login
from idp.audit.tables import AuditRecord
from idp.cases import context, holds
from idp.cases.tables import CaseAction, SecurityCase
from idp.casework import acting
from idp.entitlements import pauses

_BACK = {"pause_access": "resume_access", "hold_login": "release_login", holds.PUT: holds.LIFTED}
"""What was done -> what takes it back. Everything else comes back only by somebody's hand: `cases.remaining`."""


def give(db: Db, case: SecurityCase, *, by: str, reason: str) -> list[CaseAction]:
    """Take back every pause and hold of a held case that still stands, in this transaction; return what was done.

    What another case wants, too, stays; so does a login that somebody else had stopped, or a partner spoke of since.
    """
    rows = [row for row in acting.of_case(db, case.id) if row.status == "done" and row.kind in _BACK]
    given = []
    for kind, target in dict.fromkeys((row.kind, row.target) for row in rows):
        if not _ours(db, case, kind, target):
            continue
        action = CaseAction(case_id=case.id, kind=_BACK[kind], target=target, asked_by=by, reason=reason)
        db.add(action)
        db.flush()
        acting.carry_out(db, case, action, by)
        given.append(action)
    return given


def _ours(db: Db, case: SecurityCase, kind: str, target: str) -> bool:
    """Say whether something still stands by this case, and by nothing else."""
    who = context.person(db, case)
    if kind == "hold_login":
        login = db.get(Login, target, with_for_update=True, populate_existing=True)
        if login is None or login.ended_at is not None or login.held_because != moved.SECURITY:
            return False
        # Who stopped it before the case did is not known any more, or says that it changed hands: not ours to open.
        put = next(row for row in _history(db, who, (kind,), target) if row.case_id == case.id)
        at = put.created_at
        return not login.held_facts and login.held_at is not None and login.held_at >= at and not _heard(db, login, at)
    if kind == holds.PUT:
        history = _history(db, who, (holds.PUT, holds.LIFTED), "")
        return bool(history) and (history[-1].kind, history[-1].case_id) == (holds.PUT, case.id)
    wanted: set[str] = set()
    for row in _history(db, who, (kind, _BACK[kind]), target):
        wanted = wanted | {row.case_id} if row.kind == kind else set()
    others = [db.get_one(SecurityCase, one) for one in wanted - {case.id}]
    if case.id not in wanted or any(one.decision != "innocent" for one in others):
        return False
    return bool(pauses.desk_pauses(db, who, target))


def _heard(db: Db, login: Login, since: datetime) -> bool:
    """Say whether a partner said anything about the person since: then the login is access support's to judge."""
    query = select(AuditRecord.seq).where(
        col(AuditRecord.account_id) == login.account_id,
        col(AuditRecord.event) == "signals.partner.heard",
        col(AuditRecord.at) >= since,
    )
    return db.exec(query.limit(1)).first() is not None


def _history(db: Db, who: str, kinds: tuple[str, ...], target: str) -> list[CaseAction]:
    """Return what was done of these kinds about one thing of a person, in any case of theirs, oldest first."""
    cases = select(SecurityCase.id).where(col(SecurityCase.account_id).in_(humans.same(db, who)))
    rows = db.exec(
        select(CaseAction)
        .where(
            col(CaseAction.case_id).in_(cases),
            col(CaseAction.kind).in_(kinds),
            col(CaseAction.target) == target,
            col(CaseAction.status) == "done",
        )
        .order_by(col(CaseAction.done_at), col(CaseAction.id))
    )
    return list(rows.all())
