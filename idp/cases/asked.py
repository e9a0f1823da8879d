"""A question of a case as its reader sees it: the person it was put to, or a practice's access managers."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock
from idp.accounts import humans
from idp.accounts.tables import Account
from idp.audit import log
from idp.cases.tables import OPEN, CaseQuestion, SecurityCase
from idp.envelope import open_with
from idp.errors import NotFound


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as its reader sees it."""

    id: str
    reference: str
    about: str
    """The person's name; empty on their own page."""
    seen: tuple[str, ...]
    rows: tuple[Mapping[str, str], ...]
    asked_at: datetime
    due_at: datetime
    answer: str | None
    answered_at: datetime | None
    answered_by: str
    over: bool
    """It can't be answered any more: too late, or the case is decided."""

    @property
    def open(self) -> bool:
        """Say whether an answer is still awaited."""
        return self.answer is None and not self.over


def of_person(db: Db, account_id: str) -> list[Asked]:
    """Return what a person is asked and has yet to answer, by any account of theirs, newest first."""
    return _open(db, _of(db, "person", humans.same(db, account_id)))


def of_practice(db: Db, provider_id: str, *, reader: str) -> list[Asked]:
    """Return what a practice's access managers are asked and have yet to answer, newest first; not about the reader."""
    own = humans.same(db, reader)
    return _open(db, (one for one in _of(db, "practice", (provider_id,)) if one.owner not in own))


def _of(db: Db, audience: str, whom: Collection[str]) -> list[CaseQuestion]:
    query = select(CaseQuestion).where(
        col(CaseQuestion.audience) == audience,
        col(CaseQuestion.whom).in_(whom),
        col(CaseQuestion.answered_at).is_(None),
        col(CaseQuestion.closed_at).is_(None),
        col(CaseQuestion.due_at) > clock.now(),
    )
    return list(db.exec(query.order_by(col(CaseQuestion.created_at).desc())).all())


def _open(db: Db, questions: Iterable[CaseQuestion]) -> list[Asked]:
    return [found for found in (_shown(db, one) for one in questions) if found.open]


def find(db: Db, question_id: str, audience: str, whom: str, *, reader: str) -> Asked:
    """Return a question put to this person or practice; anybody else's, or one about a managing reader, is NotFound."""
    return _shown(db, row(db, question_id, audience, whom, reader))


def row(db: Db, question_id: str, audience: str, whom: str, reader: str) -> CaseQuestion:
    """Return the row of a question put to them; raise NotFound as `find` does."""
    found = db.get(CaseQuestion, question_id[:64], populate_existing=True)
    if found is None or found.audience != audience:
        raise NotFound
    if found.whom != whom and not (audience == "person" and found.whom in humans.same(db, whom)):
        raise NotFound
    if audience == "practice" and found.owner in humans.same(db, reader):
        raise NotFound
    return found


def _shown(db: Db, question: CaseQuestion) -> Asked:
    case = db.get_one(SecurityCase, question.case_id)
    key = log.subject_key(db, question.owner)
    shown: dict[str, Any] = {}
    if key is not None and question.shown is not None:
        shown = orjson.loads(open_with(key, bytes(question.shown), place(question.id)))
    account = db.get(Account, case.account_id) if case.account_id and question.audience == "practice" else None
    answerer = db.get(Account, question.answered_by) if question.answered_by else None
    return Asked(
        question.id,
        case.reference,
        account.display_name if account else "",
        tuple(shown.get("seen", ())),
        tuple(shown.get("rows", ())),
        question.created_at,
        question.due_at,
        question.answer,
        question.answered_at,
        answerer.display_name if answerer else "",
        question.closed_at is not None or question.due_at <= clock.now() or case.status not in OPEN,
    )


def place(question_id: str) -> str:
    """Return what the words of a question are sealed to."""
    return f"case_question.shown:{question_id}"
