"""client_credentials: a service acts for itself (RFC 6749 4.4). No read but memory, one row written."""

from typing import Any

from authlib.oauth2.rfc6749 import grants
from authlib.oauth2.rfc6749.errors import InvalidScopeError, UnauthorizedClientError

from idp.audit.events import Event
from idp.database.lane import RestsOn
from idp.oauth.access_tokens import mint, new_jti
from idp.oauth.audiences import audience_for
from idp.oauth.client_facts import ClientFacts
from idp.oauth.desk import Asked, at_hand, client_of

OF_PEOPLE = frozenset({"openid", "profile", "email", "offline_access"})
"""Scopes that mean nothing without a person."""


class ClientCredentialsGrant(grants.ClientCredentialsGrant):
    """Issues a token whose subject is the client."""

    request: Asked

    def generate_token(self, *args: Any, scope: str | None = None, **kwargs: Any) -> dict[str, Any]:
        """Make the token; the row it leaves rests on the epoch its facts are of."""
        desk = at_hand.get()
        client = client_of(self.request)
        if not client.partner_in_good_standing:
            raise UnauthorizedClientError("partner_not_in_good_standing")
        allowed = _scope(client, scope)
        audience = audience_for(desk.picture, desk.issuer, client, self.request.payload.data.get("resource"))
        jti, listed = new_jti(), desk.listed(client)
        token, lifetime = mint(
            desk.picture,
            desk.issuer,
            client,
            subject=client.client_id,
            audience=audience,
            scope=allowed,
            now=desk.now,
            jti=jti,
            more=listed.claim(desk.issuer) if listed is not None else None,
        )
        details = {"grant": self.GRANT_TYPE, "jti": jti, "scope": allowed, "audience": audience}
        desk.events.append(
            Event("oauth.token.issued", client=client.client_id, channel=client.channel, details=details)
        )
        desk.rests_on = RestsOn(desk.picture.epoch)
        return {"access_token": token, "token_type": "Bearer", "expires_in": lifetime, "scope": allowed}


def _scope(client: ClientFacts, asked: str | None) -> str:
    """Return the scopes given: all the client has, or those it asks for; none beyond (RFC 6749 5.2)."""
    available = client.scopes - OF_PEOPLE
    if not asked:
        return " ".join(sorted(available))
    wanted = list(dict.fromkeys(asked.split()))
    if not wanted or not set(wanted) <= available:
        raise InvalidScopeError("The client is not registered for this scope.")
    return " ".join(wanted)
