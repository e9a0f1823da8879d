"""POST /oauth/token."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from idp.errors import OAuthRefused
from idp.oauth import liveness, via
from idp.oauth.desk import Desk
from idp.oauth.grants import authorization_code, refresh_token
from idp.oauth.server import token_response
from idp.web.boundary import Service, service_of
from idp.web.guards import open_to_anyone
from idp.web.machines.conduct import conduct
from idp.web.machines.reading import form_of

_LOADED: dict[str, tuple[str, Any]] = {
    "authorization_code": ("code", authorization_code),
    "refresh_token": ("refresh_token", refresh_token),
    "client_credentials": ("", None),
}
"""Grant -> the parameter that says what to load, and the module that knows how."""


@open_to_anyone("clients authenticate in the request itself")
async def endpoint(request: Request) -> Response:
    """Give tokens (RFC 6749 3.2)."""
    service = service_of(request)
    form = await form_of(request)
    grant = form.get("grant_type")
    if grant is None:
        raise OAuthRefused("invalid_request", "grant_type is missing.")
    if grant not in _LOADED:
        raise OAuthRefused("unsupported_grant_type", "This grant does not exist here.")
    parameter, how = _LOADED[grant]

    async def load(desk: Desk, fields: dict[str, str]) -> int | None:
        if how is None or parameter not in fields:
            return None
        return await _load(service, desk, how, fields[parameter])

    return await conduct(service, request, form, load, token_response)


async def _load(service: Service, desk: Desk, how: Any, value: str) -> int:
    hashed = how.hash_of(value)
    [row] = await service.lane.fetch(how.LOAD, *liveness.moments(desk.picture, desk.now), hashed)
    ground = desk.loaded = how.ground_of(row, hashed)
    if ground is not None and ground.standing.affiliation_partner is not None:
        links = await service.lane.fetch(via.LINKS, ground.standing.provider_id)
        ground.via = via.through(links, ground.standing.affiliation_partner, desk.micros)
    return int(row[0])
