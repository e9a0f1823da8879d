"""A company asks a practice, by its TIN, to let it work for it; it sees its requests and takes them back (W-6)."""

# ruff: noqa: FAST003 - the guard in the signature takes `c`

from typing import Any

from fastapi import APIRouter, Request, Response
from sqlmodel import Session as Db

from idp.errors import Conflict, Invalid, TooMany
from idp.providers.tables import LINES
from idp.wam import delegation_requests
from idp.web import pages, scopes
from idp.web.boundary import Transaction
from idp.web.company.guard import Decides, For
from idp.web.forms import Form, TheForm

router = APIRouter()


@router.get("/company/{c}/requests/new")
def ask_page(request: Request, db: Transaction, at: Decides) -> Response:
    """Ask which practice, for what and until when."""
    return pages.page(request, "company/ask.html", **_facts(db, at, None))


@router.post("/company/{c}/requests/new")
def ask(request: Request, db: Transaction, at: Decides, form: TheForm) -> Response:
    """Send it; the answer is the same whether we know the practice or not."""
    tin, note = form.of("tin", "note")
    with pages.shown_again("company/ask.html", lambda: _facts(db, at, form), Invalid, Conflict, TooMany):
        delegation_requests.ask(
            db,
            by=at.visitor.account.id,
            partner_id=at.company.id,
            tin=tin,
            scope=scopes.read(db, form, places=False),
            note=note,
        )
    return pages.go(request, f"/company/{at.company.id}")


@router.post("/company/{c}/requests/{x}/take-back")
def take_back(request: Request, db: Transaction, at: Decides, x: str, form: TheForm) -> Response:
    """Take a request back."""
    delegation_requests.withdraw(db, by=at.visitor.account.id, partner_id=at.company.id, request_id=x[:64])
    return pages.go(request, f"/company/{at.company.id}")


def _facts(db: Db, at: For, form: Form | None) -> dict[str, Any]:
    tin, note = form.of("tin", "note") if form is not None else ("", "")
    return {
        "typed": {"tin": tin[:20], "note": note[:200]},
        "problem": None,
        **at.frame,
        **scopes.choices(db, delegation_requests.askable(db), LINES, (), form),
    }
