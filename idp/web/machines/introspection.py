"""POST /oauth/introspect."""

from starlette.requests import Request
from starlette.responses import Response

from idp.oauth import access_tokens, liveness
from idp.oauth.desk import Desk
from idp.oauth.grants import refresh_token
from idp.oauth.introspection import Presented
from idp.oauth.server import endpoint_response
from idp.web.bearer import memory_of
from idp.web.boundary import Service, service_of
from idp.web.guards import open_to_anyone
from idp.web.machines.conduct import conduct
from idp.web.machines.reading import form_of


@open_to_anyone("clients authenticate in the request itself")
async def endpoint(request: Request) -> Response:
    """Say whether a token is in force (RFC 7662)."""
    service = service_of(request)
    form = await form_of(request)

    async def load(desk: Desk, fields: dict[str, str]) -> int | None:
        value = fields.get("token", "")
        if value.count(".") == 2:
            return await _access(service, desk, value)
        return await _refresh(service, desk, value)

    return await conduct(service, request, form, load, lambda asked: endpoint_response("introspection", asked))


async def _access(service: Service, desk: Desk, value: str) -> int | None:
    try:
        found = await access_tokens.check(
            value,
            memory_of(service),
            service.lane,
            service.settings.issuer,
            audience=None,
            recall="people" if desk.recall else "nothing",
        )
    except access_tokens.NotInForce:
        return None
    desk.loaded = Presented("Bearer", dict(found.claims), found.rests_on)
    return found.picture.epoch


async def _refresh(service: Service, desk: Desk, value: str) -> int | None:
    if not value:
        return None
    hashed = refresh_token.hash_of(value)
    [row] = await service.lane.fetch(refresh_token.LOAD, *liveness.moments(desk.picture, desk.now), hashed)
    ground = refresh_token.ground_of(row, hashed)
    if ground is None or ground.spent or desk.micros >= ground.expires_at:
        return int(row[0])
    found = ground.standing
    client = desk.picture.clients.get(ground.client_id)
    if liveness.refusal(found, client, desk.picture, desk.now, for_provider=found.provider_id) is None:
        claims = {
            "client_id": ground.client_id,
            "sub": ground.account_id,
            "sid": ground.session_id,
            "scope": ground.scope,
            "exp": ground.expires_at // 1_000_000,
            "iss": desk.issuer,
        }
        desk.loaded = Presented("refresh_token", claims)
    return int(row[0])
