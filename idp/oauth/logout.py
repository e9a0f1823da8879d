"""RP-initiated logout 1.0: who asks, whose session, and where the browser may go afterwards."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from idp.errors import Refused
from idp.oauth.client_facts import ClientFacts
from idp.oauth.memory import Picture
from idp.oauth.parameters import read_hint
from idp.signatures import BadToken


class BadLogout(Refused):
    """The app's sign-out request is wrong; nobody is redirected and nobody signed out by it."""

    status = 400
    code = "invalid_request"
    title = "The app sent a sign-out request we can't accept"


@dataclass(frozen=True, slots=True)
class LogoutRequest:
    """A sign-out request that may be acted on."""

    client: ClientFacts | None
    session_id: str | None
    """The session a valid hint names."""
    subject: str | None
    goes_to: str | None
    """Proven address with state, or None for our own page."""


def understand(picture: Picture, issuer: str, now: datetime, pairs: Sequence[tuple[str, str]]) -> LogoutRequest:
    """Check a request; raise BadLogout. The address must be registered exactly (security.md 49)."""
    values = {name: value for name, value in pairs if value}
    if len({name for name, _ in pairs}) != len(pairs):
        raise BadLogout("A parameter was sent more than once.")
    if any(len(value) > 8192 or "\x00" in value for value in values.values()):
        raise BadLogout("A parameter is too long.")
    hint = values.get("id_token_hint")
    claims = None
    if hint is not None:
        try:
            claims = read_hint(picture, issuer, now, hint)
        except BadToken:
            raise BadLogout("The app did not prove who is to be signed out.") from None
    client_id = values.get("client_id") or (claims["aud"] if claims else None)
    if claims is not None and client_id != claims["aud"]:
        raise BadLogout("The app's name and its proof do not match.")
    client = picture.clients.get(str(client_id)) if client_id else None
    if client_id is not None and client is None:
        raise BadLogout("We don't know the app that sent you here.")
    address, state = values.get("post_logout_redirect_uri"), values.get("state")
    if address is not None and client is not None and address not in client.post_logout_redirect_uris:
        raise BadLogout("The app asked to send you to an address it has not registered.")
    goes_to = None
    if address is not None and client is not None:
        goes_to = address
        if state is not None:
            goes_to += ("&" if "?" in address else "?") + urlencode({"state": state})
    return LogoutRequest(
        client=client,
        session_id=str(claims["sid"]) if claims else None,
        subject=str(claims["sub"]) if claims else None,
        goes_to=goes_to,
    )
