"""What security asks a person about their own login, and their answer (domain.md 10: first findings are a question)."""

from typing import Any

from fastapi import APIRouter, Request, Response
from sqlmodel import Session as Db

from idp.accounts import second_factor
from idp.accounts.assurance import AAL2, meets
from idp.cases import answers, asked, questions, words
from idp.errors import Conflict, Invalid, StepUp
from idp.web import pages
from idp.web.boundary import Transaction
from idp.web.forms import TheForm
from idp.web.guards import SignedIn, Visitor

router = APIRouter()
PATH = "/account/questions"
TEMPLATE = "account/question.html"


@router.get(PATH + "/{q}")
def page(request: Request, db: Transaction, by: SignedIn, q: str) -> Response:
    """Show what is asked."""
    _themselves(db, by)
    return pages.page(request, TEMPLATE, **_facts(db, by, q, {}))


@router.post(PATH + "/{q}")
def answer(request: Request, db: Transaction, by: SignedIn, q: str, form: TheForm) -> Response:
    """Show what is about to be sent; then take the answer, once."""
    _themselves(db, by)
    choice, said = form.of("answer", "said")
    typed = {"answer": choice[:20], "said": said[: answers.LONGEST]}
    me = by.account.id
    wanted = form.get("go", "")
    if wanted == answers.CHANGE:
        return pages.page(request, TEMPLATE, **_facts(db, by, q, typed))
    with pages.shown_again(TEMPLATE, lambda: _facts(db, by, q, typed), Invalid, Conflict):
        if wanted != answers.SEND:
            answers.checked("person", choice, said)
            return pages.page(request, TEMPLATE, **_facts(db, by, q, typed) | {"checking": True})
        questions.answer(db, q, "person", me, by=me, choice=choice, said=said)
    return pages.go(request, f"{PATH}/{q}")


def to_do(db: Db, account_id: str) -> list[tuple[str, str]]:
    """Return the questions that wait for this person, as things to do: sentence and address."""
    waiting = asked.of_person(db, account_id)
    return [("Answer a question about your sign-ins", f"{PATH}/{one.id}") for one in waiting]


def _themselves(db: Db, by: Visitor) -> None:
    """Require the second step of who has one: somebody with the password alone must not answer "it was me"."""
    if not meets(by.session.acr, AAL2) and second_factor.has(db, by.account.id):
        raise StepUp("Confirm it's you. You come straight back to this page.", acr=AAL2)


def _facts(db: Db, by: Visitor, q: str, typed: dict[str, str]) -> dict[str, Any]:
    me = by.account.id
    return {
        "question": asked.find(db, q, "person", me, reader=me),
        "answers": words.PERSON_ANSWERS,
        "typed": typed,
        "checking": False,
        "problem": None,
    }
