"""Confirming an address while registering: the same answer for every address, known or not (security.md 9)."""

from fastapi import APIRouter, Request, Response

from idp.errors import Invalid, TooMany
from idp.registration import addresses, journey
from idp.web import pages
from idp.web.boundary import Transaction
from idp.web.forms import TheForm
from idp.web.guards import MaybeVisitor, open_to_anyone
from idp.web.registration.shared import PATHS, address, at, shown

router = APIRouter()
_ANYONE = "people without an account confirm their address; bound to this browser"


@router.get("/register/email")
@open_to_anyone(_ANYONE)
def email_page(request: Request, db: Transaction, found: MaybeVisitor, r: str = "") -> Response:
    """Ask for the address."""
    try:
        here = at(request, db, r, "email", found)
    except journey.StepMissing as early:
        return pages.go(request, f"{PATHS[early.step]}?r={r}")
    return pages.page(request, "register/email.html", typed=here.email, **shown(db, here, "email"))


@router.post("/register/email")
@open_to_anyone(_ANYONE)
def ask(request: Request, db: Transaction, found: MaybeVisitor, form: TheForm) -> Response:
    """Mail a code and ask for it, whoever has the address."""
    here = at(request, db, form.get("r", ""), "email", found)
    try:
        addresses.ask(db, here, form.get("email", "")[:254])
    except (Invalid, TooMany) as problem:
        context = {"typed": form.get("email", "")[:254], **shown(db, here, "email")}
        problem.page, problem.context = "register/email.html", context
        raise
    return pages.go(request, f"/register/email/code?r={here.id}")


@router.get("/register/email/code")
@open_to_anyone(_ANYONE)
def code_page(request: Request, db: Transaction, found: MaybeVisitor, r: str = "") -> Response:
    """Ask for the code; the link of the mail leads here, and works in this browser only."""
    try:
        here = at(request, db, r, "email", found)
    except journey.StepMissing as early:
        return pages.go(request, f"{PATHS[early.step]}?r={r}")
    if here.status == "started":
        return pages.go(request, address("email", here))
    if "email" in here.steps:
        return pages.go(request, address("login", here))
    return pages.page(request, "register/code.html", address=here.email, **shown(db, here, "email"))


@router.post("/register/email/code")
@open_to_anyone(_ANYONE)
def confirm(request: Request, db: Transaction, found: MaybeVisitor, form: TheForm) -> Response:
    """Spend the code."""
    here = at(request, db, form.get("r", ""), "email", found)
    try:
        addresses.confirm(db, here, form.get("code", "")[:32])
    except Invalid as problem:
        context = {"address": here.email, **shown(db, here, "email")}
        problem.page, problem.context = "register/code.html", context
        raise
    return pages.go(request, address("login", here))
