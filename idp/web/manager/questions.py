"""An access manager answers security: notice, context, answer, within its time; only what is the practice's (W-10)."""

# ruff: noqa: FAST003 - the guard in the signature takes `p`

from typing import Any

from fastapi import APIRouter, Request, Response
from sqlmodel import Session as Db

from idp.cases import answers, asked, questions, words
from idp.errors import Conflict, Invalid, NotFound
from idp.web import pages
from idp.web.boundary import Transaction
from idp.web.forms import TheForm
from idp.web.guards import Acting
from idp.web.manager import views
from idp.web.manager.guard import Manages, Sees, lines_of

router = APIRouter()
TEMPLATE = "wam/question.html"


@router.get("/p/{p}/questions/{q}")
def page(request: Request, db: Transaction, acting: Sees, q: str) -> Response:
    """Show what is asked, and what was seen at this practice."""
    _manages(db, acting)
    return pages.page(request, TEMPLATE, **_facts(db, acting, q, {}))


@router.post("/p/{p}/questions/{q}")
def answer(request: Request, db: Transaction, acting: Manages, q: str, form: TheForm) -> Response:
    """Show what is about to be sent; then take the answer, once."""
    _manages(db, acting)
    choice, said = form.of("answer", "said")
    by = acting.visitor.account.id
    typed = {"answer": choice[:20], "said": said[: answers.LONGEST]}
    wanted = form.get("go", "")
    if wanted == answers.CHANGE:
        return pages.page(request, TEMPLATE, **_facts(db, acting, q, typed))
    with pages.shown_again(TEMPLATE, lambda: _facts(db, acting, q, typed), Invalid, Conflict):
        if wanted != answers.SEND:
            answers.checked("practice", choice, said)
            return pages.page(request, TEMPLATE, **_facts(db, acting, q, typed) | {"checking": True})
        questions.answer(db, q, "practice", acting.provider.id, by=by, choice=choice, said=said)
    return pages.go(request, f"/p/{acting.provider.id}/questions/{q}")


def waiting(db: Db, acting: Acting) -> list[asked.Asked]:
    """Return what the inbox lists: the questions of the practice that wait for an answer of this reader."""
    by = acting.visitor.account.id
    return asked.of_practice(db, acting.provider.id, reader=by)


def _manages(db: Db, acting: Acting) -> None:
    """An auditor who may look at a practice's people is told nothing of cases."""
    if not lines_of(db, acting):
        raise NotFound


def _facts(db: Db, acting: Acting, q: str, typed: dict[str, str]) -> dict[str, Any]:
    by = acting.visitor.account.id
    return {
        "question": asked.find(db, q, "practice", acting.provider.id, reader=by),
        "answers": words.PRACTICE_ANSWERS,
        "typed": typed,
        "checking": False,
        "problem": None,
        **views.frame(db, acting.provider, by),
    }
