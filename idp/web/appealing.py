"""Appeal against a decision by the link of its notice, signed in or not: who was locked out can't sign in to appeal."""

from typing import Any

from fastapi import APIRouter, Request, Response

from idp.cases import appeals, telling, words
from idp.cases.answers import CHANGE, SEND
from idp.errors import Conflict, Invalid
from idp.web import pages
from idp.web.boundary import Transaction
from idp.web.forms import TheForm
from idp.web.guards import MaybeVisitor, open_to_anyone

router = APIRouter()
PATH = "/report/appeal"
FORM = "report/appeal.html"


@router.get(PATH + "/sent", include_in_schema=False)
@open_to_anyone("tells nothing of anybody: what happens after an appeal")
def sent(request: Request, found: MaybeVisitor) -> Response:
    """Say what happens next."""
    return pages.page(request, "report/appealed.html")


@router.get(PATH + "/{token}", include_in_schema=False)
@open_to_anyone("the link proves that its holder reads the account's mail; opening it changes nothing")
def form_page(request: Request, db: Transaction, token: str, found: MaybeVisitor) -> Response:
    """Show what was decided, and ask what is wrong."""
    return pages.page(request, FORM, **_facts(db, token, ""))


@router.post(PATH + "/{token}", include_in_schema=False)
@open_to_anyone("the link proves that its holder reads the account's mail; an appeal is taken once")
def send(request: Request, db: Transaction, token: str, found: MaybeVisitor, form: TheForm) -> Response:
    """Show what is about to be sent; then take the appeal, once."""
    said = form.get("said", "").replace("\r\n", "\n")
    known = _facts(db, token, said[: appeals.LONGEST])
    wanted = form.get("go", "")
    if wanted == CHANGE:
        return pages.page(request, FORM, **known)
    with pages.shown_again(FORM, known, Invalid, Conflict):
        if wanted != SEND:
            appeals.checked(said)
            return pages.page(request, FORM, **known | {"checking": not known["appealed"]})
        appeals.appeal(db, token, said)
    return pages.go(request, PATH + "/sent")


def _facts(db: Transaction, token: str, typed: str) -> dict[str, Any]:
    case = telling.of_token(db, token)
    made = appeals.of_case(db, case.id)
    outcome = appeals.OUTCOMES[made.outcome] if made is not None and made.outcome else ""
    return {
        "token": token,
        "reference": case.reference,
        "decided": "" if outcome else words.DECIDED[case.decision or ""],
        "outcome": outcome,
        "until": telling.appeal_until(db, case),
        "appealed": made is not None,
        "typed": typed,
        "checking": False,
        "problem": None,
    }
