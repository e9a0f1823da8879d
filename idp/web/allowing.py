"""The pages between signing in and the app: which practice, may the app, and "no"."""

from collections.abc import Sequence
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from sqlmodel import Session as Db

from idp import clock
from idp.accounts import flows
from idp.accounts.tables import Flow
from idp.audit import log, origin
from idp.audit.events import Event
from idp.database.lane import drive
from idp.errors import OAuthRefused
from idp.oauth import arrival, consents, practices
from idp.oauth.arrival import Arrival, Practice
from idp.oauth.authorization_request import AuthorizationRequest, pairs_of_target, understand
from idp.oauth.steps import Journey
from idp.web import cookies, pages
from idp.web.bearer import memory_of
from idp.web.boundary import Transaction, service_of
from idp.web.forms import TheForm
from idp.web.guards import SignedIn, Visitor, open_to_anyone

router = APIRouter()


@router.get("/practice")
def practice_page(request: Request, db: Transaction, who: SignedIn, flow: str = "") -> Response:
    """Ask which practice the person is working for."""
    journey, asked = _resumed(request, db, who, flow)
    return _practice(request, asked, journey, practices.offered(_seen(request, db, journey, asked)))


@router.post("/practice")
def practice_chosen(request: Request, db: Transaction, who: SignedIn, form: TheForm, flow: str = "") -> Response:
    """Record the choice, or take "no" back to the app."""
    journey, asked = _resumed(request, db, who, flow)
    if "cancel" in form:
        return _cancelled(db, journey, asked)
    available = practices.offered(_seen(request, db, journey, asked))
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
    journey, asked = _resumed(request, db, who, flow)
    practice = _practice_of(request, db, journey, asked)
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
    journey, asked = _resumed(request, db, who, flow)
    if "cancel" in form:
        return _cancelled(db, journey, asked)
    consents.give(db, who.account.id, asked.client.client_id, asked.scope)
    flows.complete(db, journey, "consent", account=who.account.id)
    return pages.go(request, flows.resume(journey))


@router.get("/oauth/authorize/cancel")
@open_to_anyone("somebody who does not want to sign in goes back to the app")
def cancel(request: Request, db: Transaction, flow: str = "") -> None:
    """Take "no" back to the app from any page of the journey."""
    journey = flows.find(db, flow, cookies.read(request, service_of(request).settings, cookies.FLOW))
    asked = understood(request, db, journey)
    asked.refuse("access_denied", "The person said no.")


SCOPES = {
    "openid": "Know who you are here",
    "profile": "See your name and language",
    "email": "See your e-mail address",
}
"""Scopes in the words of people; an API's own are shown by name."""
QUIET = frozenset({"offline_access"})


def understood(request: Request, db: Db, flow: Flow) -> AuthorizationRequest:
    """Return the app's request a journey carries, understood anew."""
    service = service_of(request)
    picture = memory_of(service).in_transaction(db)
    pairs, checked = pairs_of_target(flow.target), flow.client_id is not None  # begun at the authorize endpoint
    return understand(picture, service.settings.issuer, clock.now(), pairs, pushed=checked)


def _resumed(request: Request, db: Db, who: Visitor, flow_id: str) -> tuple[Flow, AuthorizationRequest]:
    """Return the journey a page belongs to; only of this browser, and of the person who signed in within it."""
    journey = flows.find(db, flow_id, cookies.read(request, service_of(request).settings, cookies.FLOW))
    if journey.session_id is not None and journey.session_id != who.session.id:
        raise flows.FlowLost
    asked = understood(request, db, journey)
    origin.narrow(client_id=asked.client.client_id)
    return journey, asked


def _seen(request: Request, db: Db, flow: Flow, asked: AuthorizationRequest) -> Journey:
    """Return what the authorize endpoint will see of this journey when the browser comes back to it."""
    service, now = service_of(request), clock.now()
    picture = memory_of(service).in_transaction(db)
    secret = cookies.read(request, service.settings, cookies.SESSION)
    found: Arrival = drive(db, arrival.read(picture, now, secret=secret, flow_id=flow.id))
    return Journey(asked, found, found.flow, picture, now)


def _practice(
    request: Request,
    asked: AuthorizationRequest,
    journey: Flow,
    available: Sequence[Practice],
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


def _practice_of(request: Request, db: Db, flow: Flow, asked: AuthorizationRequest) -> Practice | None:
    return practices.chosen(_seen(request, db, flow, asked)) if asked.client.acts_for_provider else None


def _cancelled(db: Db, flow: Flow, asked: AuthorizationRequest) -> Response:
    """End the journey and tell the app (RFC 6749 4.1.2.1)."""

    def ended(session: Db) -> None:
        row = session.get(Flow, flow.id)
        if row is not None:
            flows.end(session, row)

    raise OAuthRefused(
        "access_denied", "The person said no.", redirect_uri=asked.redirect_uri, state=asked.state, then=(ended,)
    )
