"""Passkeys on pages: signing in with one, confirming with one, adding one (ui.md 3.6).

The pages carry the options as data of a form, our script asks the browser, and an ordinary post brings the answer. The
challenge is used up in a transaction of its own before the answer is looked at.
"""

from typing import Any

from fastapi import APIRouter, Request, Response
from sqlmodel import Session as Db

from idp.accounts import (
    ceremonies,
    devices,
    flows,
    linking,
    login,
    opening,
    passkeys,
    recovery_codes,
    stepping_up,
    time_codes,
)
from idp.accounts.assurance import PHR
from idp.accounts.ceremonies import Bound, PasskeyRefused
from idp.accounts.flows import Kept
from idp.accounts.tables import Flow
from idp.database import transaction
from idp.errors import Conflict, Refused
from idp.web import pages
from idp.web.boundary import Service, TheService
from idp.web.forms import Form, TheForm
from idp.web.guards import Visitor, open_to_anyone
from idp.web.signing_in import (
    browser_facts,
    came_in,
    enter,
    journey,
    must_be_signed_in,
    onward,
    shown,
    who,
    with_cookies,
)

router = APIRouter()
_OWN = "requires a session itself: the challenge is used up in a transaction of its own"


def wanted(here: Flow) -> str | None:
    """Return the strength a journey's app or page asked for."""
    acr = (here.facts.get("wants") or {}).get("acr")
    return acr if isinstance(acr, str) else None


def wants_sign_in(here: Flow) -> bool:
    """Say whether the app asked for signing in anew, which the own second step answers (decisions.md 6)."""
    return here.client_id is not None and here.session_id is None


def sign_in_form(request: Request, db: Db, here: Flow | Kept) -> dict[str, str]:
    """Return the form of signing in with a passkey; it names no account and no key."""
    challenge, options = passkeys.to_ask(db, _at_sign_in(request, here), account_id=None, verified=True)
    return {"challenge": challenge, "options": options}


def _at_sign_in(request: Request, here: Flow | Kept) -> Bound:
    return Bound("sign_in", pages.browser_of(request), flow=here.id)


def _mine(purpose: str, request: Request, here: Flow, by: Visitor) -> Bound:
    browser = pages.browser_of(request)
    return Bound(purpose, browser, flow=here.id, session=by.session.id, account=by.account.id)


def confirm_facts(request: Request, db: Db, here: Flow, by: Visitor) -> dict[str, Any]:
    """Return what the page "Confirm it's you" shows: the ways this person has that are strong enough."""
    account_id = by.account.id
    phishing_resistant = wanted(here) == PHR
    form = None
    if passkeys.of_account(db, account_id):
        bound = _mine("confirm", request, here, by)
        challenge, options = passkeys.to_ask(db, bound, account_id=account_id, verified=phishing_resistant)
        form = {"challenge": challenge, "options": options}
    return {
        "name": by.account.display_name,
        "passkey": form,
        "app": not phishing_resistant and bool(time_codes.live(db, account_id)),
        "codes": not phishing_resistant and bool(recovery_codes.recovery_left(db, account_id)),
        "rememberable": opening.may_remember(db, account_id),
        **shown(db, here),
    }


def enroll_facts(request: Request, db: Db, here: Flow, by: Visitor) -> dict[str, Any]:
    """Return what the page "Set up a second step" shows."""
    challenge, options = passkeys.to_add(db, by.account, _mine("enroll", request, here, by))
    return {
        "enrolment": time_codes.begun(db, by.account),
        "passkey": {"challenge": challenge, "options": options},
        "device_name": devices.label_of(request.headers.get("user-agent")),
        "passkey_only": wanted(here) == PHR,
        **shown(db, here),
    }


@router.post("/sign-in/passkey")
@open_to_anyone("people come here to say who they are")
def sign_in(request: Request, service: TheService, form: TheForm) -> Response:
    """Sign in with a passkey whose user was verified; the account is the one that has the key."""
    here, challenge = _used_up(request, service, form, None)
    present = who(request)
    try:
        with transaction(service.database) as db:
            proved = passkeys.verify(db, form.get("answer", ""), challenge, account_id=None, verified=True)
            signed_in = login.by_passkey(
                db,
                proved.account_id,
                browser=browser_facts(request),
                replaces=present.session if present else None,
            )
            here = journey(request, db, here.id)
            came_in(db, here, signed_in.session)
            flows.complete(db, here, "second_factor", session=signed_in.session.id)
            where = onward(db, here, signed_in.session)
    except Refused as refusal:
        raise _again(request, service, here, refusal) from refusal
    return enter(request, signed_in, where)


def _again(request: Request, service: Service, here: Flow, refusal: Refused) -> Refused:
    """Show the sign-in page once more, with a new challenge, for the two refusals a person can mend there."""
    if isinstance(refusal, PasskeyRefused | login.PasskeyAlone):
        with transaction(service.database) as db:
            facts = {"remembered": None, "hint": "", "passkey": sign_in_form(request, db, here), **shown(db, here)}
        refusal.page, refusal.context = "login/sign_in.html", facts
    return refusal


@router.post("/sign-in/confirm/passkey")
@open_to_anyone(_OWN)
def confirm(request: Request, service: TheService, form: TheForm) -> Response:
    """Confirm a live session with one of this account's passkeys."""
    by = must_be_signed_in(request)
    here, challenge = _used_up(request, service, form, by)
    try:
        with transaction(service.database) as db:
            strong = wanted(here) == PHR
            account_id = by.account.id
            proved = passkeys.verify(db, form.get("answer", ""), challenge, account_id=account_id, verified=strong)
            session = stepping_up.still_live(db, by.session.id)
            signed_in = stepping_up.stepped_up(
                db,
                session,
                kind="passkey" if proved.user_verified else "touch",
                browser=browser_facts(request),
                again=wants_sign_in(here),
                remember="remember" in form,
            )
            where = confirmed(db, journey(request, db, here.id), signed_in)
    except PasskeyRefused as refusal:
        with transaction(service.database) as db:
            refusal.page, refusal.context = "login/confirm.html", confirm_facts(request, db, here, by)
        raise
    return enter(request, signed_in, where)


def confirmed(db: Db, here: Flow, signed_in: opening.SignedIn) -> str:
    """Record a confirmed second step in the journey; return where it goes on."""
    if wants_sign_in(here):
        came_in(db, here, signed_in.session)
    flows.complete(db, here, "second_factor", session=signed_in.session.id)
    return onward(db, here, signed_in.session)


@router.post("/sign-in/enroll/passkey")
@open_to_anyone(_OWN)
def enroll(request: Request, service: TheService, form: TheForm) -> Response:
    """Keep a new passkey, strengthen the session by it, and show recovery codes where there were none."""
    by = must_be_signed_in(request)
    with transaction(service.database) as db:
        linking.require_fresh_proof(db, by.session)
    here, challenge = _used_up(request, service, form, by, purpose="enroll", page="login/enroll.html")
    try:
        with transaction(service.database) as db:
            session = stepping_up.still_live(db, by.session.id)
            linking.require_fresh_proof(db, session)
            _, verified, codes = passkeys.add(
                db, by.account.id, form.get("answer", ""), challenge, name=form.get("name", "")
            )
            kind = "passkey" if verified else "touch"
            signed_in = stepping_up.stepped_up(db, session, kind=kind, browser=browser_facts(request))
            here = journey(request, db, here.id)
            where = confirmed(db, here, signed_in)
            facts = shown(db, here)
    except (PasskeyRefused, Conflict) as refusal:
        with transaction(service.database) as db:
            refusal.page, refusal.context = "login/enroll.html", enroll_facts(request, db, here, by)
        raise
    if not codes:
        return enter(request, signed_in, where)
    page = pages.page(request, "login/recovery_codes.html", codes=codes, onward=where, **facts)
    return with_cookies(request, page, signed_in)  # type: ignore[no-any-return]


def _used_up(
    request: Request,
    service: Service,
    form: Form,
    by: Visitor | None,
    *,
    purpose: str = "confirm",
    page: str = "login/confirm.html",
) -> tuple[Flow, bytes]:
    """Use the challenge of a form up; it has to be one of this journey, browser, session and purpose."""
    with transaction(service.database) as db:
        here = journey(request, db, form.get("flow", ""))
    bound = _mine(purpose, request, here, by) if by else _at_sign_in(request, here)
    try:
        with transaction(service.database) as db:
            return here, ceremonies.spend(db, bound, form.get("challenge", "")[:400])
    except PasskeyRefused as refusal:
        if by is None:
            raise _again(request, service, here, refusal) from refusal
        with transaction(service.database) as db:
            facts = enroll_facts if purpose == "enroll" else confirm_facts
            refusal.page, refusal.context = page, facts(request, db, here, by)
        raise
