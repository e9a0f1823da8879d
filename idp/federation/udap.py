"""Find an identity provider by its address in the manner of HL7 UDAP tiered OAuth, and become its client.

The provider's metadata are believed because they are signed by a certificate of a community we are registered
in; what is not signed is compared with what is. Nobody is trusted for being reachable.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography.x509 import Certificate

from idp import clock, entropy, signatures
from idp.federation.certificates import Untrusted, encoded, names_of, public_pem, trusted_chain
from idp.federation.revoked import Lists
from idp.outbound import Outbound
from idp.signatures import BadToken, Key, Keys

ALGORITHMS = ("ES256", "ES384", "RS256")
_YEAR = timedelta(days=366)
_STATEMENT = timedelta(minutes=5)
_SIGNED = ("authorization_endpoint", "token_endpoint", "registration_endpoint")
_OPENID = ("authorization_endpoint", "token_endpoint")


@dataclass(frozen=True, slots=True)
class Community:
    """A trust community as discovery sees it."""

    id: str
    partner_id: str
    anchors: str
    certificates: str
    key: Key


@dataclass(frozen=True, slots=True)
class Found:
    """A provider a community vouches for; every address is signed."""

    issuer: str
    name: str
    authorization_endpoint: str
    token_endpoint: str
    registration_endpoint: str


def discover(
    outbound: Outbound, issuer: str, community: Community, lists: Lists, *, now: datetime, leeway: timedelta
) -> Found:
    """Read `/.well-known/udap` and believe what is signed in it.

    Raises Untrusted, OutboundFailed (HL7 UDAP Security, server metadata and its signed form).
    """
    answer = outbound.get(issuer.rstrip("/") + "/.well-known/udap")
    token = answer.body.get("signed_metadata")
    if answer.status != 200 or not isinstance(token, str):
        raise Untrusted("metadata")
    chain, said = _believed(token, issuer, community, now, leeway)
    lists.refuse_revoked(outbound, chain, now)
    for name in _SIGNED:
        if not outbound.allowed(said.get(name)):
            raise Untrusted("endpoint")
        if answer.body.get(name, said[name]) != said[name]:
            raise Untrusted("endpoint_differs")
    openid = outbound.get(issuer.rstrip("/") + "/.well-known/openid-configuration")
    if openid.status != 200 or openid.body.get("issuer") != issuer:
        raise Untrusted("openid_issuer")
    if any(openid.body.get(name) != said[name] for name in _OPENID):
        raise Untrusted("endpoint_differs")
    name = answer.body.get("community_name") or issuer.removeprefix("https://")
    return Found(issuer, str(name)[:100], *(str(said[one]) for one in _SIGNED))


def _believed(
    token: str, issuer: str, community: Community, now: datetime, leeway: timedelta
) -> tuple[list[Certificate], Mapping[str, Any]]:
    try:
        header = signatures.unverified_header(token, limit=signatures.CERTIFIED_LIMIT)
        chain = trusted_chain(header.get("x5c"), community.anchors, now)
        leaf = chain[0]
        if issuer not in names_of(leaf):
            raise Untrusted("certificate_name")
        claims = signatures.verify(
            token,
            Keys([signatures.key_from_pem(public_pem(leaf))]),
            algorithms=ALGORITHMS,
            issuer=issuer,
            audience=None,
            now=now,
            leeway=leeway,
            required=("iss", "sub", "exp", "iat", "jti"),
            certified=True,
        )
    except BadToken as problem:
        raise Untrusted(f"signed_metadata_{problem.reason}") from problem
    if claims["sub"] != issuer:
        raise Untrusted("metadata_subject")
    if clock.from_micros(int(claims["exp"] * 1_000_000)) - now > _YEAR:
        raise Untrusted("metadata_lifetime")
    return chain, claims


def enlist(
    outbound: Outbound, found: Found, community: Community, *, callback: str, us: str, name: str, now: datetime
) -> str:
    """Register with the provider by a statement our certificate signs; return our client id there.

    `us` is the URI our certificate is for. Raises Untrusted, OutboundFailed (UDAP dynamic client registration 3).
    """
    at = int(clock.micros(now) / 1_000_000)
    statement = {
        "iss": us,
        "sub": us,
        "aud": found.registration_endpoint,
        "iat": at,
        "exp": at + int(_STATEMENT.total_seconds()),
        "jti": entropy.token(),
        "client_name": name,
        "redirect_uris": [callback],
        "grant_types": ["authorization_code"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "private_key_jwt",
        "scope": "openid udap",
    }
    signed = signatures.sign(statement, community.key, more={"x5c": list(encoded(community.certificates))})
    answer = outbound.post_json(found.registration_endpoint, {"software_statement": signed, "udap": "1"})
    client_id = answer.body.get("client_id")
    if answer.status not in (200, 201) or not isinstance(client_id, str) or not 1 <= len(client_id) <= 255:
        raise Untrusted("registration")
    return client_id
