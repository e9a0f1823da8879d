"""How a client proves who it is: only by the one method it is registered for (security.md 45)."""

import base64
from datetime import timedelta
from urllib.parse import unquote_plus

from authlib.oauth2.rfc6749.errors import InvalidClientError, InvalidRequestError

from idp import clock
from idp.oauth.client_facts import ClientFacts
from idp.oauth.desk import Asked
from idp.signatures import BadToken, unverified_claims, unverified_header, verify

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_ALGORITHMS = ("ES256", "RS256", "PS256", "Ed25519")
TYP = "client-authentication+jwt"
"""What 7523bis calls an assertion; the older plain JWT is accepted too."""


def authenticate(request: Asked) -> ClientFacts:
    """Return the client; raise InvalidClientError or, for two methods at once, InvalidRequestError.

    One sentence for every failure: which part was wrong helps only who guesses.
    """
    form = request.form
    basic = (request.headers or {}).get("authorization", "")
    methods = [
        name
        for name, used in (
            ("client_secret_basic", basic[:6].lower() == "basic "),
            ("client_secret_post", "client_secret" in form),
            ("private_key_jwt", "client_assertion" in form or "client_assertion_type" in form),
        )
        if used
    ]
    if len(methods) > 1:
        raise InvalidRequestError("Use one method of client authentication only.")
    method = methods[0] if methods else "none"
    status = 401 if basic else None
    client_id, secret = form.get("client_id"), form.get("client_secret")
    if method == "client_secret_basic":
        client_id, secret = _basic(basic)
        if form.get("client_id", client_id) != client_id:
            raise InvalidRequestError("client_id differs from the authenticated client.")
    elif method == "private_key_jwt":
        client_id = _asserted_client(form.get("client_assertion", ""), client_id)
    client = request.desk.picture.clients.get(client_id or "")
    if client is None or client.status != "active" or method != client.auth_method:
        raise _failed(status)
    if method in ("client_secret_basic", "client_secret_post"):
        if not client.check_client_secret(secret or ""):
            raise _failed(status)
    elif method == "private_key_jwt":
        _check_assertion(request, client)
    request.auth_method = method
    return client


def _failed(status: int | None) -> InvalidClientError:
    # 401 for every failure: the strictest clients look at it, and RFC 6749 5.2 allows it everywhere.
    return InvalidClientError("Client authentication failed.", status_code=status or 401)


def _basic(header: str) -> tuple[str, str]:
    """Read HTTP Basic; id and secret are form-encoded inside (RFC 6749 2.3.1)."""
    try:
        decoded = base64.b64decode(header[6:].strip(), validate=True).decode("utf-8")
    except ValueError:  # not ASCII, not base64, not UTF-8
        raise _failed(401) from None
    client_id, colon, secret = decoded.partition(":")
    if not colon:
        raise _failed(401)
    return unquote_plus(client_id), unquote_plus(secret)


def _asserted_client(assertion: str, stated: str | None) -> str:
    try:
        claims = unverified_claims(assertion)
    except BadToken:
        raise _failed(None) from None
    subject = claims.get("sub")
    if not isinstance(subject, str) or claims.get("iss") != subject or (stated is not None and stated != subject):
        raise _failed(None)
    return subject


def _check_assertion(request: Asked, client: ClientFacts) -> None:
    """Verify RFC 7523 3 with the audience of 7523bis: the issuer alone. The jti is spent with the commit."""
    desk = request.desk
    assertion = request.form.get("client_assertion", "")
    limit = desk.picture.configuration.clocks.client_assertion
    if request.form.get("client_assertion_type") != ASSERTION_TYPE or client.keys is None:
        raise _failed(None)
    try:
        typ = str(unverified_header(assertion).get("typ", "jwt")).lower().removeprefix("application/")
        claims = verify(
            assertion,
            client.keys,
            algorithms=ASSERTION_ALGORITHMS,
            typ=TYP if typ == TYP else None,
            issuer=client.client_id,
            audience=desk.issuer,
            now=desk.now,
            leeway=desk.picture.leeway,
            required=("exp", "jti", "sub"),
        )
    except BadToken:
        raise _failed(None) from None
    jti, ends = claims["jti"], clock.from_micros(int(claims["exp"] * 1_000_000))
    begins = clock.from_micros(int(claims["iat"] * 1_000_000)) if "iat" in claims else desk.now
    too_long = ends - desk.now > limit + desk.picture.leeway or ends - begins > limit + timedelta(seconds=1)
    audience = claims["aud"]
    if too_long or audience not in (desk.issuer, [desk.issuer]) or not isinstance(jti, str) or len(jti) > 256:
        raise _failed(None)
    desk.assertion = (client.client_id, jti, clock.micros(ends + desk.picture.leeway))
