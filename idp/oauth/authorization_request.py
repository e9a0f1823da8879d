"""An authorization request, understood: nothing is redirected before client and address are proven.

RFC 6749 4.1.1, OpenID Connect Core 3.1.2, RFC 8707, RFC 9700; security.md 40 to 42, 50.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, NoReturn
from urllib.parse import parse_qsl, urlsplit

from authlib.oauth2 import OAuth2Error

from idp.accounts.flows import FlowLost
from idp.audit.events import Event
from idp.errors import OAuthRefused
from idp.oauth import parameters
from idp.oauth.audiences import audience_for
from idp.oauth.client_facts import ClientFacts
from idp.oauth.desk import Asked, Desk, at_hand
from idp.oauth.discovery import RESPONSE_MODES
from idp.oauth.memory import Picture
from idp.oauth.server import server

PATH = "/oauth/authorize"
LONGEST = 4096
"""Characters one parameter may have; a browser's address has to carry them all."""


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """What the app asks for."""

    client: ClientFacts
    redirect_uri: str
    redirect_uri_given: bool
    state: str | None
    scope: str
    audience: str
    nonce: str | None = None
    challenge: str | None = None
    prompts: frozenset[str] = frozenset()
    max_age: int | None = None
    acr: str | None = None
    """The least strength that answers the request; None when any will do."""
    subject: str | None = None
    """Who must be signed in: from id_token_hint or a claims request."""
    login_hint: str | None = None
    response_mode: str = "query"
    idp: str | None = None
    acting_for: str | None = None
    claims: dict[str, Any] | None = None
    values: dict[str, str] = field(default_factory=dict, repr=False)
    grant: Any = field(default=None, repr=False, compare=False)
    """Authlib's grant, which has checked this very request: it makes the code (codes.py)."""

    def refuse(self, error: str, detail: str) -> NoReturn:
        """Send an error to the app."""
        raise OAuthRefused(
            error, detail, redirect_uri=self.redirect_uri, state=self.state, response_mode=self.response_mode
        )

    @property
    def silent(self) -> bool:
        """Say whether no page may be shown."""
        return "none" in self.prompts

    @property
    def redirect_origin(self) -> str:
        """Return where the browser is sent in the end, as `form-action` needs it."""
        parts = urlsplit(self.redirect_uri)
        return f"{parts.scheme}://{parts.netloc}" if parts.scheme in ("http", "https") else f"{parts.scheme}:"


def pairs_of(query: bytes) -> list[tuple[str, str]]:
    """Decode a query strictly; raise OAuthRefused for what cannot be."""
    try:
        return parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=100)
    except ValueError:
        raise OAuthRefused("invalid_request", "The request could not be decoded.") from None


def pairs_of_target(target: str) -> list[tuple[str, str]]:
    """Decode the request a journey goes on with; raise FlowLost where it goes elsewhere."""
    parts = urlsplit(target)
    if parts.path != PATH:
        raise FlowLost
    return parse_qsl(parts.query, keep_blank_values=True)


def understand(
    picture: Picture, issuer: str, now: datetime, pairs: Sequence[tuple[str, str]], *, pushed: bool = False
) -> AuthorizationRequest:
    """Check a request; raise OAuthRefused, with a redirect address only once that is proven.

    `pushed`: the app sent it ahead, or the authorize endpoint began a journey with it; a client registered so may
    bring it no other way. A journey that a link of ours began (`next`) carries what the browser brought, unchecked.
    """
    client, redirect_uri, given = _prove_address(picture, pairs)
    values = {name: value for name, value in pairs if value}
    state = values.get("state")
    mode = values.get("response_mode", "query")

    def refuse(error: str, detail: str) -> NoReturn:
        wanted = mode if mode in RESPONSE_MODES else "query"
        raise OAuthRefused(error, detail, redirect_uri=redirect_uri, state=state, response_mode=wanted)

    twice = {name for name, times in Counter(name for name, _ in pairs).items() if times > 1}
    if twice:
        raise OAuthRefused(
            "invalid_target" if twice == {"resource"} else "invalid_request",  # RFC 8707 2
            "A parameter was sent more than once.",
            redirect_uri=redirect_uri,
            state=None if "state" in twice else state,
        )
    if client.channel not in picture.configuration.channels:
        refuse("unauthorized_client", "channel_not_enabled")
    if client.require_par and not pushed:
        refuse("invalid_request", "This app has to push its requests first (RFC 9126).")
    if any(len(value) > LONGEST or "\x00" in value for value in values.values()):
        refuse("invalid_request", "A parameter is too long or holds a character that cannot be used.")
    for name, error in _NOT_HERE.items():
        if name in values:
            refuse(error, f"{name} is not supported.")
    if "response_type" not in values:
        refuse("invalid_request", "response_type is missing.")
    if values["response_type"] != "code":
        refuse("unsupported_response_type", "Only the code flow exists here.")
    if mode not in RESPONSE_MODES:
        refuse("invalid_request", "This response_mode is not supported.")
    claims = parameters.claims(values, refuse)
    try:
        grant = _framework_checks(picture, issuer, now, values)
        audience = audience_for(picture, issuer, client, values.get("resource"))
    except OAuth2Error as problem:
        refuse(str(problem.error), str(problem.description or ""))
    return AuthorizationRequest(
        client=client,
        redirect_uri=redirect_uri,
        redirect_uri_given=given,
        state=state,
        scope=str(grant.request.scope),
        audience=audience,
        nonce=values.get("nonce"),
        challenge=values.get("code_challenge"),
        prompts=parameters.prompts(values, refuse),
        max_age=parameters.max_age(values, refuse),
        acr=parameters.strength(values, claims),
        subject=parameters.subject(partial(parameters.read_hint, picture, issuer, now), values, claims, refuse),
        login_hint=values.get("login_hint"),
        response_mode=mode,
        idp=values.get("idp"),
        acting_for=values.get("acting_for"),
        claims=claims,
        values=values,
        grant=grant,
    )


_NOT_HERE = {
    "request": "request_not_supported",
    "request_uri": "request_uri_not_supported",
    "registration": "registration_not_supported",
}


def _prove_address(picture: Picture, pairs: Sequence[tuple[str, str]]) -> tuple[ClientFacts, str, bool]:
    """Return client and redirect address; anything wrong here is shown to the person, never redirected."""

    def only(name: str) -> str | None:
        found = [value for key, value in pairs if key == name]
        if len(found) > 1:
            raise OAuthRefused("invalid_request", f"The app sent {name} more than once.")
        return found[0] if found and found[0] else None

    client_id, redirect_uri = only("client_id"), only("redirect_uri")
    client = picture.clients.get(client_id or "")
    if client is None or client.status != "active":
        raise OAuthRefused("invalid_client", "We don't know the app that sent you here.", status=400)
    if redirect_uri is None:
        scope = next((value for key, value in pairs if key == "scope"), "")
        default = client.get_default_redirect_uri()
        if default is None or "openid" in scope.split():
            raise OAuthRefused("invalid_request", "The app did not say where to send you back to.")
        return client, default, False
    if not client.check_redirect_uri(redirect_uri):
        raise OAuthRefused("invalid_request", "The app asked to send you to an address it has not registered.")
    return client, redirect_uri, True


def _framework_checks(picture: Picture, issuer: str, now: datetime, values: dict[str, str]) -> Any:
    """Let Authlib check response type, scope and PKCE; return its grant, which knows the scope that can be given."""
    desk = Desk(picture, issuer, now, no_row)
    asked = Asked(desk, "GET", PATH, values)
    before = at_hand.set(desk)
    try:
        return server().get_consent_grant(asked)  # type: ignore[no-untyped-call]
    finally:
        at_hand.reset(before)


def no_row(event: Event) -> tuple[Any, ...]:
    """Stand where a desk records, in requests that only check."""
    raise AssertionError("nothing is recorded while a request is only checked")
