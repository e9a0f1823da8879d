"""An organization's server tells us a security event about one of its people (RFC 8935, towards us)."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse

from idp.errors import NotFound
from idp.federation import signals, upstreams
from idp.signatures import TOKEN_LIMIT
from idp.web.boundary import TheService
from idp.web.guards import open_to_anyone
from idp.web.signing_in import federation_of

router = APIRouter()
_HEADERS = {"Cache-Control": "no-store"}


async def _event(request: Request) -> str:
    """Read the body as one token; anything else, or too much of it, is the empty token, which nobody believes."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > TOKEN_LIMIT:
            return ""
    return body.decode("ascii", "replace").strip() if kind == "application/secevent+jwt" else ""


@router.post("/login/{upstream}/signals")
@open_to_anyone("the organization's server calls; its signed event is the proof")
def told_by_organization(service: TheService, upstream: str, token: Annotated[str, Depends(_event)]) -> Response:
    """Take in a security event: 202, or 400 with the error of RFC 8935 2.4."""
    try:
        signals.receive(federation_of(service), upstream, token)
    except (signals.SignalRefused, upstreams.LoginPaused, NotFound) as refusal:
        code = refusal.code if isinstance(refusal, signals.SignalRefused) else "access_denied"
        return JSONResponse({"err": code, "description": "The event was not accepted."}, 400, _HEADERS)
    return Response(status_code=202, headers=_HEADERS)
