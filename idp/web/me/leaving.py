"""I no longer work here, I no longer qualify, close my account: one step each, with what it ends shown first (RU-9)."""

from typing import Any

from fastapi import APIRouter, Request, Response
from sqlmodel import Session as Db

from idp import clock
from idp.accounts import linking, sessions
from idp.errors import Conflict, Invalid, NotFound
from idp.leaving import people, telling
from idp.providers import affiliations
from idp.providers.tables import Provider
from idp.web import cookies, pages
from idp.web.boundary import Transaction, service_of
from idp.web.forms import TheForm
from idp.web.guards import SignedIn, Visitor
from idp.web.me import access

router = APIRouter()
WHOLE = {"everything": "I don't work for any of these practices any more", "not-eligible": "I no longer qualify"}


@router.get("/account/leave")
def leave_page(request: Request, db: Transaction, by: SignedIn) -> Response:
    """List what a person may end by themselves."""
    return pages.page(request, "account/leave.html", practices=access.practices(db, by.account.id))


@router.get("/account/leave/{what}")
def ask(request: Request, db: Transaction, by: SignedIn, what: str) -> Response:
    """Show what would end, before anything does."""
    return pages.page(request, "account/leave_confirm.html", **_facts(db, by, what))


def _facts(db: Db, by: Visitor, what: str) -> dict[str, Any]:
    account_id = by.account.id
    whole = what in WHOLE or what == "close"
    if whole:
        linking.require_fresh_proof(db, by.session)
    provider = None if whole else db.get(Provider, what)
    tied = {a.provider_id for a in affiliations.in_force(db, account_id, clock.now())}
    if not whole and (provider is None or provider.id not in tied):
        raise NotFound
    held = access.practices(db, account_id)
    touched = [one for one in held if whole or (provider is not None and one.provider.id == provider.id)]
    barred = [one.name for one in telling.sole(db, account_id) if whole or (provider and one.id == provider.id)]
    return {
        "what": what,
        "at": provider.name if provider else None,
        "touched": touched,
        "functions": sum(len(one.functions) for one in touched),
        "sessions": len(sessions.live_of(db, account_id)),
        "barred": barred,
    }


@router.post("/account/leave/{what}")
def leave(request: Request, db: Transaction, by: SignedIn, what: str, form: TheForm) -> Response:
    """End it, at once."""
    facts = _facts(db, by, what)
    account_id = by.account.id
    if facts["barred"]:
        raise Conflict("You are the only access manager. Name a successor first, or call us.")
    if form.get("sure") != "yes":
        problem = {"sure": "Check the box to say that you mean it."}
        raise Invalid(fields=problem, page="account/leave_confirm.html", context=facts)
    if facts["at"] is not None:
        people.leave(db, account_id, what, reason="left", by=account_id)
        return pages.go(request, "/account")
    if what == "close":
        people.close_for_good(db, account_id, by=account_id)
    else:
        people.cease(db, account_id, because="left" if what == "everything" else "not_eligible", by=account_id)
    response = pages.go(request, "/signed-out")
    cookies.drop(response, service_of(request).settings, cookies.SESSION)
    return response
