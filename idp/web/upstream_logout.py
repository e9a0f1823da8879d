"""Signing out across the border: an organization ends our sessions, and we lead people to its sign-out."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from sqlmodel import Session as Db

from idp.accounts import flows
from idp.accounts.tables import Session
from idp.database import reading
from idp.errors import NotFound
from idp.federation import client_keys, logout, signing_out, upstreams
from idp.web import cookies, pages
from idp.web.boundary import Service, TheService
from idp.web.guards import open_to_anyone
from idp.web.machines.reading import form_of
from idp.web.outside import send_browser
from idp.web.signing_in import federation_of

router = APIRouter()
THERE = "/signed-out/there"


async def _token(request: Request) -> str:
    token = (await form_of(request)).get("logout_token", "")
    if not token:
        raise logout.LogoutRefused("logout_token is missing.")
    return token


@router.post("/login/{upstream}/logout")
@open_to_anyone("the organization's server calls; its signed logout token is the proof")
def signed_out_there(service: TheService, upstream: str, token: Annotated[str, Depends(_token)]) -> Response:
    """End what a logout token names (OpenID Connect Back-Channel Logout 1.0, 2.5 to 2.8)."""
    try:
        logout.receive(federation_of(service), upstream, token)
    except upstreams.LoginPaused as refusal:
        raise logout.LogoutRefused("The logout token was not accepted.") from refusal
    return Response(status_code=200, headers={"Cache-Control": "no-store"})


@router.get("/login/{upstream}/keys")
@open_to_anyone("public keys, by which the organization knows us")
def our_keys(service: TheService, upstream: str) -> Response:
    """Return our public keys towards one organization (RFC 7517)."""
    with reading(service.database) as db:
        return JSONResponse(client_keys.published(db, upstream), headers={"Cache-Control": "public, max-age=300"})


@router.get(THERE)
@open_to_anyone("the journey of this browser names the organization; it leads nowhere else")
def sign_out_there(request: Request, service: TheService, flow: str = "") -> Response:
    """Send the browser to the organization's sign-out (RP-Initiated Logout 1.0, SAML Profiles 4.4)."""
    browser = cookies.read(request, service.settings, cookies.FLOW)
    try:
        goes = signing_out.send(federation_of(service), flow, browser)
    except (flows.FlowLost, upstreams.LoginPaused, NotFound):
        goes = None
    return send_browser(request, goes) if goes is not None else pages.go(request, "/signed-out?why=not_there")


def came_from(request: Request, db: Db, session: Session) -> str:
    """Remember where a session that ends came from; return the query that leads to its sign-out, "" for ours."""
    flow_id = signing_out.begin(db, session, pages.browser_of(request))
    return f"?{urlencode({'flow': flow_id})}" if flow_id else ""


def there(request: Request, service: Service, flow_id: str) -> signing_out.There | None:
    """Return the organization whose sign-out this browser can be offered, or what it answered."""
    if not flow_id or not flow_id.isascii() or not flow_id.isprintable():
        return None
    return signing_out.offered(federation_of(service), flow_id, cookies.read(request, service.settings, cookies.FLOW))
