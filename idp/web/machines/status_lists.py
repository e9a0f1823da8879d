"""GET /oauth/status-lists/{name}: the token status lists, for every app and cache (draft-ietf-oauth-status-list 8)."""

import re

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from idp.errors import Invalid, NotFound
from idp.oauth.status_list.allotment import PATH
from idp.oauth.status_list.publishing import TYP, Published
from idp.web.bearer import memory_of
from idp.web.boundary import Service, service_of
from idp.web.guards import open_to_anyone

CACHED = 5
"""Seconds a shared cache may give out a copy without asking us."""
_NAME = re.compile(r"[A-Za-z0-9_-]{22}", re.ASCII)
_TYPES = (f"application/{TYP}", "application/*", "*/*")
"""The nearest name of ours that a reader gives says whether it is wanted."""
_WEIGHT = re.compile(r"[01](\.[0-9]{0,3})?", re.ASCII)
_PUBLIC = {
    "Cache-Control": f"public, max-age={CACHED}",
    "Access-Control-Allow-Origin": "*",
    "Vary": "Accept",
}
_PREFLIGHT = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, HEAD",
    "Access-Control-Allow-Headers": "Accept, If-None-Match",
    "Access-Control-Max-Age": "86400",
}


def _published(service: Service) -> Published:
    made = service.parts.get("status_lists")
    if made is None:
        made = Published(service.lane, memory_of(service), service.settings.issuer)
        service.parts["status_lists"] = made
    assert isinstance(made, Published)
    return made


@open_to_anyone("published for every app")
async def one(request: Request) -> Response:
    """Give out a list; 304 to who has this copy, 406 to who wants another form, 501 for a moment in the past."""
    if request.method == "OPTIONS":
        return Response(status_code=204, headers=_PREFLIGHT)
    if "time" in request.query_params:
        return Response("What a list said in the past is not kept.", 501, media_type="text/plain")
    _nothing_else(request)
    if not _wants(request.headers.get("accept")):
        return Response(f"This is application/{TYP}.", 406, media_type="text/plain")
    name = request.path_params["name"]
    copy = await _published(service_of(request)).copy(name) if _NAME.fullmatch(name) else None
    if copy is None:
        raise NotFound("There is no such list, or every token in it has run out.")
    headers = {**_PUBLIC, "ETag": copy.etag}
    known = request.headers.get("if-none-match")
    if known is not None and copy.etag in {tag.strip().removeprefix("W/") for tag in known.split(",")}:
        return Response(status_code=304, headers=headers)
    return Response(copy.body, 200, headers, f"application/{TYP}")


@open_to_anyone("published for every app")
async def every(request: Request) -> Response:
    """Give out the addresses of the lists in which a token can be (9.3 of the draft)."""
    _nothing_else(request)
    names = await _published(service_of(request)).names()
    return Response(orjson.dumps({"status_lists": names}), 200, _PUBLIC, "application/json")


def routes() -> list[BaseRoute]:
    """Return the routes of the lists."""
    # A browser asks ahead before it sends If-None-Match; the addresses have no ETag.
    return [Route(PATH, every, methods=["GET"]), Route(PATH + "/{name}", one, methods=["GET", "OPTIONS"])]


def _nothing_else(request: Request) -> None:
    """Refuse parameters: each would be another copy in every cache."""
    if request.query_params:
        raise Invalid(
            "Ask without parameters.", fields=dict.fromkeys(request.query_params, "There is no such parameter.")
        )


def _wants(accept: str | None) -> bool:
    """Say whether the one form there is may be sent (RFC 9110 12.5.1)."""
    if accept is None or not accept.strip():
        return True
    weights: dict[str, float] = {}
    for part in accept.lower().split(","):
        kind, *parameters = (piece.strip() for piece in part.split(";"))
        weight = next((one[2:] for one in parameters if one.startswith("q=")), "1")
        weights[kind] = float(weight) if _WEIGHT.fullmatch(weight) else 0.0
    named = (weights[kind] for kind in _TYPES if kind in weights)
    return next(named, 0.0) > 0
