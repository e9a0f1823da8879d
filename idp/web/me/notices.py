"""The addresses a person's notices go to: seen, added with a mailed link, removed."""

from fastapi import APIRouter, Request, Response

from idp.accounts import addresses, linking, people
from idp.errors import Conflict, Invalid, TooMany
from idp.web import pages
from idp.web.boundary import Transaction
from idp.web.forms import TheForm
from idp.web.guards import SignedIn

router = APIRouter()
PATH = "/account/notices"


@router.get(PATH)
def notices(request: Request, db: Transaction, by: SignedIn, sent: str = "", done: str = "") -> Response:
    """List the addresses."""
    found = people.contacts(db, by.account.id)
    return pages.page(request, "account/notices.html", addresses=found, sent=bool(sent), done=done)


@router.get(PATH + "/add")
def add_page(request: Request, db: Transaction, by: SignedIn) -> Response:
    """Ask for an address."""
    linking.require_fresh_proof(db, by.session)
    return pages.page(request, "account/notices_add.html", typed="")


@router.post(PATH + "/add")
def add(request: Request, db: Transaction, by: SignedIn, form: TheForm) -> Response:
    """Mail a link to it."""
    linking.require_fresh_proof(db, by.session)
    [typed] = form.of("email")
    try:
        addresses.ask(db, by.account.id, typed)
    except (Invalid, TooMany) as refusal:
        refusal.page, refusal.context = "account/notices_add.html", {"typed": typed}
        raise
    return pages.go(request, f"{PATH}?sent=1")


@router.get(PATH + "/confirm/{secret}")
def confirm_page(request: Request, db: Transaction, by: SignedIn, secret: str) -> Response:
    """Ask for a click: opening the link changes nothing."""
    proof = addresses.waiting(db, by.account.id, secret)
    return pages.page(request, "account/notices_confirm.html", email=proof.email, secret=secret)


@router.post(PATH + "/confirm/{secret}")
def confirm(request: Request, db: Transaction, by: SignedIn, secret: str, form: TheForm) -> Response:
    """Confirm the address, once."""
    addresses.confirm(db, by.account.id, secret)
    return pages.go(request, f"{PATH}?done=added")


@router.get(PATH + "/{contact_id}/remove")
def remove_page(request: Request, db: Transaction, by: SignedIn, contact_id: str) -> Response:
    """Say what removing an address means."""
    linking.require_fresh_proof(db, by.session)
    contact = addresses.own(db, by.account.id, contact_id)
    return pages.page(request, "account/notices_remove.html", contact=contact)


@router.post(PATH + "/{contact_id}/remove")
def remove(request: Request, db: Transaction, by: SignedIn, contact_id: str, form: TheForm) -> Response:
    """Remove it at once."""
    linking.require_fresh_proof(db, by.session)
    contact = addresses.own(db, by.account.id, contact_id)
    try:
        addresses.remove(db, by.account.id, contact_id)
    except Conflict as refusal:
        refusal.page, refusal.context = "account/notices_remove.html", {"contact": contact}
        raise
    return pages.go(request, f"{PATH}?done=removed")
