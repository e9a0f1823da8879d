"""What the sign-in pages share: the journey, the browser, the cookies of an answer, and where to go next."""

from functools import lru_cache
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from fastapi import Request
from fastapi.responses import RedirectResponse
from sqlmodel import Session as Db

from idp import clock, configuration
from idp.accounts import attestations, flows, opening, readiness, second_factor, terms
from idp.accounts.assurance import AAL2, meets
from idp.accounts.flows import Kept
from idp.accounts.tables import Account, Flow, Session
from idp.database import transaction
from idp.errors import NotSignedIn
from idp.federation.flow import Federation
from idp.oauth.tables import Client
from idp.outbound import Outbound
from idp.web import cookies, pages
from idp.web.boundary import Service, service_of
from idp.web.guards import Visitor, visitor

LONGEST_NAME, LONGEST_PASSWORD = 254, 4096


def federation_of(service: Service) -> Federation:
    """Return this process's federation, made at first use."""
    made = service.parts.get("federation")
    if made is None:
        outbound = service.parts.get("outbound") or Outbound(development=service.settings.development)
        made = service.parts.setdefault("federation", Federation(service.database, outbound))
    assert isinstance(made, Federation)
    return made


def browser_facts(request: Request) -> opening.Browser:
    """Return what tells this browser from others."""
    settings = service_of(request).settings
    return opening.Browser(cookies.read(request, settings, cookies.DEVICE), request.headers.get("user-agent"))


def who(request: Request) -> Visitor | None:
    """Return who is signed in, in a transaction of its own.

    For routes that hash or wait for an upstream: they must not hold a transaction open meanwhile, so they
    cannot take the guard, whose transaction lasts as long as the route.
    """
    with transaction(service_of(request).database) as db:
        return visitor(request, db)


def must_be_signed_in(request: Request) -> Visitor:
    """Return who is signed in, as `who` does; raise NotSignedIn."""
    found = who(request)
    if found is None:
        raise NotSignedIn
    return found


def journey(request: Request, db: Db, flow_id: str) -> Flow:
    """Return this browser's live journey; raise FlowLost."""
    settings = service_of(request).settings
    return flows.find(db, flow_id, cookies.read(request, settings, cookies.FLOW))


def journey_to(request: Request, db: Db, where: str) -> Flow:
    """Begin a journey to a page of ours; anything else leads home (no open redirect)."""
    target = where if flows.is_own_path(where) else "/account"
    return flows.begin(db, browser=pages.browser_of(request), target=target)


def address(path: str, flow: Flow | Kept) -> str:
    """Return a step page's address within a journey."""
    return f"{path}?{urlencode({'flow': flow.id})}"


def shown(db: Db, flow: Flow) -> dict[str, Any]:
    """Return what every page of a journey shows: the app, Cancel, and where its forms may lead."""
    client = db.get(Client, flow.client_id) if flow.client_id else None
    return shown_for(flow, client.name if client else None)


def shown_for(flow: Flow | Kept, app_name: str | None) -> dict[str, Any]:
    """Return the same, given the name of the app; None for a journey no app began."""
    return {
        "flow": flow.id,
        "app_name": app_name,
        "cancel": address("/oauth/authorize/cancel", flow) if app_name else None,
        "form_action": _app_origin(flow) if app_name else None,
    }


def asked(flow: Flow | Kept, name: str) -> str | None:
    """Return a parameter of the authorize request a journey came from."""
    return _request_of(flow.target).get(name)


@lru_cache(maxsize=512)
def _request_of(target: str) -> dict[str, str]:
    """Return the parameters of a target; one journey is asked for them at each of its pages."""
    return {name: values[0] for name, values in parse_qs(urlsplit(target).query).items()}


def _app_origin(flow: Flow | Kept) -> str | None:
    """Return the origin the app is at: authorize begins a journey only after it proved the address (ui.md 4.1)."""
    parts = urlsplit(asked(flow, "redirect_uri") or "")
    if parts.scheme in ("http", "https") and parts.netloc and not set(parts.netloc) & set(" ;,'\""):
        return f"{parts.scheme}://{parts.netloc}"
    return None


def came_in(db: Db, flow: Flow, session: Session) -> None:
    """Record in the journey that somebody signed in, and who."""
    flows.complete(db, flow, "sign_in", session=session.id)
    flow.session_id = session.id
    db.add(flow)


def with_cookies(request: Request, response: Any, signed_in: opening.SignedIn) -> Any:
    """Give the browser its new session secret, and its device secret where one was made."""
    return with_secrets(request, response, signed_in.secret, signed_in.device_secret)


def with_secrets(request: Request, response: Any, session: str, device: str | None) -> Any:
    """Put the two cookies of an answer."""
    settings = service_of(request).settings
    cookies.put(response, settings, cookies.SESSION, session)
    if device is not None:
        cookies.put(response, settings, cookies.DEVICE, device)
    return response


def enter(request: Request, signed_in: opening.SignedIn, where: str) -> RedirectResponse:
    """Send a person on who has just proved who they are."""
    response = pages.go(request, where)
    with_cookies(request, response, signed_in)
    return response


def by_password(request: Request, flow_id: str, signed_in: opening.SignedIn) -> RedirectResponse:
    """Send a person on whose password was right, with the journey knowing it."""
    with transaction(service_of(request).database) as db:
        here = journey(request, db, flow_id)
        flows.note(db, here, "identifier", None)
        came_in(db, here, signed_in.session)
        where = onward(db, here, signed_in.session)
    return enter(request, signed_in, where)


def onward(db: Db, flow: Flow, session: Session) -> str:
    """Return the next address of a journey: what it still needs on our side, then where it was going."""
    for needed, path in (
        ("link" in flow.facts, "/link/confirm"),
        ("invitation" in flow.facts, "/invitations/confirm"),
        (_lacks_factor(db, session), "/sign-in/confirm"),
    ):
        if needed:
            return address(path, flow)
    account = db.get(Account, session.account_id)
    joining = account is not None and account.status in ("invited", "verified")
    if joining and not readiness.activate_when_ready(db, session.account_id):
        flows.note(db, flow, "joining", session.account_id)
    if "joining" in flow.facts:
        missing = missing_to_join(db, session)
        if missing is not None:
            return address(missing, flow)
    if readiness.awaits_approval(db, session.account_id) and not flow.target.startswith("/register/"):
        return "/register/waiting"  # both gates first (T-12): no app and no page of ours before that
    return flows.resume(flow)


def _lacks_factor(db: Db, session: Session) -> bool:
    """Managers and staff use a second step at every sign-in (decisions.md 6)."""
    return not meets(session.acr, AAL2) and second_factor.needs_factor(db, session.account_id)


def missing_to_join(db: Db, session: Session) -> str | None:
    """Return the step that joining still needs: terms, attestation, second step; None when all are done."""
    if terms.unaccepted(db, session.account_id):
        return "/terms"
    if not attestations.in_date(db, session.account_id):
        return "/attest"
    if not meets(session.acr, AAL2):
        return "/sign-in/confirm"
    return None


def signed_in_lately(db: Db, session: Session) -> bool:
    """Say whether the session's person proved a login within the time that changing logins allows."""
    latest = max(session.auth_time, session.factor_time or session.auth_time)
    return clock.now() < latest + configuration.current(db).clocks.link_proof
