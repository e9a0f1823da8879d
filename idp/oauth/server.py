"""Authlib's AuthorizationServer with our storage and plain answers.

Nothing here reads or writes: grants work on the desk of the request (desk.py), and the web layer turns
an Answer into a response.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import AuthorizationServer

from idp.oauth.client_authentication import authenticate
from idp.oauth.desk import Asked, Desk, at_hand


@dataclass(frozen=True, slots=True)
class Answer:
    """What the framework answered."""

    status: int
    body: Any
    headers: list[tuple[str, str]] = field(default_factory=list)
    error: str | None = None


class Server(AuthorizationServer):
    """The framework's seams, filled in."""

    def query_client(self, client_id: str) -> Any:
        """Return a usable client from memory."""
        client = at_hand.get().picture.clients.get(client_id)
        return client if client is not None and client.status == "active" else None

    def authenticate_client(self, request: Any, methods: Any, endpoint: str = "token") -> Any:
        """Authenticate by the client's one registered method."""
        client = authenticate(request)
        request.client = client
        return client

    def create_oauth2_request(self, request: Any) -> Asked:
        """Requests arrive ready made."""
        assert isinstance(request, Asked)
        return request

    def handle_response(self, status: int, body: Any, headers: Any) -> Answer:
        """Hand the answer to the web layer."""
        return Answer(status, body, headers or [])

    def handle_error_response(self, request: Any, error: OAuth2Error) -> Answer:
        """Hand a refusal to the web layer."""
        status, body, headers = error()
        return Answer(status, body, headers or [], error.error)

    def save_token(self, token: Any, request: Any) -> None:
        """Grants collect their own writes; nothing to do when the token is made."""

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Events are recorded with the commit, not signalled before it."""


@lru_cache(maxsize=1)
def server() -> Server:
    """Return the one server of this process, with its grants and endpoints."""
    from idp.oauth.grants.authorization_code import AuthorizationCodeGrant, OurCodeChallenge
    from idp.oauth.grants.client_credentials import ClientCredentialsGrant
    from idp.oauth.grants.refresh_token import RefreshTokenGrant
    from idp.oauth.id_tokens import IdToken
    from idp.oauth.introspection import Introspection
    from idp.oauth.token_revocation import Revocation

    made = Server()
    made.register_grant(AuthorizationCodeGrant, [OurCodeChallenge(required=True), IdToken()])
    made.register_grant(RefreshTokenGrant, [IdToken()])
    made.register_grant(ClientCredentialsGrant)
    made.register_endpoint(Introspection)
    made.register_endpoint(Revocation)
    return made


def token_response(request: Asked) -> Answer:
    """Run the token endpoint on a request."""
    return _with(request.desk, server().create_token_response, request)


def endpoint_response(name: str, request: Asked) -> Answer:
    """Run introspection or revocation on a request."""
    return _with(request.desk, server().create_endpoint_response, name, request)


def _with(desk: Desk, call: Any, *values: Any) -> Answer:
    before = at_hand.set(desk)
    try:
        answer = call(*values)
    finally:
        at_hand.reset(before)
    assert isinstance(answer, Answer)
    return answer
