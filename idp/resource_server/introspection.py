"""Ask the identity service itself whether a token still holds (RFC 7662)."""

import httpx2

from idp.resource_server.issuer import Issuer
from idp.resource_server.problems import IssuerUnavailable
from idp.resource_server.service import post_form, quoted


class Introspection:
    """Settles doubt about a token; used when the feed of revocations is stale."""

    def __init__(self, issuer: Issuer, *, client_id: str, client_secret: str) -> None:
        self._issuer = issuer
        self._client = httpx2.BasicAuth(quoted(client_id), quoted(client_secret))

    async def active(self, token: str) -> bool:
        """Say whether the token is active now; no usable answer is a no."""
        form = {"token": token, "token_type_hint": "access_token"}
        try:
            status, answer = await post_form(self._issuer, "introspection_endpoint", form, self._client)
        except IssuerUnavailable:
            return False
        return status == 200 and answer.get("active") is True
