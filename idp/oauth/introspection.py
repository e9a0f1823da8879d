"""Introspection (RFC 7662): only for the client a token was made for, or the API it is meant for."""

from dataclasses import dataclass
from typing import Any

from authlib.oauth2.rfc6749.errors import InvalidClientError, InvalidRequestError
from authlib.oauth2.rfc7662 import IntrospectionEndpoint

from idp.audit.events import Event
from idp.database.lane import RestsOn
from idp.oauth.client_facts import ClientFacts
from idp.oauth.desk import Asked, at_hand, client_of
from idp.oauth.memory import Picture

_TOLD = (
    "iss", "sub", "aud", "client_id", "exp", "iat", "jti", "scope", "sid", "auth_time", "acr", "amr", "provider",
    "channel", "authz_epoch", "terms", "via",
)  # fmt: skip


@dataclass(slots=True)
class Presented:
    """A token that was sent in, if it is in force; `claims` are those we tell."""

    kind: str
    claims: dict[str, Any]
    rests_on: RestsOn | None = None

    def is_expired(self) -> bool:
        """Only tokens in force get this far."""
        return False

    def is_revoked(self) -> bool:
        """Only tokens in force get this far."""
        return False

    def check_client(self, client: ClientFacts) -> bool:
        """Say whether the token was made for the client."""
        return bool(self.claims["client_id"] == client.client_id)


class Introspection(IntrospectionEndpoint):
    """Answers on what the web layer has loaded and judged."""

    def check_params(self, request: Any, client: Any) -> None:
        """A hint we do not know is ignored (RFC 7662 2.1)."""
        if not client_of(request).auth_method or client_of(request).auth_method == "none":
            raise InvalidClientError("A public client cannot introspect.", status_code=401)
        if not request.form.get("token"):
            raise InvalidRequestError("token is missing.")

    def query_token(self, token_string: str, token_type_hint: str | None) -> Presented | None:
        """Return the token when it is in force."""
        loaded = at_hand.get().loaded
        return loaded if isinstance(loaded, Presented) else None

    def check_permission(self, token: Presented, client: Any, request: Any) -> bool:
        """Its own client may ask, and the API that is its audience."""
        assert isinstance(request, Asked)
        return may_ask(token, client_of(request), request.desk.picture)

    def introspect_token(self, token: Presented) -> dict[str, Any]:
        """Tell what the token says."""
        told = {name: token.claims[name] for name in _TOLD if name in token.claims}
        return {"active": True, "token_type": token.kind, **told}

    def create_introspection_payload(self, token: Any) -> Any:
        """Record the answer with the commit."""
        desk = at_hand.get()
        answer = super().create_introspection_payload(token)  # type: ignore[no-untyped-call]
        claims = token.claims if token else {}
        desk.rests_on = (token.rests_on if token else None) or RestsOn(desk.picture.epoch)
        desk.events.append(
            Event(
                "oauth.token.introspected",
                account=claims.get("sub") if claims.get("sid") else None,
                provider=claims.get("provider"),
                session=claims.get("sid"),
                outcome="permit" if token else "deny",
                details={"jti": claims["jti"]} if "jti" in claims else {},
            )
        )
        return answer


def may_ask(token: Presented, client: ClientFacts, picture: Picture) -> bool:
    """Say whether a client may learn of a token (security.md 51)."""
    if token.check_client(client):
        return True
    server = picture.audiences.get(str(token.claims.get("aud")))
    return server is not None and server.client_id == client.client_id
