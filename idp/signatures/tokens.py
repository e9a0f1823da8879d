"""Sign and verify compact tokens: the algorithm comes from the caller, never from the token alone."""

import base64
import binascii
import json
import re
from collections import OrderedDict
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import Any, NewType

import orjson
from joserfc.jws import JWSRegistry

from idp import clock
from idp.signatures.keys import ALGORITHMS, BadToken, Key, Keys

SignedClaims = NewType("SignedClaims", dict[str, Any])
"""Claims whose signature, issuer, audience and times were checked; only `verify` makes them."""

TOKEN_LIMIT = 8192
CERTIFIED_LIMIT = 32_768
"""Characters of a token that carries its certificates."""
_LATEST = 253_370_764_800
"""Seconds of the first moment of 9999."""
_FORBIDDEN_HEADERS = frozenset({"jwk", "jku", "x5u", "x5c", "crit", "b64", "zip", "enc"})
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


def sign(claims: Mapping[str, Any], key: Key, typ: str = "JWT", more: Mapping[str, Any] | None = None) -> str:
    """Return a compact JWS with kid and typ, signed with the algorithm the key is bound to.

    `more`: further header members, such as the certificates a trust community asks for.
    """
    if key.alg is None:
        raise ValueError("a key that signs is bound to an algorithm")
    head = _header(key.alg, key.kid, typ)
    if more:
        head = _encode(orjson.dumps({"alg": key.alg, "typ": typ, **more}))
    signed = head + "." + _encode(orjson.dumps(claims))
    return signed + "." + _encode(JWSRegistry.algorithms[key.alg].sign(signed.encode(), key.inner))


def verify(
    token: str,
    keys: Keys,
    *,
    algorithms: Collection[str],
    typ: str | None = None,
    issuer: str | None,
    audience: str | None,
    now: datetime,
    leeway: timedelta = timedelta(seconds=60),
    required: Collection[str] = (),
    expired_is_fine: bool = False,
    certified: bool = False,
) -> SignedClaims:
    """Return the claims of a token that may be trusted; raise BadToken otherwise.

    `typ` None accepts a missing typ or `JWT` only, so no token of another kind passes for an ID token
    (RFC 8725 3.11). `certified`: the caller has proved the certificates in `x5c`, and `keys` holds the leaf's key
    alone; everywhere else that header is refused. `issuer` and `audience` None leave these to the caller.
    Reasons: too_large, malformed, duplicate_member, header, algorithm, typ, unknown_key, signature, claim_missing,
    claim_type, issuer, audience, expired, not_yet.
    """
    claims, _ = _genuine(token, keys, algorithms, typ, certified=certified)
    _check_claims(
        claims,
        issuer=issuer,
        audience=audience,
        now=now,
        leeway=leeway,
        required=required,
        expired_is_fine=expired_is_fine,
    )
    return SignedClaims(claims)


class Remembered:
    """Signatures proved before: the same token asked about again costs no second verification.

    Only the proof is remembered, with the very key that gave it; issuer, audience and times are checked
    each time, and a key that is gone proves nothing any more. Bounded, oldest out first.
    """

    def __init__(self, limit: int = 4096) -> None:
        self._limit = limit
        self._proved: OrderedDict[tuple[str, str | None], tuple[dict[str, Any], Key]] = OrderedDict()

    def verify(
        self,
        token: str,
        keys: Keys,
        *,
        algorithms: Collection[str],
        typ: str | None,
        issuer: str | None,
        audience: str | None,
        now: datetime,
        leeway: timedelta,
        required: Collection[str] = (),
    ) -> SignedClaims:
        """Verify as `verify` does."""
        found = self._proved.get((token, typ))
        if found is not None and not (found[1].alg in algorithms and keys.holds(found[1])):
            del self._proved[token, typ]
            found = None
        claims, key = found or _genuine(token, keys, algorithms, typ)
        _check_claims(
            claims,
            issuer=issuer,
            audience=audience,
            now=now,
            leeway=leeway,
            required=required,
            expired_is_fine=False,
        )
        if found is None and key.alg is not None:
            self._proved[token, typ] = (claims, key)
            if len(self._proved) > self._limit:
                self._proved.popitem(last=False)
        return SignedClaims(dict(claims))


def _genuine(
    token: str, keys: Keys, algorithms: Collection[str], typ: str | None, *, certified: bool = False
) -> tuple[dict[str, Any], Key]:
    """Return what a token says and the key that proved it; nothing of what it says is checked."""
    if not isinstance(token, str) or len(token) > (CERTIFIED_LIMIT if certified else TOKEN_LIMIT):
        raise BadToken("too_large")
    if not _COMPACT.fullmatch(token):
        raise BadToken("malformed")
    head, body, signature = token.split(".")
    header = _read_header(head)
    if (_FORBIDDEN_HEADERS - {"x5c"} if certified else _FORBIDDEN_HEADERS) & header.keys():
        raise BadToken("header")
    algorithm = header.get("alg")
    if algorithm == "EdDSA":
        algorithm = "Ed25519"
    if not isinstance(algorithm, str) or algorithm not in algorithms or algorithm not in ALGORITHMS:
        raise BadToken("algorithm")
    _check_typ(header.get("typ"), typ)
    kid = header.get("kid")
    if kid is not None and not (isinstance(kid, str) and 0 < len(kid) <= 256):
        raise BadToken("unknown_key")
    key = keys.find(kid, algorithm)
    mark = _decode(signature)
    if _encode(mark) != signature:  # loose trailing bits would make two tokens of one
        raise BadToken("signature")
    try:
        genuine = JWSRegistry.algorithms[algorithm].verify(f"{head}.{body}".encode(), mark, key.inner)
    except Exception as problem:
        raise BadToken("signature") from problem
    if not genuine:
        raise BadToken("signature")
    return _object(_decode(body)), key


def unverified_header(token: str, limit: int = TOKEN_LIMIT) -> dict[str, Any]:
    """Return a token's header for looking up keys; nothing in it is proved."""
    if len(token) > limit or not _COMPACT.fullmatch(token):
        raise BadToken("malformed")
    return dict(_read_header(token.split(".", 1)[0]))


def unverified_claims(token: str) -> dict[str, Any]:
    """Return a token's claims, of which nothing is proved: only to find whose keys to verify with."""
    if len(token) > TOKEN_LIMIT or not _COMPACT.fullmatch(token):
        raise BadToken("malformed")
    return _object(_decode(token.split(".")[1]))


def half_hash(value: str, algorithm: str) -> str:
    """Return `at_hash` of a value: the left half of the hash its ID token's algorithm uses (Core 3.1.3.6)."""
    if not algorithm.endswith("256"):
        raise ValueError("our ID tokens use SHA-256")
    return _encode(sha256(value.encode()).digest()[:16])


def _check_typ(found: object, wanted: str | None) -> None:
    name = found.lower().removeprefix("application/") if isinstance(found, str) else found
    if wanted is None:
        if name not in (None, "jwt"):
            raise BadToken("typ")
    elif name != wanted.lower():
        raise BadToken("typ")


def _check_claims(
    claims: dict[str, Any],
    *,
    issuer: str | None,
    audience: str | None,
    now: datetime,
    leeway: timedelta,
    required: Collection[str],
    expired_is_fine: bool,
) -> None:
    for name in required:
        if claims.get(name) in (None, ""):
            raise BadToken("claim_missing")
    if issuer is not None and claims.get("iss") != issuer:
        raise BadToken("issuer")
    found = claims.get("aud")
    audiences = [found] if isinstance(found, str) else found
    if audience is not None and (not isinstance(audiences, list) or audience not in audiences):
        raise BadToken("audience")
    subject = claims.get("sub")
    if subject is not None and not (isinstance(subject, str) and 1 <= len(subject) <= 255):
        raise BadToken("claim_type")
    at, slack = clock.micros(now) / 1e6, leeway.total_seconds()
    times: dict[str, float] = {}
    for name in ("exp", "nbf", "iat"):
        value = claims.get(name)
        if value is None:
            continue
        # A year beyond 9999, NaN and infinity are JSON to Python, but no moment: NaN would never expire.
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LATEST:
            raise BadToken("claim_type")
        times[name] = value
    if "exp" in times and at >= times["exp"] + slack and not expired_is_fine:
        raise BadToken("expired")
    if max(times.get("nbf", at), times.get("iat", at)) > at + slack:
        raise BadToken("not_yet")


def _encode(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _decode(value: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
    except binascii.Error as problem:
        raise BadToken("malformed") from problem


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise BadToken("duplicate_member")
    return made


def _object(value: bytes) -> dict[str, Any]:
    try:
        made = json.loads(value, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as problem:
        raise BadToken("malformed") from problem
    if not isinstance(made, dict):
        raise BadToken("malformed")
    return made


@lru_cache(maxsize=256)
def _read_header(head: str) -> Mapping[str, Any]:
    return _object(_decode(head))


@lru_cache(maxsize=64)
def _header(algorithm: str, kid: str | None, typ: str) -> str:
    header: dict[str, Any] = {"alg": algorithm, "typ": typ}
    if kid is not None:
        header["kid"] = kid
    return _encode(orjson.dumps(header))
