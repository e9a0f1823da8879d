"""The login of a new account: a user name and password, or another organization's login proved in this browser."""

from typing import Any

from fastapi import APIRouter, Request, Response
from sqlmodel import Session as Db

from idp import configuration
from idp.accounts import flows, linking, local_logins, login, opening, password_rules, passwords
from idp.accounts.tables import Flow
from idp.database import transaction
from idp.errors import Conflict, Invalid
from idp.federation import offers, upstreams
from idp.registration import joining, journey, routes
from idp.registration.tables import Registration
from idp.web import pages
from idp.web.boundary import TheService, Transaction
from idp.web.forms import TheForm
from idp.web.guards import MaybeVisitor, open_to_anyone
from idp.web.invited import assertion_of
from idp.web.linked import pending_of
from idp.web.registration.shared import PATHS, address, at, flow_of, shown
from idp.web.signing_in import browser_facts, came_in, enter, journey_to, onward, who

router = APIRouter()
_ANYONE = "people who have just confirmed their address choose a login; bound to this browser"


@router.get("/register/login")
@open_to_anyone(_ANYONE)
def login_page(request: Request, db: Transaction, found: MaybeVisitor, r: str = "", q: str = "") -> Response:
    """Ask for a user name and a password, or lead to the organizations whose login may be used."""
    try:
        here = at(request, db, r, "login", found)
    except journey.StepMissing as early:
        return pages.go(request, f"{PATHS[early.step]}?r={r}")
    if here.route == "new":
        return pages.page(request, "register/password.html", user_name="", **_password(db, here))
    return pages.page(request, "register/outside.html", **_outside(request, db, here, q[:100]))


def _password(db: Db, here: Registration) -> dict[str, Any]:
    name = f"{here.given_name} {here.family_name}"
    return {"name": name, "email": here.email, **shown(db, here, "login")}


def _outside(request: Request, db: Db, here: Registration, q: str) -> dict[str, Any]:
    flow = flow_of(request, db, here)
    offered = [
        one
        for one in offers.offered(db, q)
        if routes.of_partner(db, one.partner_id) == here.route
        and here.route in routes.open_for(db, here.client_id, one.id, one.partner_id)
    ]
    facts = {"found": offered[:50], "more": len(offered) > 50, "q": q, "flow": flow.id, "organization": None}
    pending = _pending(request, db, flow)
    if pending is not None:
        facts["organization"] = upstreams.names(db).get(pending.upstream_id, pending.issuer)
        facts["outside"] = linking.masked(pending.facts.get("email")) or pending.facts.get("name") or ""
        facts["received"] = sorted(pending.facts)
    return facts | shown(db, here, "login")


def _pending(request: Request, db: Db, flow: Flow) -> Any:
    """Return the outside login proved in this journey; None once it was used or is too old."""
    if "link" not in flow.facts:
        return None
    try:
        return pending_of(request, db, flow)
    except linking.LinkLost:
        return None


@router.post("/register/login")
@open_to_anyone(_ANYONE)
def choose_password(request: Request, service: TheService, form: TheForm) -> Response:
    """Make the account with a user name and password; hashed before the transaction that does it."""
    user_name, password = form.get("user_name", "").strip()[:256], form.get("password", "")
    present = who(request)
    with transaction(service.database) as db:
        here = at(request, db, form.get("r", ""), "login", present)
        routes.require(db, "new", here.client_id)
        if here.route != "new":
            raise journey.RegistrationLost
        rules = configuration.current(db)
        again = {"user_name": user_name[:128], **_password(db, here)}
        about = (user_name, again["name"], here.email, rules.insurer.name)
    try:
        local_logins.check_name(user_name)
        password_rules.check(password, with_factor=False, about=about)
        hashed = passwords.hashed(service.database.ring, password, rules.passwords)
        with transaction(service.database) as db:
            here = at(request, db, here.id, "login", present)
            added = joining.with_new_login(db, here, user_name, hashed)
            signed_in = login.by_new_login(db, added, browser=browser_facts(request))
            where = _entered(request, db, here, signed_in)
    except Invalid as refusal:
        refusal.page, refusal.context = "register/password.html", again
        raise
    except Conflict as refusal:
        if isinstance(refusal, journey.StepMissing):
            raise
        raise Invalid(fields={"user_name": refusal.detail}, page="register/password.html", context=again) from refusal
    return enter(request, signed_in, where)


@router.post("/register/login/outside")
@open_to_anyone(_ANYONE)
def use_outside(request: Request, db: Transaction, found: MaybeVisitor, form: TheForm) -> Response:
    """Make the account with the outside login that was proved in this browser, minutes ago."""
    here = at(request, db, form.get("r", ""), "login", found)
    flow = flow_of(request, db, here)
    pending = pending_of(request, db, flow)
    trusted = upstreams.trusted(db, pending.upstream_id, subject=pending.subject)
    if routes.of_partner(db, trusted.partner_id) != here.route:
        raise routes.RouteClosed("This login belongs to another way of registering. Start again and choose that one.")
    joining.with_outside_login(db, here, pending, organization=trusted.display_name, partner_id=trusted.partner_id)
    flows.note(db, flow, "link", None)
    assertion = assertion_of(pending, trusted.partner_id, trusted.display_name)
    signed_in = login.by_assertion(db, assertion, browser=browser_facts(request))
    assert signed_in is not None
    return enter(request, signed_in, _entered(request, db, here, signed_in))


def _entered(request: Request, db: Db, here: Registration, signed_in: opening.SignedIn) -> str:
    """Begin the journey through terms, attestation and second step that ends at "Check and send"."""
    flow = journey_to(request, db, address("send", here))
    flows.note(db, flow, "joining", signed_in.account.id)
    came_in(db, flow, signed_in.session)
    return onward(db, flow, signed_in.session)
