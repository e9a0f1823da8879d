"""How long a case and its frozen evidence are kept, and whose words may not be made unreadable yet (domain.md 7, 10).

A case is kept for years from its last effect: its newest entry, or as long as anything it paused or holds still
stands. Then its rows go together, and the log says that they went; what the log itself says of it goes with the log's
own months. Held records stay, whatever their age. For operators: it needs the rights of the tables' owner.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import delete, func, update
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock, configuration
from idp.accounts import humans, moved
from idp.accounts.tables import Account, Login
from idp.audit import holds as legal
from idp.audit import log, rights, shredding
from idp.audit.events import Event
from idp.audit.tables import SubjectKey
from idp.cases import file, holds, standing, telling
from idp.cases.tables import OPEN, CaseAction, CaseAppeal, CaseEntry, CaseLabel, CaseQuestion, SecurityCase
from idp.database import Database, transaction
from idp.database.guards import unguarded
from idp.entitlements import pauses
from idp.errors import Conflict, Invalid, NotFound
from idp.notices.tables import Outbox
from idp.security import forgetting

_PARTS = (CaseLabel, CaseAppeal, CaseAction, CaseQuestion, CaseEntry)
_OVER = ("decided", "closed")


@dataclass(frozen=True, slots=True)
class Destroyed:
    """What one destroying did."""

    before: datetime
    cases: int
    held: int
    """Cases of that time that a legal hold keeps."""
    standing: int
    """Cases of that time by which something is still paused or held."""


def oldest_kept(db: Db) -> datetime:
    """Return the first moment of a last effect that may not be destroyed: so many years ago today."""
    today = clock.now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    year = today.year - configuration.current(db).clocks.case_kept_years
    try:
        return today.replace(year=year)
    except ValueError:  # 29 February
        return today.replace(year=year, day=28)


def destroy(database: Database, before: datetime | None = None) -> Destroyed:
    """Destroy the cases whose last effect was before a moment, in one transaction, each with a record.

    Raises Invalid for a moment that is too young, Refused where this role does not own the tables, Conflict under a
    hold on the whole log.
    """
    with transaction(database) as db:
        limit = oldest_kept(db)
        moment = limit if before is None else before.astimezone(UTC)
        if moment > limit:
            raise Invalid(f"Cases are kept: nothing with an effect from {limit:%Y-%m-%d} on can be destroyed.")
        rights.need_owner(db, "Destroying cases")
        if legal.held(db).everything:
            raise Conflict("A legal hold is on the whole log. Lift it first.")
        gone = held = standing = 0
        with unguarded(db, "case_entry"):
            for case_id in _over(db, moment):
                case = file.hold(db, case_id)
                if _held(db, case):
                    held += 1
                elif stands(db, case):
                    standing += 1
                else:
                    _destroy(db, case)
                    gone += 1
    return Destroyed(moment, gone, held, standing)


def _over(db: Db, before: datetime) -> list[str]:
    """Return the cases that are over and had their last effect before a moment, oldest first."""
    last = select(func.max(col(CaseEntry.at))).where(col(CaseEntry.case_id) == col(SecurityCase.id)).scalar_subquery()
    waits = select(CaseAppeal.case_id).where(col(CaseAppeal.decided_at).is_(None))
    query = select(SecurityCase.id).where(
        col(SecurityCase.status).in_(_OVER), last < before, col(SecurityCase.id).not_in(waits)
    )
    return list(db.exec(query.order_by(col(SecurityCase.created_at), col(SecurityCase.id))).all())


def _held(db: Db, case: SecurityCase) -> bool:
    """Say whether a legal hold names the person, by any account of theirs, or a practice the case is about."""
    found = legal.held(db)
    if case.account_id is None:
        return bool(found.accounts or found.providers)  # nobody can say that it is not about them
    everyone = humans.same(db, case.account_id)
    if everyone & found.accounts:
        return True
    if not found.providers:
        return False
    asked = db.exec(select(CaseQuestion.whom).where(col(CaseQuestion.case_id) == case.id)).all()
    about = db.exec(select(CaseAction.target).where(col(CaseAction.case_id) == case.id)).all()
    return bool(found.providers & {*asked, *about}) or any(log.seen_at(db, one, found.providers) for one in everyone)


def stands(db: Db, case: SecurityCase) -> bool:
    """Say whether something that a case paused or put on hold is so still, be it for another reason, too."""
    query = select(CaseAction.kind, CaseAction.target).where(
        col(CaseAction.case_id) == case.id, col(CaseAction.status) == "done"
    )
    who = humans.survivor(db, case.account_id) if case.account_id else ""
    for kind, target in db.execute(query).all():
        if kind == "pause_access" and pauses.desk_pauses(db, who, target):
            return True
        if kind == holds.PUT and holds.by_desk(db, who):
            return True
        if kind == "hold_login":
            login = db.get(Login, target)
            if login is not None and login.ended_at is None and login.held_because == moved.SECURITY:
                return True
    return False


def _destroy(db: Db, case: SecurityCase) -> None:
    details = {"case": case.id, "reference": case.reference, "entries": case.entries, "digest": case.head}
    for table in _PARTS:
        db.execute(delete(table).where(col(table.case_id) == case.id))
    db.execute(delete(SecurityCase).where(col(SecurityCase.id) == case.id))
    db.expunge(case)
    log.record(db, Event("security.case.destroyed", reason=case.id, details=details))


def shred(db: Db, account_id: str) -> int:
    """Destroy the keys of a person who has left, of all their accounts; return how many there were.

    Raises Conflict while an account of theirs is in use, a legal hold is on it, a case about them is open or may yet
    be appealed against, or something by one still stands; NotFound where the log keeps nothing personal of them.
    """
    everyone = sorted(humans.same(db, account_id))
    used = select(Account.id).where(col(Account.id).in_(everyone), col(Account.status).not_in(("ceased", "closed")))
    if db.exec(used).first() is not None:
        raise Conflict("This account, or one it was made one with, is in use. Close it first.")
    for case in db.exec(select(SecurityCase).where(col(SecurityCase.account_id).in_(everyone))).all():
        _free(db, case)
    for one in everyone:
        legal.refuse_held(db, one)
    rows = select(SubjectKey.account_id).where(col(SubjectKey.account_id).in_(everyone))
    keys = db.exec(rows.where(col(SubjectKey.key).is_not(None))).all()
    if not keys and db.exec(rows).first() is not None:
        raise Conflict("This person's fields were destroyed before.")
    if not keys:
        raise NotFound("The log keeps no person fields of this account.")
    for one in sorted(keys):
        shredding.shred(db, one)
    _forget(db, everyone)
    return len(keys)


def _forget(db: Db, accounts: list[str]) -> None:
    """Destroy what lies outside the log and the files: reasons of what was done, reports, mails to the person."""
    cases = db.exec(select(SecurityCase.id).where(col(SecurityCase.account_id).in_(accounts))).all()
    for case_id in cases:
        standing.watch(db, case_id)  # the log says with it how the case stands without them
    quick = {"synchronize_session": False}
    db.execute(update(CaseAction).where(col(CaseAction.case_id).in_(cases)).values(reason=""), execution_options=quick)
    forgetting.forget(db, accounts)
    db.execute(delete(Outbox).where(col(Outbox.account_id).in_(accounts)), execution_options=quick)


def _free(db: Db, case: SecurityCase) -> None:
    """Raise Conflict where the evidence of a case is still needed."""
    if case.status in OPEN:
        raise Conflict(f"Case {case.reference} about this person is open: its evidence would be destroyed.")
    appeal = db.exec(select(CaseAppeal).where(col(CaseAppeal.case_id) == case.id)).one_or_none()
    untold = case.tell_due_at is not None and case.told_at is None
    may = case.decision is not None and case.told_at is not None and clock.now() < telling.appeal_until(db, case)
    if untold or (appeal is None and may) or (appeal is not None and appeal.decided_at is None):
        raise Conflict(f"The decision of case {case.reference} may yet be appealed against. Wait until that is over.")
    if stands(db, case):
        raise Conflict(f"What case {case.reference} paused or holds still stands. Its evidence is the reason for it.")
