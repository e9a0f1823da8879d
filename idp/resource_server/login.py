"""Sign people in: authorization code with PKCE S256, state, nonce and the issuer check, for server-side apps.

Each try is kept here, bound to one browser, and works once (security.md 31, 47; RFC 9700). Tokens stay on the
server; the browser holds only the app's own cookie.
"""

import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx2

from idp.resource_server.issuer import Issuer
from idp.resource_server.problems import IssuerUnavailable, SignedOut, SignInFailed, TokenRefused
from idp.resource_server.service import post_form, quoted
from idp.resource_server.verify import AccessToken, Verifier

_CLAIMS = '{"id_token":{"name":null}}'
_REFUSED = {
    "provider_not_granted": "You don't work for that practice any more, or never did. Your page at the identity "
    "service says what ended, and whom to ask.",
    "channel_not_enabled": "The practice does not let this app be used for it. Ask one of its access managers.",
}
"""What is refused for the person's practice, by the reason that comes along; anything else can be tried again."""
_LOST = "This sign-in has expired or was started in another browser. Start again."


@dataclass(frozen=True, slots=True)
class Tokens:
    """What one sign-in brought; kept on the server."""

    access: AccessToken
    id_token: str = field(repr=False)
    person: Mapping[str, Any] = field(repr=False)
    """Claims of the ID token."""
    refresh_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Finished:
    """A sign-in that came to its end."""

    tokens: Tokens
    return_to: str
    """Path of this app the person was on."""
    step_up: tuple[str | None, int | None] | None
    """The (acr_values, max_age) that were asked for, if this was a step-up."""


@dataclass(frozen=True, slots=True)
class _Try:
    browser: bytes
    nonce: str
    verifier: str
    return_to: str
    step_up: tuple[str | None, int | None] | None
    until: float


class SignIn:
    """Sends browsers to the identity service and takes them back."""

    def __init__(
        self,
        issuer: Issuer,
        *,
        client_id: str,
        client_secret: str,
        redirect_uri: str,
        post_logout_redirect_uri: str,
        access_tokens: Verifier,
        id_tokens: Verifier,
        resource: str | None = None,
        scopes: tuple[str, ...] = ("openid", "profile"),
        life: float = 600.0,
        most: int = 10_000,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take what is registered for this client; `life` is how many seconds a try may last."""
        self._issuer = issuer
        self._client_id = client_id
        self._client = httpx2.BasicAuth(quoted(client_id), quoted(client_secret))
        self._redirect_uri, self._after_logout = redirect_uri, post_logout_redirect_uri
        self._access, self._id = access_tokens, id_tokens
        self._resource, self._scopes = resource, scopes
        self._life, self._most = life, most
        self._now = monotonic
        self._tries: dict[bytes, _Try] = {}

    async def begin(
        self,
        browser: str,
        *,
        return_to: str,
        acting_for: str | None = None,
        acr_values: str | None = None,
        max_age: int | None = None,
        prompt: str | None = None,
    ) -> str:
        """Return the address to send this browser to; `return_to` is a path of this app.

        `acr_values` and `max_age` (seconds) come from a step-up answer, `acting_for` keeps the practice.
        Raises IssuerUnavailable when the identity service cannot be reached.
        """
        where = await self._issuer.endpoint("authorization_endpoint")
        self._make_room()
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        step_up = None if acr_values is None and max_age is None else (acr_values, max_age)
        until = self._now() + self._life
        self._tries[_hash(state)] = _Try(_hash(browser), nonce, verifier, own_path(return_to), step_up, until)
        wanted = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": self._redirect_uri,
            "scope": " ".join(self._scopes),
            "state": state,
            "nonce": nonce,
            "code_challenge": urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
            "resource": self._resource,
            "acting_for": acting_for,
            "acr_values": acr_values,
            "max_age": None if max_age is None else str(max_age),
            # The name for the page's head: tokens made for this app are not good for userinfo.
            "claims": _CLAIMS,
            "prompt": prompt,
        }
        return where + "?" + urlencode({name: value for name, value in wanted.items() if value is not None})

    async def finish(self, browser: str | None, answer: Mapping[str, str]) -> Finished:
        """Take the browser back: check the answer, spend the code, verify the tokens; return what came of it.

        Raises SignInFailed with a sentence for the person.
        """
        found = self._tries.pop(_hash(answer.get("state", "")), None)
        if found is None or browser is None or found.browser != _hash(browser) or self._now() >= found.until:
            raise SignInFailed("lost", _LOST)
        # Before anything of the answer is used: it must come from the one issuer this app trusts (RFC 9207).
        if answer.get("iss") != self._issuer.url:
            raise SignInFailed("wrong_issuer", "The answer did not come from the identity service. Start again.")
        if "error" in answer:
            refused = _REFUSED.get(answer.get("error_description", "")) if answer["error"] == "access_denied" else None
            raise SignInFailed(answer["error"][:100], refused or "You were not signed in. You can start again.")
        form = {
            "grant_type": "authorization_code",
            "code": answer.get("code", ""),
            "redirect_uri": self._redirect_uri,
            "code_verifier": found.verifier,
        }
        try:
            status, body = await post_form(self._issuer, "token_endpoint", form, self._client)
            _must_be_ok(status, body)
            tokens = await self._tokens(body, nonce=found.nonce)
        except IssuerUnavailable as problem:
            raise SignInFailed("unavailable", "We can't sign you in just now. Try again in a moment.") from problem
        except TokenRefused as problem:
            raise SignInFailed("token_refused", "The identity service's answer was not acceptable.") from problem
        return Finished(tokens, found.return_to, found.step_up)

    async def refresh(self, tokens: Tokens) -> Tokens:
        """Return new tokens; raise SignedOut when the identity service says no.

        Call this only while serving a person's request: a refresh counts as activity (decisions.md 3). Raises
        IssuerUnavailable when it cannot be asked; the old tokens are then as good as they were.
        """
        if tokens.refresh_token is None:
            raise SignedOut("no refresh token")
        form = {"grant_type": "refresh_token", "refresh_token": tokens.refresh_token}
        status, body = await post_form(self._issuer, "token_endpoint", form, self._client)
        if status >= 500 or status == 429:
            raise IssuerUnavailable(f"the token endpoint answered {status}")
        if status != 200:
            raise SignedOut(f"{body.get('error', status)}: {body.get('error_description', '')}")
        try:
            return await self._tokens(body, nonce=tokens.person.get("nonce"), earlier=tokens)
        except TokenRefused as problem:
            raise SignedOut(problem.reason) from problem

    async def sign_out(self, tokens: Tokens) -> str:
        """End the token family (RFC 7009); return where to send the browser to end the session too."""
        if tokens.refresh_token is not None:
            try:
                form = {"token": tokens.refresh_token, "token_type_hint": "refresh_token"}
                await post_form(self._issuer, "revocation_endpoint", form, self._client)
            except IssuerUnavailable:
                pass  # the browser is about to end the session, and with it the family
        where = await self._issuer.endpoint("end_session_endpoint")
        wanted = {
            "id_token_hint": tokens.id_token,
            "client_id": self._client_id,
            "post_logout_redirect_uri": self._after_logout,
        }
        return where + "?" + urlencode(wanted)

    async def _tokens(self, body: Mapping[str, Any], *, nonce: str | None, earlier: Tokens | None = None) -> Tokens:
        raw, id_token = body.get("access_token"), body.get("id_token")
        if not isinstance(raw, str) or str(body.get("token_type", "")).lower() != "bearer":
            raise TokenRefused("no bearer token in the answer")
        access = await self._access.access_token(raw)
        if isinstance(id_token, str):
            person = await self._id.id_token(id_token, nonce=nonce, access_token=raw, refreshed=earlier is not None)
        elif earlier is not None:
            id_token, person = earlier.id_token, earlier.person
        else:
            raise TokenRefused("no ID token in the answer")
        if person["sub"] != access.subject or (earlier is not None and earlier.access.subject != access.subject):
            raise TokenRefused("the tokens speak of different people")
        refresh = body.get("refresh_token")
        if not isinstance(refresh, str):
            refresh = earlier.refresh_token if earlier is not None else None
        return Tokens(access, id_token, person, refresh)

    def _make_room(self) -> None:
        if len(self._tries) < self._most:
            return
        now = self._now()
        self._tries = {state: each for state, each in self._tries.items() if each.until > now}
        while len(self._tries) >= self._most:
            del self._tries[next(iter(self._tries))]


def _must_be_ok(status: int, body: Mapping[str, Any]) -> None:
    if status != 200:
        raise TokenRefused(str(body.get("error", status)))


def own_path(where: str) -> str:
    """Return `where` when it is a path of this app, `/` otherwise: no open redirect."""
    parts = urlsplit(where)
    fine = not parts.scheme and not parts.netloc and where.startswith("/") and not where.startswith(("//", "/\\"))
    return where if fine and where.isprintable() and "\\" not in where else "/"


def _hash(value: str) -> bytes:
    return sha256(value.encode()).digest()
