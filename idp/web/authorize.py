"""The authorize endpoint and the pages that belong to it: practice, consent, sign-out."""

from urllib.parse import parse_qsl, urlencode, urlsplit

from fastapi import APIRouter, Request, Response
from sqlmodel import Session as Db

from idp import clock
from idp.accounts import flows
from idp.accounts.tables import Flow
from idp.audit import log, origin
from idp.audit.events import Event
from idp.errors import OAuthRefused
from idp.oauth import codes, consents, practices
from idp.oauth.authorization_request import AuthorizationRequest, pairs_of, understand
from idp.oauth.memory import Picture
from idp.oauth.steps import Journey, SignIn, next_step
from idp.web import cookies, logout, pages
from idp.web.bearer import memory_of
from idp.web.boundary import TheService, Transaction, service_of
from idp.web.forms import TheForm
from idp.web.guards import MaybeVisitor, SignedIn, Visitor, open_to_anyone
from idp.web.machines.reading import form_of

router = APIRouter()
router.include_router(logout.router)
PATH = "/oauth/authorize"


@router.get(PATH)
@open_to_anyone("apps send people here who are not signed in yet; nothing happens before client and address are proven")
def authorize(request: Request, db: Transaction, service: TheService, found: MaybeVisitor) -> Response:
    """Lead the person to the first unmet step, or back to the app with a code."""
    picture = memory_of(service).in_transaction(db)
    now = clock.now()
    issuer = service.settings.issuer
    flow, pairs = _flow_of(request, db)
    asked = understand(picture, issuer, now, pairs)
    origin.narrow(client_id=asked.client.client_id)
    journey = Journey(db, asked, found.account if found else None, found.session if found else None, flow, now)
    step = next_step(journey)
    if step is not None:
        if asked.silent:
            asked.refuse(step.error, "A page would have to be shown.")
        if flow is None:
            flow = _begin(request, db, journey)
        elif step.path == SignIn.path:
            flow.session_id = None
        return pages.go(request, f"{step.path}?{urlencode({'flow': flow.id})}")
    assert found is not None
    practice = practices.chosen(journey) if asked.client.acts_for_provider else None
    location = codes.issue(db, picture, issuer=issuer, request=asked, session=found.session, practice=practice, now=now)
    if flow is not None:
        flows.end(db, flow)
        if asked.client.continue_page:
            return pages.page(request, "oauth/continue.html", app_name=asked.client.name, location=location)
    return pages.go(request, location)


@router.post(PATH)
@open_to_anyone(
    "OpenID Connect Core 3.1.2.1: the request may be posted; it goes on as a GET, which carries our cookies"
)
async def authorize_posted(request: Request) -> Response:
    """Accept a posted request."""
    fields = await form_of(request)
    return pages.go(request, f"{PATH}?{urlencode(fields)}")


@router.get("/practice")
def practice_page(request: Request, db: Transaction, who: SignedIn, flow: str = "") -> Response:
    """Ask which practice the person is working for."""
    journey, asked, _ = _resumed(request, db, who, flow)
    return _practice(request, asked, journey, practices.usable(db, who.account.id, clock.now()))


@router.post("/practice")
def practice_chosen(request: Request, db: Transaction, who: SignedIn, form: TheForm, flow: str = "") -> Response:
    """Record the choice, or take "no" back to the app."""
    journey, asked, _ = _resumed(request, db, who, flow)
    if "cancel" in form:
        return _cancelled(db, journey, asked)
    available = practices.usable(db, who.account.id, clock.now())
    picked = next((p for p in available if p.provider_id == form.get("practice")), None)
    if picked is None:
        sentence = {"practice": "Choose the practice you are working for."}
        return _practice(request, asked, journey, available, sentence)
    flows.complete(db, journey, "practice", provider_id=picked.provider_id)
    log.record(
        db,
        Event(
            "oauth.provider.chosen",
            account=who.account.id,
            provider=picked.provider_id,
            client=asked.client.client_id,
            session=who.session.id,
        ),
    )
    return pages.go(request, flows.resume(journey))


@router.get("/consent")
def consent_page(request: Request, db: Transaction, who: SignedIn, flow: str = "") -> Response:
    """Name the app, the practice and what the app gets."""
    journey, asked, _ = _resumed(request, db, who, flow)
    practice = _practice_of(db, journey, asked, who)
    return pages.page(
        request,
        "oauth/consent.html",
        form_action=asked.redirect_origin,
        app_name=asked.client.name,
        practice=practice,
        given=[SCOPES.get(name, f"Use “{name}” for you") for name in asked.scope.split() if name not in QUIET],
        action=f"/consent?{urlencode({'flow': journey.id})}",
    )


@router.post("/consent")
def consent_answered(request: Request, db: Transaction, who: SignedIn, form: TheForm, flow: str = "") -> Response:
    """Record the consent, or take "no" back to the app."""
    journey, asked, _ = _resumed(request, db, who, flow)
    if "cancel" in form:
        return _cancelled(db, journey, asked)
    consents.give(db, who.account.id, asked.client.client_id, asked.scope)
    flows.complete(db, journey, "consent")
    return pages.go(request, flows.resume(journey))


@router.get("/oauth/authorize/cancel")
@open_to_anyone("somebody who does not want to sign in goes back to the app")
def cancel(request: Request, db: Transaction, flow: str = "") -> None:
    """Take "no" back to the app from any page of the journey."""
    journey = flows.find(db, flow, cookies.read(request, service_of(request).settings, cookies.FLOW))
    asked, _ = _understood(request, db, journey)
    asked.refuse("access_denied", "The person said no.")


SCOPES = {
    "openid": "Know who you are here",
    "profile": "See your name and language",
    "email": "See your e-mail address",
}
"""Scopes in the words of people; an API's own are shown by name."""
QUIET = frozenset({"offline_access"})


def _flow_of(request: Request, db: Db) -> tuple[Flow | None, list[tuple[str, str]]]:
    """Return the flow a browser comes back to and its request, or the request in the address."""
    pairs = pairs_of(request.scope["query_string"])
    names = {name for name, _ in pairs}
    if "flow" not in names or "client_id" in names:
        return None, pairs
    settings = service_of(request).settings
    if "\x00" in dict(pairs)["flow"]:
        raise flows.FlowLost
    flow = flows.find(db, dict(pairs)["flow"], cookies.read(request, settings, cookies.FLOW))
    return flow, _pairs_of_target(flow)


def _pairs_of_target(flow: Flow) -> list[tuple[str, str]]:
    parts = urlsplit(flow.target)
    if parts.path != PATH:
        raise flows.FlowLost
    return parse_qsl(parts.query, keep_blank_values=True)


def _begin(request: Request, db: Db, journey: Journey) -> Flow:
    """Keep the request on the server; its pages find there what the app asked them for."""
    asked = journey.request
    target = f"{PATH}?{request.scope['query_string'].decode('ascii')}"
    flow = flows.begin(db, browser=pages.browser_of(request), target=target, client_id=asked.client.client_id)
    again = bool(asked.prompts & {"login", "select_account"}) or asked.max_age is not None or asked.subject is not None
    wants = {
        "app_name": asked.client.name,
        "form_action": asked.redirect_origin,
        "cancel": f"/oauth/authorize/cancel?{urlencode({'flow': flow.id})}",
        "login_hint": (asked.login_hint or "")[:200],
        "idp": asked.idp,
        "acr": asked.acr,
        "again": again,
    }
    flows.note(db, flow, "wants", {name: value for name, value in wants.items() if value})
    if journey.session is not None and not SignIn().unmet(journey):
        flow.session_id = journey.session.id
    return flow


def _understood(request: Request, db: Db, flow: Flow) -> tuple[AuthorizationRequest, Picture]:
    service = service_of(request)
    picture = memory_of(service).in_transaction(db)
    return understand(picture, service.settings.issuer, clock.now(), _pairs_of_target(flow)), picture


def _resumed(request: Request, db: Db, who: Visitor, flow_id: str) -> tuple[Flow, AuthorizationRequest, Picture]:
    """Return the journey a page belongs to; only of this browser, and of the person who signed in within it."""
    journey = flows.find(db, flow_id, cookies.read(request, service_of(request).settings, cookies.FLOW))
    if journey.session_id is not None and journey.session_id != who.session.id:
        raise flows.FlowLost
    asked, picture = _understood(request, db, journey)
    origin.narrow(client_id=asked.client.client_id)
    return journey, asked, picture


def _practice(
    request: Request,
    asked: AuthorizationRequest,
    journey: Flow,
    available: list[practices.Practice],
    fields: dict[str, str] | None = None,
) -> Response:
    return pages.page(
        request,
        "oauth/practice.html",
        status=422 if fields else 200,
        form_action=asked.redirect_origin,
        app_name=asked.client.name,
        practices=available,
        fields=fields or {},
        action=f"/practice?{urlencode({'flow': journey.id})}",
    )


def _practice_of(db: Db, flow: Flow, asked: AuthorizationRequest, who: Visitor) -> practices.Practice | None:
    if not asked.client.acts_for_provider:
        return None
    return practices.chosen(Journey(db, asked, who.account, who.session, flow, clock.now()))


def _cancelled(db: Db, flow: Flow, asked: AuthorizationRequest) -> Response:
    """End the journey and tell the app (RFC 6749 4.1.2.1)."""

    def ended(session: Db) -> None:
        row = session.get(Flow, flow.id)
        if row is not None:
            flows.end(session, row)

    raise OAuthRefused(
        "access_denied", "The person said no.", redirect_uri=asked.redirect_uri, state=asked.state, then=(ended,)
    )
