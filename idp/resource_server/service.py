"""The app's own token: how it proves itself when it asks for decisions or hears revocations."""

import asyncio
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote_plus

import httpx2

from idp.resource_server.issuer import Issuer, read_object
from idp.resource_server.problems import IssuerUnavailable

LEASE = 0.9
"""Seconds for which an answer of the service may be acted on, counted from when it was asked for."""


class ServiceToken:
    """Keeps one client_credentials token, renewed a little before its end.

    The client authenticates with its secret by HTTP Basic (RFC 6749 2.3.1). The token is asked for the issuer as
    audience (RFC 8707), for decisions and the feed are the issuer's own APIs.
    """

    def __init__(
        self,
        issuer: Issuer,
        *,
        client_id: str,
        client_secret: str,
        scopes: tuple[str, ...] = ("access:evaluate", "signals:read"),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.client_id = client_id
        self._issuer = issuer
        self._client = httpx2.BasicAuth(quoted(client_id), quoted(client_secret))
        self._scopes = scopes
        self._now = monotonic
        self._token: str | None = None
        self._until = 0.0
        self._one_at_a_time = asyncio.Lock()

    async def get(self, *, instead_of: str | None = None) -> str:
        """Return a token in force; `instead_of` names one that was just refused. Raise IssuerUnavailable."""
        token = self._token
        if token is not None and token != instead_of and self._now() < self._until:
            return token
        async with self._one_at_a_time:
            if self._token is not None and self._token != instead_of and self._now() < self._until:
                return self._token
            form = {
                "grant_type": "client_credentials",
                "scope": " ".join(self._scopes),
                "resource": self._issuer.url,
            }
            status, answer = await post_form(self._issuer, "token_endpoint", form, self._client)
            token, life = answer.get("access_token"), answer.get("expires_in")
            if status != 200 or not isinstance(token, str):
                raise IssuerUnavailable(f"no token for this app: {answer.get('error', status)}")
            seconds = float(life) if isinstance(life, int | float) else 60.0
            self._token, self._until = token, self._now() + max(seconds - 30.0, seconds / 2)
            return token

    async def call(self, method: str, url: str, **more: Any) -> httpx2.Response:
        """Send a request with the token, once more with a new one after a 401; raise IssuerUnavailable."""
        token = await self.get()
        try:
            answer = await self._send(method, url, token, **more)
            if answer.status_code == 401:
                answer = await self._send(method, url, await self.get(instead_of=token), **more)
        except httpx2.HTTPError as problem:
            raise IssuerUnavailable(f"{url} did not answer: {type(problem).__name__}") from None
        return answer

    async def _send(self, method: str, url: str, token: str, **more: Any) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        return await self._issuer.http.request(method, url, headers=headers, **more)


async def post_form(
    issuer: Issuer, endpoint: str, form: dict[str, str], client: httpx2.BasicAuth
) -> tuple[int, dict[str, Any]]:
    """Post a form to an OAuth endpoint as this client; return status and JSON (empty for an empty body)."""
    where = await issuer.endpoint(endpoint)
    try:
        answer = await issuer.http.post(where, data=form, auth=client, headers={"Accept": "application/json"})
    except httpx2.HTTPError as problem:
        raise IssuerUnavailable(f"{endpoint} did not answer: {type(problem).__name__}") from None
    return answer.status_code, read_object(answer.content) if answer.content else {}


def quoted(value: str) -> str:
    """Encode a client id or secret for HTTP Basic as OAuth asks (RFC 6749 2.3.1)."""
    return quote_plus(value)
