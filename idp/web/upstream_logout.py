"""Signing out across the border: an organization ends our sessions, and we lead people to its sign-out."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from sqlmodel import Session as Db

from idp.accounts.tables import Login, Session
from idp.database import reading
from idp.errors import NotFound, Refused
from idp.federation import client_keys, logout, upstreams
from idp.federation.tables import Upstream
from idp.web import pages
from idp.web.boundary import Service, TheService
from idp.web.guards import open_to_anyone
from idp.web.machines.reading import form_of
from idp.web.signing_in import federation_of

router = APIRouter()


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


@router.get("/signed-out/at/{upstream}")
@open_to_anyone("leads to a registered organization's own sign-out, nowhere else")
def sign_out_there(request: Request, service: TheService, upstream: str) -> Response:
    """Send the browser to the organization's sign-out (OpenID Connect RP-Initiated Logout 1.0)."""
    back = f"{service.settings.issuer}/signed-out"
    return pages.go(
        request, logout.address_to_sign_out(federation_of(service), upstream, come_back=back) or "/signed-out"
    )


def came_from(db: Db, session: Session) -> str:
    """Return the query that says at which organization a session began, if at one."""
    login = db.get(Login, session.login_id)
    return f"?at={login.upstream_id}" if login is not None and login.upstream_id else ""


def offer(service: Service, upstream_id: str) -> Upstream | None:
    """Return the organization whose sign-out can be offered: named, trusted, and known to have one."""
    if not upstream_id or not upstream_id.isascii() or not upstream_id.isprintable():
        return None
    try:
        if logout.address_to_sign_out(federation_of(service), upstream_id, come_back=service.settings.issuer) is None:
            return None
        with reading(service.database) as db:
            return upstreams.find(db, upstream_id)
    except (NotFound, Refused):
        return None
