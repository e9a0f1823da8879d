"""Which API a token is for: the requested one, the client's only one, or ourselves (RFC 8707)."""

from authlib.oauth2 import OAuth2Error

from idp.oauth.client_facts import ClientFacts
from idp.oauth.memory import Picture


class InvalidTarget(OAuth2Error):
    """RFC 8707 2: the resource is unknown, or not this client's."""

    error = "invalid_target"


def audience_for(picture: Picture, issuer: str, client: ClientFacts, resource: str | None) -> str:
    """Return the audience; raise InvalidTarget for one that is unknown or not registered for the client."""
    if resource is None:
        return (
            client.audiences[0] if len(client.audiences) == 1 and client.audiences[0] in picture.audiences else issuer
        )
    if resource == issuer or (resource in client.audiences and resource in picture.audiences):
        return resource
    raise InvalidTarget("This client may not ask for tokens for this resource.")
