"""Ask the identity service itself whether a token still holds (RFC 7662)."""

import time
from collections.abc import Callable

import httpx2

from idp.resource_server.issuer import Issuer
from idp.resource_server.problems import IssuerUnavailable
from idp.resource_server.service import LEASE, post_form, quoted


class Introspection:
    """Settles doubt about a token; used when the feed of revocations is stale."""

    def __init__(
        self,
        issuer: Issuer,
        *,
        client_id: str,
        client_secret: str,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._issuer = issuer
        self._now = monotonic
        self._client = httpx2.BasicAuth(quoted(client_id), quoted(client_secret))

    async def active(self, token: str) -> bool:
        """Say whether the token is active now; no usable answer is a no.

        A yes that took longer than the lease may have been overtaken by a revocation: it is asked for once more.
        """
        form = {"token": token, "token_type_hint": "access_token"}
        for _ in range(2):
            asked = self._now()
            try:
                status, answer = await post_form(self._issuer, "introspection_endpoint", form, self._client)
            except IssuerUnavailable:
                return False
            if status != 200 or answer.get("active") is not True:
                return False
            if self._now() - asked < LEASE:
                return True
        return False
