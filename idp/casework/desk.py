"""The desk's view of cases: what is open, one case, taking it up, notes, naming the person."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy import ColumnElement, or_
from sqlmodel import Session as Db
from sqlmodel import col, select
from sqlmodel.sql.expression import SelectOfScalar

from idp import clock
from idp.accounts import humans
from idp.accounts.tables import Account
from idp.audit import log
from idp.audit.events import Event
from idp.cases import file, opening
from idp.cases.tables import CaseAppeal, CaseQuestion, SecurityCase
from idp.errors import Conflict, Invalid, NotFound
from idp.wam import roster

WORKED = ("new", "investigating", "waiting")
"""Statuses of cases that are the desk's; a private question is not."""
_MOST = 200


@dataclass(frozen=True, slots=True)
class Line:
    """One case of the queue."""

    case: SecurityCase
    name: str
    overdue: bool
    appealed: bool
    answered: bool
    """Somebody who was asked has answered."""
    overturned: bool
    """An appeal found the decision wrong."""


def queue(db: Db, *, by: str) -> list[Line]:
    """Return the desk's open cases, those due first; never one about the reader."""
    query = select(SecurityCase).where(col(SecurityCase.status).in_(WORKED), not_about(by))
    order = (col(SecurityCase.triaged_at).is_not(None), col(SecurityCase.triage_due_at), col(SecurityCase.id))
    return lines(db, db.exec(query.order_by(*order).limit(_MOST)).all())


def of_person(db: Db, account_id: str, *, but: str = "") -> list[Line]:
    """Return every case about a person, newest first."""
    query = select(SecurityCase).where(col(SecurityCase.account_id) == account_id, col(SecurityCase.id) != but)
    return lines(db, db.exec(query.order_by(col(SecurityCase.created_at).desc()).limit(_MOST)).all())


def not_about(by: str) -> ColumnElement[bool]:
    """Say of a case that it is not about the reader: nobody of the desk sees or works one about themselves."""
    return or_(col(SecurityCase.account_id).is_(None), col(SecurityCase.account_id).not_in(humans.taken_over(by)))


def lines(db: Db, cases: Sequence[SecurityCase]) -> list[Line]:
    """Return cases as lists show them."""
    ids = {one.account_id for one in cases if one.account_id}
    names = roster.names_of(db, ids)
    appeals = dict(
        db.execute(
            select(CaseAppeal.case_id, CaseAppeal.outcome).where(col(CaseAppeal.case_id).in_([one.id for one in cases]))
        ).all()
    )
    answered = set(db.exec(with_answer().where(col(CaseQuestion.case_id).in_([one.id for one in cases]))).all())
    return [
        Line(
            one,
            names.get(one.account_id or "", "Nobody we know yet"),
            overdue(one),
            one.id in appeals and appeals[one.id] is None,
            one.id in answered,
            appeals.get(one.id) == "overturned",
        )
        for one in cases
    ]


def with_answer() -> SelectOfScalar[str]:
    """Return the query of the cases that have an answer."""
    return select(CaseQuestion.case_id).where(col(CaseQuestion.answered_at).is_not(None))


def overdue(case: SecurityCase) -> bool:
    """Say whether nobody took the case up in time."""
    return case.triaged_at is None and case.triage_due_at is not None and case.triage_due_at <= clock.now()


def seen_by(db: Db, case_id: str, by: str) -> SecurityCase:
    """Return a case for one of the desk; looking is recorded. Raises NotFound, also for a case about the reader."""
    case = db.get(SecurityCase, case_id[:64], populate_existing=True)
    if case is None or _about(db, case, by):
        raise NotFound("There is no case with this id.", then=_refusal(case, by))
    log.record(db, Event("security.case.viewed", account=case.account_id, reason=case.id, details={"case": case.id}))
    return case


def held_by(db: Db, case_id: str, by: str, *, seen: int | None = None) -> SecurityCase:
    """Return a case to work on, kept from others; raise NotFound as `seen_by` does.

    `seen` is the number of entries the reader saw: Conflict where more came since.
    """
    case = file.hold(db, case_id)
    if _about(db, case, by):
        raise NotFound("There is no case with this id.", then=_refusal(case, by))
    if seen is not None and case.entries != seen:
        raise Conflict("Something was added to this case since you opened it. Look at it again, then go on.")
    return case


def _about(db: Db, case: SecurityCase, by: str) -> bool:
    return case.account_id is not None and case.account_id in humans.same(db, by)


def _refusal(case: SecurityCase | None, by: str) -> tuple[partial[None], ...]:
    if case is None:
        return ()
    event = Event(
        "security.case.refused", outcome="refused", account=case.account_id, reason=case.id, details={"own": by}
    )
    return (partial(log.record, event=event),)


def take(db: Db, case_id: str, *, by: str) -> SecurityCase:
    """Take a case up: its first clock stops. Another may take it over.

    Raises NotFound, Conflict when it is decided, or not the desk's.
    """
    case = _worked(held_by(db, case_id, by))
    if case.worked_by == by:
        raise Conflict("You took this case up already.")
    before, case.worked_by = case.worked_by, by
    case.triaged_at = case.triaged_at or clock.now()
    if case.status == "new":
        case.status = "investigating"
    file.write(db, case, "taken", {"from": before}, by=by)
    return case


def note(db: Db, case_id: str, *, by: str, said: str) -> None:
    """Add a note. Raises NotFound, Invalid, Conflict for a private question."""
    case = not_private(held_by(db, case_id, by))
    said = said.strip()
    if not 3 <= len(said) <= 4000:
        raise Invalid(fields={"said": "Write 3 to 4000 characters."})
    file.write(db, case, "noted", {"said": said}, by=by)


def name(db: Db, case_id: str, *, by: str, account_id: str) -> SecurityCase:
    """Say whom a case without a person is about.

    Raises Invalid for nobody or oneself, Conflict where the person is named or has an open case of this kind.
    """
    case = _worked(held_by(db, case_id, by))
    if case.account_id is not None:
        raise Conflict("This case names its person already.")
    if account_id in humans.same(db, by) or db.get(Account, account_id[:64]) is None:
        raise Invalid(fields={"account": "Enter the id of another person's account; Search finds it by name."})
    if opening.under_way(db, account_id, case.kind) is not None:
        raise Conflict("There is an open case of this kind about this person. Close this one with a pointer to it.")
    case.account_id = account_id
    file.write(db, case, "named", {"account": account_id}, by=by)
    return case


def open_by_hand(db: Db, *, by: str, account_id: str, kind: str, why: str, record: int | None = None) -> SecurityCase:
    """Open a case from the desk, with why, and the record of the log it began with. Raises Invalid."""
    said = " ".join(why.split())
    fields = {}
    if kind not in ("sharing", "takeover", "misuse"):
        fields["kind"] = "Choose what it may be."
    if account_id in humans.same(db, by) or db.get(Account, account_id[:64]) is None:
        fields["account"] = "Enter the id of another person's account; Search finds it by name."
    if not 10 <= len(said) <= 1000:
        fields["why"] = "Say what you saw, in 10 to 1000 characters."
    if fields:
        raise Invalid(fields=fields)
    evidence = {"why": said} | ({"record": record} if record else {})
    return opening.open_case(db, kind=kind, source="desk", account_id=account_id, evidence=evidence, by=by)


def _worked(case: SecurityCase) -> SecurityCase:
    if not_private(case).status not in WORKED:
        raise Conflict("This case is decided.")
    return case


def not_private(case: SecurityCase) -> SecurityCase:
    """Return a case that is the desk's, or was decided by it; raise Conflict for a private question, also once over."""
    if case.status not in (*WORKED, "decided"):
        raise Conflict("This is a question to the person and nothing else: there is nothing to do for the desk.")
    return case
