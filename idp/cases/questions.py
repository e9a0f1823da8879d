"""Ask the person, or a practice's access managers; each question is answered once, in time, by whom it was put to."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import orjson
from sqlalchemy import CursorResult, update
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock, configuration
from idp.accounts import humans
from idp.accounts.tables import Account
from idp.audit import log
from idp.audit.events import Event
from idp.cases import answers, asked, context, file, hearing, urgency
from idp.cases.tables import OPEN, CaseQuestion, SecurityCase
from idp.database import of
from idp.database.inserting import insert_unless_there
from idp.envelope import seal_with
from idp.errors import Conflict, NotFound
from idp.leaving import telling
from idp.notices import outbox, saying
from idp.providers.tables import Provider


def ask_person(db: Db, case: SecurityCase, *, by: str) -> bool:
    """Ask the person, privately; return False where nobody can be, or the question is out already."""
    if case.account_id is None:
        return False
    return _ask(db, case, ("person", case.account_id), context.of_case(db, case), by)


def ask_practice(db: Db, case: SecurityCase, provider_id: str, *, by: str) -> bool:
    """Ask a practice's access managers about their part of it; return False where it is out, or there are none.

    The person themself is never asked as a manager. Raises NotFound for a practice they do not work for.
    """
    if provider_id not in {one.id for one in context.practices(db, case.account_id)}:
        raise NotFound("The person does not work for this practice.")
    if not telling.managers_of(db, provider_id) - humans.same(db, case.account_id or ""):
        return False
    return _ask(db, case, ("practice", provider_id), context.of_case(db, case, provider_id), by)


def _ask(db: Db, case: SecurityCase, to: tuple[str, str], shown: Mapping[str, Any], by: str) -> bool:
    audience, whom = to
    now = clock.now()
    owner = case.account_id or log.NOBODY
    made = CaseQuestion(
        case_id=case.id,
        audience=audience,
        whom=whom,
        owner=owner,
        due_at=now + configuration.current(db).clocks.case_answer,
    )
    key = log.subject_key(db, owner)
    if key is not None:
        made.shown = seal_with(key, orjson.dumps(shown, option=orjson.OPT_SORT_KEYS), asked.place(made.id))
    if not insert_unless_there(db, CaseQuestion, made.model_dump()):
        return False
    body = {
        "question": made.id,
        "audience": audience,
        "whom": whom,
        "shown": dict(shown),
        "due": clock.iso(made.due_at),
    }
    file.write(db, case, "asked", body, by=by, tell={"question": made.id, "audience": audience})
    if case.status in ("new", "investigating"):
        case.status = "waiting"
        db.add(case)
    _mail(db, case, made)
    return True


def _mail(db: Db, case: SecurityCase, question: CaseQuestion) -> None:
    settings = of(db).settings
    facts = {"reference": case.reference, "until": saying.moment(question.due_at, settings.time_zone)}
    if question.audience == "person":
        page = f"{settings.issuer}/account/questions/{question.id}"
        outbox.send(db, humans.survivor(db, question.whom), "case_question", facts | {"page": page})
        return
    provider, account = db.get(Provider, question.whom), db.get(Account, case.account_id)
    facts |= {
        "provider": provider.name if provider else "",
        "name": account.display_name if account else "",
        "page": f"{settings.issuer}/p/{question.whom}/questions/{question.id}",
    }
    for manager in sorted(telling.managers_of(db, question.whom) - humans.same(db, case.account_id or "")):
        outbox.send(db, manager, "case_question_manager", facts)


def of_case(db: Db, case_id: str) -> list[CaseQuestion]:
    """Return every question of a case, oldest first."""
    query = select(CaseQuestion).where(col(CaseQuestion.case_id) == case_id).execution_options(populate_existing=True)
    return list(db.exec(query.order_by(col(CaseQuestion.created_at), col(CaseQuestion.id))).all())


def answer(db: Db, question_id: str, audience: str, whom: str, *, by: str, choice: str, said: str) -> SecurityCase:
    """Take the answer, once and in time; return the case.

    Raises NotFound for a question put to others, Invalid for no choice, Conflict when it was answered, is over its
    time, or the case was decided.
    """
    row = asked.row(db, question_id, audience, whom, by)
    said = answers.checked(audience, choice, said)
    case = file.hold(db, row.case_id)
    now = clock.now()
    done = db.execute(
        update(CaseQuestion)
        .where(
            col(CaseQuestion.id) == row.id,
            col(CaseQuestion.answered_at).is_(None),
            col(CaseQuestion.closed_at).is_(None),
            col(CaseQuestion.due_at) > now,
        )
        .values(answered_at=now, answered_by=by, answer=choice)
        .execution_options(synchronize_session=False)
    )
    assert isinstance(done, CursorResult)
    if done.rowcount != 1 or case.status not in OPEN:
        raise Conflict(_too_late(db, row, case), then=(partial(log.record, event=_refused(case, row)),))
    db.refresh(row)
    body = {"question": row.id, "audience": audience, "answer": choice, "said": said}
    file.write(db, case, "answered", body, by=by, tell={"question": row.id, "answer": choice})
    if case.status == "question":
        _private(db, case, choice)
    _go_on(db, case)
    hearing.answered(db, case)
    return case


def _private(db: Db, case: SecurityCase, choice: str) -> None:
    """Go on from the answer to a private question: "not me" is urgent, anything else ends it there."""
    if choice == "not_me":
        urgency.to_desk(db, case)
        urgency.soon(db, case)
        db.add(case)
        db.flush()
    else:
        close_private(db, case, "The person answered the private question.")


def _too_late(db: Db, row: CaseQuestion, case: SecurityCase) -> str:
    db.refresh(row)
    if row.answer is not None:
        return "This was answered already; the first answer stands."
    if case.status not in OPEN:
        return "This is decided already. If the decision is wrong, appeal against it, or call us."
    return "The time to answer is over. Call us if there is something we should know."


def _refused(case: SecurityCase, row: CaseQuestion) -> Event:
    return Event(
        "security.case.refused",
        outcome="refused",
        account=case.account_id,
        reason=case.id,
        details={"question": row.id},
    )


def _go_on(db: Db, case: SecurityCase) -> None:
    """Give a case back to the desk when nothing is awaited any more."""
    awaited = [one for one in of_case(db, case.id) if one.answered_at is None and one.closed_at is None]
    if not awaited and case.status == "waiting":
        case.status = "investigating"
        db.add(case)
        db.flush()


def close_all(db: Db, case: SecurityCase, *, by: str) -> None:
    """Take back what is still asked: the case is decided. That it was closed, and not too late, is written down."""
    for row in open_of_case(db, case.id):
        if _close(db, col(CaseQuestion.id) == row.id) == 1:
            kept = {"question": row.id, "audience": row.audience}
            file.write(db, case, "question_closed", kept | {"until": clock.iso(row.due_at)}, by=by, tell=kept)
    _close(db, col(CaseQuestion.case_id) == case.id)


def open_of_case(db: Db, case_id: str) -> list[CaseQuestion]:
    """Return the questions of a case that can still be answered in time."""
    now = clock.now()
    return [row for row in of_case(db, case_id) if not row.answered_at and not row.closed_at and row.due_at > now]


def closed_early(row: CaseQuestion) -> bool:
    """Say whether a question was closed by the decision while there was time to answer."""
    return row.closed_at is not None and row.closed_at < row.due_at


def _close(db: Db, which: Any) -> int:
    done = db.execute(
        update(CaseQuestion)
        .where(which, col(CaseQuestion.answered_at).is_(None), col(CaseQuestion.closed_at).is_(None))
        .values(closed_at=clock.now())
        .execution_options(synchronize_session=False)
    )
    assert isinstance(done, CursorResult)
    return done.rowcount


def run_out(db: Db, limit: int) -> int:
    """Close questions nobody answered in time; a private one closes its case. Return how many."""
    due = db.exec(
        select(CaseQuestion)
        .where(
            col(CaseQuestion.answered_at).is_(None),
            col(CaseQuestion.closed_at).is_(None),
            col(CaseQuestion.due_at) <= clock.now(),
        )
        .order_by(col(CaseQuestion.due_at))
        .limit(limit)
    ).all()
    for row in due:
        case = file.hold(db, row.case_id)
        if _close(db, col(CaseQuestion.id) == row.id) != 1:
            continue
        file.write(db, case, "unanswered", {"question": row.id, "audience": row.audience}, by="system")
        _go_on(db, case)
        if case.status == "question":
            close_private(db, case, "The private question was not answered.")
    return len(due)


def close_private(db: Db, case: SecurityCase, why: str) -> None:
    """End a private question that did not become the desk's."""
    case.status, case.closed_at = "closed", clock.now()
    file.write(db, case, "closed", {"why": why}, by="system")
