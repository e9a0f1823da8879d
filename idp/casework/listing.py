"""The desk's lists of cases: open, decided, appealed; by person, practice and number; page after page."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, case, literal, or_
from sqlmodel import Session as Db
from sqlmodel import col, func, select

from idp import clock
from idp.cases.tables import CaseAction, CaseAppeal, SecurityCase
from idp.casework import desk
from idp.casework.desk import Line
from idp.errors import Invalid
from idp.providers.tables import Affiliation

PAGE = 50
STATES = {"open": "Open", "decided": "Decided", "appealed": "Appealed"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which cases: their state, and whom they are about."""

    state: str = "open"
    person: str = ""
    practice: str = ""
    """Where the person works or worked."""

    def given(self) -> dict[str, str]:
        """Return it as a query."""
        named = {"state": self.state, "person": self.person, "practice": self.practice}
        return {name: value for name, value in named.items() if value}


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of cases, and after which place the next one begins; "" at the end."""

    lines: Sequence[Line]
    onward: str


def find(db: Db, wanted: Wanted, *, by: str, after: str = "") -> Listed:
    """Return a page, never with a case about the reader. Raises Invalid for a state or place there is none of."""
    if wanted.state not in STATES:
        raise Invalid(fields={"state": "Choose open, decided or appealed."})
    later, moment, newest_first = _order(wanted.state)
    query = select(SecurityCase, later, moment).where(*_conditions(wanted, by))
    if wanted.state == "appealed":
        query = query.join(CaseAppeal, col(CaseAppeal.case_id) == col(SecurityCase.id))
    if after:
        query = query.where(_beyond(after, later, moment, newest_first=newest_first))
    order = (later, moment.desc() if newest_first else moment, col(SecurityCase.id))
    rows = db.execute(query.order_by(*order).limit(PAGE + 1)).all()
    onward = ""
    if len(rows) > PAGE:
        one, number, at = rows[PAGE - 1]
        onward = f"{number}.{clock.micros(at)}.{one.id}"
    return Listed(desk.lines(db, [row[0] for row in rows[:PAGE]]), onward)


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits at the desk for one reader: nothing of a case about themselves is in it."""

    cases: int
    new: int
    """Of them, what nobody took up."""
    answered: int
    """Of them, what somebody answered to."""
    appeals: int


def at_desk(db: Db, *, by: str) -> Waiting:
    """Count what waits at the desk."""
    open_now = select(func.count()).select_from(SecurityCase).where(*_conditions(Wanted(), by))
    new = open_now.where(col(SecurityCase.triaged_at).is_(None))
    answered = open_now.where(col(SecurityCase.id).in_(desk.with_answer()))
    cases, fresh, heard = (int(db.execute(one).scalar_one()) for one in (open_now, new, answered))
    return Waiting(cases, fresh, heard, appeals_waiting(db, by=by))


def appeals_waiting(db: Db, *, by: str) -> int:
    """Return how many appeals wait for an answer, but for those about the reader."""
    query = select(func.count()).select_from(CaseAppeal).join(SecurityCase).where(col(CaseAppeal.decided_at).is_(None))
    return int(db.execute(query.where(desk.not_about(by))).scalar_one())


def second_words(db: Db, *, by: str) -> list[str]:
    """Return the cases with an action that waits for somebody else's word than who asked for it: the reader's, say."""
    query = select(CaseAction.case_id).join(SecurityCase)
    query = query.where(col(CaseAction.status) == "waiting", col(CaseAction.asked_by) != by, desk.not_about(by))
    return list(db.exec(query.distinct().limit(PAGE)).all())


def named(db: Db, reference: str, *, by: str) -> str | None:
    """Return the id of the case people quote by this number; None where there is none, or it is about the reader."""
    plain = reference.strip().upper().replace(" ", "")
    query = select(SecurityCase.id).where(col(SecurityCase.reference) == plain, desk.not_about(by))
    return db.exec(query.where(col(SecurityCase.status) != "question")).one_or_none()


def newest_of(db: Db, accounts: Collection[str], kind: str, *, by: str) -> dict[str, SecurityCase]:
    """Return for each account its newest case of a kind, where it has one; never one about the reader."""
    query = select(SecurityCase).where(
        col(SecurityCase.account_id).in_(accounts),
        col(SecurityCase.kind) == kind,
        col(SecurityCase.status) != "question",
        desk.not_about(by),
    )
    rows = db.exec(query.order_by(col(SecurityCase.created_at), col(SecurityCase.id))).all()
    return {str(row.account_id): row for row in rows}


def _conditions(wanted: Wanted, by: str) -> list[ColumnElement[bool]]:
    states = {"open": desk.WORKED, "decided": ("decided",), "appealed": ("decided",)}[wanted.state]
    found = [desk.not_about(by), col(SecurityCase.status).in_(states)]
    if wanted.person:
        found.append(col(SecurityCase.account_id) == wanted.person)
    if wanted.practice:
        works = select(Affiliation.account_id).where(col(Affiliation.provider_id) == wanted.practice)
        found.append(col(SecurityCase.account_id).in_(works))
    return found


def _order(state: str) -> tuple[Any, Any, bool]:
    """Return what stands later, the moment within it, and whether the newest comes first."""
    if state == "open":  # what nobody took up, by when it must be
        taken = case((col(SecurityCase.triaged_at).is_(None), 0), else_=1)
        return taken, func.coalesce(col(SecurityCase.triage_due_at), col(SecurityCase.created_at)), False
    if state == "appealed":  # what waits for an answer, by when it must have one
        return case((col(CaseAppeal.decided_at).is_(None), 0), else_=1), col(CaseAppeal.due_at), False
    return literal(0), col(SecurityCase.decided_at), True


def _beyond(after: str, later: Any, moment: Any, *, newest_first: bool) -> ColumnElement[bool]:
    try:
        number, at, last = after.split(".", 2)
        rank, when = int(number), clock.from_micros(int(at))
    except (ValueError, OverflowError):
        raise Invalid("This page begins at a place that is not there. Open the list again.") from None
    passed = moment < when if newest_first else moment > when
    same = and_(moment == when, col(SecurityCase.id) > last)
    return or_(later > rank, and_(later == rank, or_(passed, same)))
