"""Signing in and out: who are you, your organization, your password."""

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response
from sqlmodel import Session as Db

from idp.accounts import flows, login, second_factor, sessions
from idp.accounts.flows import Kept
from idp.accounts.tables import Flow
from idp.database import transaction
from idp.database.lane import drive
from idp.errors import Invalid, TooMany
from idp.federation import communities, offers
from idp.web import cookies, pages, upstream_logout
from idp.web.boundary import TheService, Transaction, service_of
from idp.web.forms import TheForm
from idp.web.guards import MaybeVisitor, Visitor, open_to_anyone
from idp.web.passkeys import sign_in_form
from idp.web.signing_in import (
    LONGEST_NAME,
    LONGEST_PASSWORD,
    address,
    asked,
    browser_facts,
    by_password,
    journey,
    journey_to,
    shown,
    who,
)
from idp.web.signing_in import signed_in_lately as lately

router = APIRouter()
_ANYONE = "people come here to say who they are"


@router.get("/sign-in")
@open_to_anyone(_ANYONE)
def sign_in(
    request: Request,
    db: Transaction,
    found: MaybeVisitor,
    *,
    flow: str = "",
    where: Annotated[str, Query(alias="next")] = "",
    other: bool = False,
) -> Response:
    """Ask for an e-mail or user name, or an organization."""
    if not flow:
        if found is not None and not other and lately(db, found.session):
            return pages.go(request, where if flows.is_own_path(where) else "/account")
        begun = journey_to(request, db, where)
        return pages.go(request, address("/sign-in", begun) + ("&other=true" if other else ""))
    here = journey(request, db, flow)
    if found is not None and not other and _own_factor_will_do(db, here, found):
        return pages.go(request, address("/sign-in/confirm", here))
    hinted = asked(here, "idp")
    if hinted and not other:
        named = communities.recorded(db, hinted)
        if named is not None:
            return pages.go(request, address(f"/login/{named.id}", here))
        if hinted.startswith(("https://", "http://")):
            return pages.go(request, address("/sign-in/organization", here))
    return pages.page(request, "login/sign_in.html", **_sign_in_page(request, db, here))


def _own_factor_will_do(db: Transaction, here: Flow, found: Visitor) -> bool:
    """Say whether an app that wants a new sign-in gets it by the person's own second step (decisions.md 6).

    Not where the app means to have another person.
    """
    another = asked(here, "id_token_hint") or "select_account" in (asked(here, "prompt") or "").split()
    return here.client_id is not None and not another and second_factor.has(db, found.account.id)


def _sign_in_page(request: Request, db: Transaction, here: Flow) -> dict[str, Any]:
    return sign_in_facts(request, db, here, {"remembered": _remembered(request, db), **shown(db, here)})


def sign_in_facts(request: Request, db: Db, here: Flow | Kept, found: dict[str, Any]) -> dict[str, Any]:
    """Return what the page shows. In the lane `db` knows the settings and reads nothing: what is read is in `found`."""
    hint = (asked(here, "login_hint") or "")[:LONGEST_NAME]
    return {"hint": hint, "passkey": sign_in_form(request, db, here), **found}


def _remembered(request: Request, db: Transaction) -> offers.Offer | None:
    """Return the organization whose login was last used on this device; shown first, named to nobody else."""
    secret = cookies.read(request, service_of(request).settings, cookies.DEVICE)
    found: offers.Offer | None = drive(db, offers.last_used_on(secret))
    return found


@router.post("/sign-in")
@open_to_anyone(_ANYONE)
def say_who(request: Request, db: Transaction, form: TheForm) -> Response:
    """Keep what was typed in the journey; every input gets the same next page (security.md 9).

    The plain case is answered in the lane (plain_sign_in.py), here and at the password.
    """
    here = journey(request, db, form.get("flow", ""))
    typed = form.get("username", "").strip()
    if not typed or len(typed) > LONGEST_NAME:
        raise Invalid(
            fields={"username": "Enter your e-mail or user name."},
            page="login/sign_in.html",
            context=_sign_in_page(request, db, here),
        )
    flows.note(db, here, "identifier", typed)
    return pages.go(request, address("/sign-in/password", here))


@router.get("/sign-in/organizations")
@open_to_anyone(_ANYONE)
def organizations(request: Request, db: Transaction, flow: str = "", q: str = "") -> Response:
    """List the organizations whose logins are accepted; a search page, not a combo box."""
    here = journey(request, db, flow) if flow else journey_to(request, db, "/account")
    found = offers.offered(db, q[:100])
    return pages.page(
        request, "login/organizations.html", found=found[:50], more=len(found) > 50, q=q[:100], **shown(db, here)
    )


@router.get("/sign-in/password")
@open_to_anyone(_ANYONE)
def password(request: Request, db: Transaction, flow: str = "") -> Response:
    """Ask for the password; a known partner domain is offered its organization beside it."""
    here = journey(request, db, flow)
    if "identifier" not in here.facts:
        return pages.go(request, address("/sign-in", here))
    return pages.page(request, "login/password.html", **_password_page(db, here))


def _password_page(db: Transaction, here: Flow) -> dict[str, Any]:
    typed = here.facts["identifier"]
    return {"identifier": typed, "organization": offers.of_domain(db, typed), **shown(db, here)}


@router.post("/sign-in/password")
@open_to_anyone(_ANYONE)
def check_password(request: Request, service: TheService, form: TheForm) -> Response:
    """Sign in with a password; no transaction is open while it is hashed."""
    with transaction(service.database) as db:
        here = journey(request, db, form.get("flow", ""))
        if "identifier" not in here.facts:
            return pages.go(request, address("/sign-in", here))
        again = _password_page(db, here)
    present = who(request)
    try:
        signed_in = login.by_password(
            service.database,
            user_name=here.facts["identifier"],
            password=form.get("password", "")[:LONGEST_PASSWORD],
            browser=browser_facts(request),
            replaces=present.session if present else None,
        )
    except (login.WrongPassword, TooMany) as refusal:
        refusal.page, refusal.context = "login/password.html", again
        raise
    return by_password(request, here.id, signed_in)


@router.get("/sign-out")
@open_to_anyone("shows a button")
def sign_out_page(request: Request, found: MaybeVisitor) -> Response:
    """Ask whether to sign out; GET changes nothing."""
    return pages.page(request, "login/sign_out.html") if found else pages.go(request, "/signed-out")


@router.post("/sign-out")
@open_to_anyone("ends the session it is sent with, if there is one")
def sign_out(request: Request, db: Transaction, found: MaybeVisitor, form: TheForm) -> Response:
    """End the session on the server, and with it every token born from it (security.md 20)."""
    where = "/signed-out"
    if found is not None:
        where += upstream_logout.came_from(request, db, found.session)
        sessions.end(db, found.session, because="signed_out", by=found.account.id)
    response = pages.go(request, where)
    cookies.drop(response, service_of(request).settings, cookies.SESSION)
    return response


@router.get("/signed-out")
@open_to_anyone("says that nobody is signed in any more")
def signed_out(
    request: Request,
    service: TheService,
    why: str = "",
    flow: str = "",
    where: Annotated[str, Query(alias="next")] = "",
) -> Response:
    """Say that the session ended, and why; offer to sign out at the organization too, where it was used."""
    back = "/sign-in?" + urlencode({"next": where}) if flows.is_own_path(where) else "/sign-in"
    there = upstream_logout.there(request, service, flow)
    return pages.page(request, "login/signed_out.html", why=why, back=back, there=there)
