"""Report misuse, signed in or not; lock one's own account; the link in a notice (RU-7, T-38)."""

from typing import Any

from fastapi import APIRouter, Request, Response

from idp import entropy
from idp.accounts.tables import Account
from idp.errors import Invalid, TooMany
from idp.security import reports
from idp.web import cookies, pages
from idp.web.boundary import Transaction, service_of
from idp.web.forms import TheForm
from idp.web.guards import MaybeVisitor, open_to_anyone

router = APIRouter()
FORM = "report/form.html"


@router.get("/report")
@open_to_anyone("whoever sees misuse must be able to say so, signed in or not")
def form_page(request: Request, found: MaybeVisitor) -> Response:
    """Ask what happened; who is signed in may lock their account with it."""
    return pages.page(request, FORM, **_again({}))


def _again(form: dict[str, str]) -> dict[str, Any]:
    return {"form_id": form.get("form_id") or entropy.token(18), "typed": form}


@router.post("/report")
@open_to_anyone("whoever sees misuse must be able to say so; throttled by address")
def send(request: Request, db: Transaction, found: MaybeVisitor, form: TheForm) -> Response:
    """Take the report; a second click finds the first one's receipt."""
    form_id, words, about = form.of("form_id", "words", "about")
    told = reports.Told(form_id, words.replace("\r\n", "\n"), "" if found else about)
    try:
        if found is not None:
            report = reports.by_owner(db, found.account.id, told, lock=form.get("lock") == "yes")
        else:
            report = reports.by_anybody(db, told)
    except (Invalid, TooMany) as refusal:
        refusal.page, refusal.context = FORM, _again(form)
        raise
    return _sent(request, report.receipt, locked=report.locked_at is not None)


def _sent(request: Request, receipt: str, *, locked: bool) -> Response:
    response = pages.go(request, f"/report/sent/{receipt}")
    if locked:
        cookies.drop(response, service_of(request).settings, cookies.SESSION)
    return response


@router.get("/report/sent/{receipt}")
@open_to_anyone("a receipt tells what its holder did, and nothing of an account")
def sent(request: Request, db: Transaction, receipt: str, found: MaybeVisitor) -> Response:
    """Show the receipt number, and what happens next."""
    report = reports.find_receipt(db, receipt)
    return pages.page(request, "report/sent.html", report=report)


@router.get("/report/not-me/{token}")
@open_to_anyone("the link in a notice; opening it changes nothing, since mail scanners open links too")
def not_me_page(request: Request, db: Transaction, token: str, found: MaybeVisitor) -> Response:
    """Ask before the account is locked."""
    mail = reports.of_link(db, token)
    account = db.get(Account, mail.account_id)
    assert account is not None
    return pages.page(request, "report/not_me.html", token=token, name=account.display_name)


@router.post("/report/not-me/{token}")
@open_to_anyone("the link proves that its holder reads the account's mail")
def not_me(request: Request, db: Transaction, token: str, found: MaybeVisitor, form: TheForm) -> Response:
    """Lock the account the notice was about, once."""
    report = reports.by_link(db, token)
    return _sent(request, report.receipt, locked=found is not None and found.account.id == report.about_id)
