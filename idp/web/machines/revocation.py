"""POST /oauth/revoke."""

from starlette.requests import Request
from starlette.responses import Response

from idp import clock
from idp.oauth import access_tokens, liveness
from idp.oauth.desk import Desk
from idp.oauth.grants import refresh_token
from idp.oauth.memory import Memory
from idp.oauth.server import endpoint_response
from idp.oauth.status_list.allotment import place_of
from idp.oauth.token_revocation import Given
from idp.signatures import BadToken
from idp.web.bearer import memory_of
from idp.web.boundary import service_of
from idp.web.guards import open_to_anyone
from idp.web.machines.conduct import conduct
from idp.web.machines.reading import form_of


@open_to_anyone("clients authenticate in the request itself")
async def endpoint(request: Request) -> Response:
    """Revoke a token (RFC 7009); one we do not know is answered the same."""
    service = service_of(request)
    form = await form_of(request)

    async def load(desk: Desk, fields: dict[str, str]) -> int | None:
        value = fields.get("token", "")
        if value.count(".") == 2:
            desk.loaded = _access(desk, memory_of(service), value)
            return None
        if not value:
            return None
        hashed = refresh_token.hash_of(value)
        [row] = await service.lane.fetch(refresh_token.LOAD, *liveness.moments(desk.picture, desk.now), hashed)
        ground = refresh_token.ground_of(row, hashed)
        if ground is not None:
            desk.loaded = Given(ground.client_id, family_id=ground.family_id, account_id=ground.standing.account_id)
        return int(row[0])

    return await conduct(service, request, form, load, lambda asked: endpoint_response("revocation", asked))


def _access(desk: Desk, memory: Memory, value: str) -> Given | None:
    try:
        claims = access_tokens.read_claims(value, memory, desk.picture, desk.issuer, audience=None, now=desk.now)
    except BadToken:
        return None
    ends = clock.from_micros(int(claims["exp"]) * 1_000_000) + desk.picture.leeway
    return Given(
        str(claims["client_id"]),
        jti=str(claims["jti"]),
        expires_at=clock.micros(ends),
        account_id=str(claims["sub"]) if "sid" in claims else None,
        listed=place_of(claims),
    )
