"""ID tokens (OpenID Connect Core 2): made beside the access token, signed as the client asks."""

from typing import Any

from authlib.oidc.core.grants.code import OpenIDToken

from idp.oauth.client_facts import ClientFacts
from idp.oauth.desk import Asked, Desk, client_of
from idp.oauth.person import asked_claims, disclosed, known_of
from idp.oauth.person_tokens import Ground
from idp.signatures import half_hash, sign


class IdToken(OpenIDToken):
    """Adds `id_token` to the answers of the code and refresh grants when `openid` was given."""

    def encode_id_token(self, token: dict[str, Any], request: Any) -> str:
        """Make the token; a refreshed one has no nonce (Core 12.2)."""
        assert isinstance(request, Asked)
        ground = request.authorization_code or request.refresh_token
        assert isinstance(ground, Ground)
        nonce = ground.nonce if request.authorization_code else None
        return make(request.desk, client_of(request), ground, token["access_token"], nonce)


def make(desk: Desk, client: ClientFacts, ground: Ground, access_token: str, nonce: str | None) -> str:
    """Return a signed ID token of a person for a client."""
    now = desk.micros // 1_000_000
    found = ground.standing
    claims: dict[str, Any] = {
        "iss": desk.issuer,
        "sub": ground.account_id,
        "aud": client.client_id,
        "iat": now,
        "exp": now + int(desk.picture.configuration.clocks.id_token.total_seconds()),
        "auth_time": ground.auth_time // 1_000_000,
        "acr": ground.acr,
        "amr": ground.amr,
        "sid": ground.session_id,
        "at_hash": half_hash(access_token, client.id_token_alg),
    }
    if nonce is not None:
        claims["nonce"] = nonce
    if found.provider_id is not None:
        claims["provider"] = found.provider_id
        claims["provider_name"] = found.provider_name
    asked = asked_claims(ground.claims, "id_token")
    if asked:
        claims |= disclosed(known_of(ground.person, found), frozenset(), asked)
    return sign(claims, desk.picture.keys.signer(client.id_token_alg))
