"""How we prove to an upstream who we are, where it knows us by a key: private_key_jwt (RFC 7523 3)."""

from datetime import timedelta

from idp import clock, entropy, signatures
from idp.federation.contract import AnswerRefused, Try

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_LIFE = timedelta(minutes=1)


def proof_of_us(attempt: Try, endpoint: str) -> dict[str, str]:
    """Return the form fields that prove us.

    The audience is the issuer alone, so that the assertion is of no use elsewhere (7523bis); communities in the
    manner of UDAP ask for the token endpoint and for our certificates in the header.
    """
    upstream = attempt.upstream
    if upstream.client_key is None:
        raise AnswerRefused("no_client_key")
    at = int(clock.micros(attempt.now) / 1_000_000)
    claims = {
        "iss": upstream.client_id,
        "sub": upstream.client_id,
        "aud": endpoint if upstream.certificates else upstream.issuer,
        "iat": at,
        "exp": at + int(_LIFE.total_seconds()),
        "jti": entropy.token(),
    }
    more = {"x5c": list(upstream.certificates)} if upstream.certificates else None
    fields = {
        "client_id": upstream.client_id,
        "client_assertion_type": TYPE,
        "client_assertion": signatures.sign(claims, upstream.client_key, more=more),
    }
    if upstream.certificates:
        fields["udap"] = "1"
    return fields
