"""Verify tokens offline with python-jose, every option fixed.

python-jose 3.5.0 left to itself takes the algorithm from the token (a DER public key then passes as an HMAC
secret), ignores `crit`, checks no `typ`, and accepts a token without `aud` although one was asked for. So here
the algorithm is pinned twice (by us and by the key), the key is a constructed object found by its id, the
header and every claim we rely on are checked by hand, and sizes are limited before anything is decoded
(security.md 53 to 57; RFC 9068, RFC 8725).
"""

import binascii
import json
import re
import time
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from jose import jwt
from jose.backends.base import Key
from jose.exceptions import JOSEError

from idp.resource_server.problems import TokenRefused

ALGORITHMS = ("ES256", "RS256")
"""What the kit can be asked to accept; anything else, HMAC and `none` above all, has no way in."""
MAX_TOKEN = 8_000
"""Characters; longer tokens are refused before decoding."""
_PART = re.compile(r"^[A-Za-z0-9_-]+$")
_FORBIDDEN = ("crit", "b64", "jwk", "jku", "x5u", "x5c", "zip", "enc", "cty")
_OPTIONS: dict[str, Any] = {
    "verify_signature": True,
    "verify_aud": True,
    "verify_iat": True,
    "verify_exp": True,
    "verify_nbf": True,
    "verify_iss": True,
    "verify_sub": True,
    "verify_jti": True,
    "verify_at_hash": True,
    "require_aud": True,
    "require_iat": True,
    "require_exp": True,
    "require_iss": True,
    "require_sub": True,
    "require_nbf": False,
    "require_jti": False,
    "require_at_hash": False,
}


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """One published key: its id, the only algorithm it may be used with, and the constructed key object."""

    kid: str
    alg: str
    key: Key


class KeySource(Protocol):
    """Where keys come from; `issuer.Issuer` is one."""

    async def key(self, kid: str) -> VerificationKey | None:
        """Return the published key with this id, or None."""


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What a verified access token says (RFC 9068 and decisions.md 4)."""

    raw: str = field(repr=False)
    subject: str
    """The account id; for a service's own token its client id."""
    client_id: str
    scopes: frozenset[str]
    jti: str
    family_id: str | None
    """What came from one sign-in of one app and ends as one: the part of `jti` before its dot; None for a service."""
    issued_at: int
    expires_at: int
    """Seconds since 1970."""
    session_id: str | None
    provider_id: str | None
    """The practice the person acts for."""
    authz_epoch: int | None
    """Rises whenever access is taken away; see `revocations`."""
    acr: str | None
    auth_time: int | None
    claims: Mapping[str, Any] = field(repr=False)


class Verifier:
    """Verifies the tokens of one issuer for one audience."""

    def __init__(
        self,
        *,
        issuer: str,
        audience: str,
        keys: KeySource,
        algorithms: tuple[str, ...] = ("ES256",),
        leeway: int = 60,
    ) -> None:
        """Fix what is accepted: one issuer, one audience, one or two algorithms; `leeway` is in seconds."""
        if not algorithms or not set(algorithms) <= set(ALGORITHMS):
            raise ValueError(f"algorithms must be among {', '.join(ALGORITHMS)}")
        self._issuer = issuer
        self._audience = audience
        self._keys = keys
        self._algorithms = algorithms
        self._leeway = leeway

    async def access_token(self, token: str) -> AccessToken:
        """Verify an access token made for this app; raise TokenRefused otherwise.

        It says nothing about revocation: ask `revocations.Feed` too.
        """
        claims = await self._open(token, typ="at+jwt")
        text = {name: _text(claims, name) for name in ("client_id", "jti")}
        scope = claims.get("scope", "")
        if not isinstance(scope, str):
            raise TokenRefused("scope is not text")
        return AccessToken(
            raw=token,
            subject=_text(claims, "sub"),
            client_id=text["client_id"],
            scopes=frozenset(scope.split()),
            jti=text["jti"],
            family_id=_family(text["jti"]),
            issued_at=claims["iat"],
            expires_at=claims["exp"],
            session_id=_optional(claims, "sid", str),
            provider_id=_optional(claims, "provider", str),
            authz_epoch=_optional(claims, "authz_epoch", int),
            acr=_optional(claims, "acr", str),
            auth_time=_optional(claims, "auth_time", int),
            claims=claims,
        )

    async def id_token(
        self, token: str, *, nonce: str | None, access_token: str | None = None, refreshed: bool = False
    ) -> Mapping[str, Any]:
        """Verify an ID token made for this app; raise TokenRefused otherwise.

        `nonce` is the value sent with the authorization request, None only where none was sent; one that came
        with a refresh may leave it out (OpenID Connect Core 12.2).
        """
        claims = await self._open(token, typ="JWT", access_token=access_token)
        if claims.get("nonce") != nonce and not (refreshed and "nonce" not in claims):
            raise TokenRefused("nonce differs")
        if claims.get("azp", self._audience) != self._audience:
            raise TokenRefused("azp names another client")
        return claims

    async def _open(self, token: str, *, typ: str, access_token: str | None = None) -> dict[str, Any]:
        header = read_header(token)
        given = header.get("typ")
        # An ID token may leave typ out (RFC 7519 5.1); an access token may not (RFC 9068 2.1).
        if (
            given != typ
            and not (typ == "JWT" and given is None)
            and not (typ == "at+jwt" and given == f"application/{typ}")
        ):
            raise TokenRefused(f"typ is not {typ}")
        alg, kid = header.get("alg"), header.get("kid")
        if alg not in self._algorithms:
            raise TokenRefused("alg is not accepted here")
        if not isinstance(kid, str) or not 1 <= len(kid) <= 200:
            raise TokenRefused("kid is missing")
        key = await self._keys.key(kid)
        if key is None:
            raise TokenRefused("kid is not published by the issuer")
        if key.alg != alg:
            raise TokenRefused("the key is for another alg")
        _json(token.split(".")[1])
        try:
            claims = jwt.decode(
                token,
                key.key,
                algorithms=[key.alg],
                options={**_OPTIONS, "leeway": self._leeway},
                audience=self._audience,
                issuer=self._issuer,
                access_token=access_token,
            )
        except (JOSEError, ValueError, TypeError, OverflowError) as problem:
            raise TokenRefused(str(problem)) from None
        self._check(claims)
        return claims

    def _check(self, claims: dict[str, Any]) -> None:
        """Check by hand what python-jose leaves open: one audience, exact types, no token from the future."""
        if claims.get("aud") not in (self._audience, [self._audience]):
            raise TokenRefused("aud is not this app alone")
        if claims.get("iss") != self._issuer:
            raise TokenRefused("iss differs")
        for name in ("exp", "iat"):
            if type(claims.get(name)) is not int:
                raise TokenRefused(f"{name} is not a whole number")
        if claims["iat"] > time.time() + self._leeway:
            raise TokenRefused("iat lies in the future")
        if not 1 <= len(_text(claims, "sub")) <= 255:
            raise TokenRefused("sub has an odd length")


def read_header(token: str, limit: int = MAX_TOKEN) -> dict[str, Any]:
    """Return a token's header, unverified but well-formed and free of what could steer a verifier."""
    if not isinstance(token, str) or len(token) > limit:
        raise TokenRefused("the token is too long")
    parts = token.split(".")
    if len(parts) != 3 or not all(_PART.match(part) for part in parts):
        raise TokenRefused("this is not a signed JWT")
    header = _json(parts[0])
    for name in _FORBIDDEN:
        if name in header:
            raise TokenRefused(f"the header holds {name}")
    return header


def _json(part: str) -> dict[str, Any]:
    try:
        return read_once(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, binascii.Error):
        raise TokenRefused("this is not JSON") from None


def read_once(document: bytes) -> dict[str, Any]:
    """Read a JSON object; refuse duplicate members, which two readers may read differently."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) != len(pairs):
            raise TokenRefused("a member stands twice")
        return made

    try:
        found = json.loads(document, object_pairs_hook=once)
    except (ValueError, RecursionError):
        raise TokenRefused("this is not JSON") from None
    if not isinstance(found, dict):
        raise TokenRefused("this is not a JSON object")
    return found


def _family(jti: str) -> str | None:
    head, dot, _ = jti.partition(".")
    return head if dot and head else None


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not value:
        raise TokenRefused(f"{name} is missing")
    return value


def _optional(claims: Mapping[str, Any], name: str, kind: type) -> Any:
    value = claims.get(name)
    if value is not None and type(value) is not kind:
        raise TokenRefused(f"{name} has the wrong type")
    return value
