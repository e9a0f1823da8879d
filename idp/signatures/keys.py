"""Keys as objects, made once; nothing is parsed from PEM per call."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from joserfc.jwk import ECKey, OKPKey, RSAKey

ALGORITHMS: dict[str, tuple[str, str | None]] = {
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "RS256": ("RSA", None),
    "RS384": ("RSA", None),
    "RS512": ("RSA", None),
    "PS256": ("RSA", None),
    "Ed25519": ("OKP", "Ed25519"),
}
"""Every algorithm this service can be told to accept, with the key it needs. No HMAC, no `none`."""


class BadToken(Exception):
    """A token that must not be trusted; `reason` is a word for logs, not for strangers."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Key:
    """One key, public or private, ready for use."""

    kid: str | None
    alg: str | None
    """The algorithm it is bound to; None when an upstream's JWK does not say."""
    inner: Any = field(repr=False, compare=False)
    """The library's key object."""

    def fits(self, algorithm: str) -> bool:
        """Say whether the key can be used with an algorithm: same type and curve, RSA of 2048 bits or more."""
        kind, curve = ALGORITHMS[algorithm]
        if self.alg is not None and self.alg != algorithm:
            return False
        if self.inner.key_type != kind:
            return False
        if kind == "RSA":
            return int(self.inner.public_key.key_size) >= 2048
        return bool(self.inner.curve_name == curve)

    def public_jwk(self) -> dict[str, Any]:
        """Return the public half as it stands in a JWKS."""
        return {**self.inner.as_dict(private=False), "kid": self.kid, "alg": self.alg, "use": "sig"}

    def private_json(self) -> bytes:
        """Return the private half for sealing; never leaves the process unsealed."""
        return orjson.dumps(self.inner.as_dict(private=True))


class Keys:
    """Keys by kid. `kid_required` is for our own tokens, which always carry one."""

    __slots__ = ("_all", "_by_kid", "kid_required")

    def __init__(self, keys: Collection[Key], *, kid_required: bool = False) -> None:
        self._all = tuple(keys)
        self._by_kid = {key.kid: key for key in self._all if key.kid is not None}
        self.kid_required = kid_required

    def __iter__(self) -> Iterator[Key]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def holds(self, key: Key) -> bool:
        """Say whether this very key is among them."""
        return key.kid is not None and self._by_kid.get(key.kid) is key

    def find(self, kid: str | None, algorithm: str) -> Key:
        """Return the key a header names; raise BadToken("unknown_key") when there is none that fits."""
        if kid is not None:
            key = self._by_kid.get(kid)
            if key is None or not key.fits(algorithm):
                raise BadToken("unknown_key")
            return key
        fitting = [key for key in self._all if key.fits(algorithm)]
        if self.kid_required or len(fitting) != 1:
            raise BadToken("unknown_key")
        return fitting[0]


def generate(algorithm: str) -> Key:
    """Make a private key whose kid is its RFC 7638 thumbprint."""
    kind, curve = ALGORITHMS[algorithm]
    if kind == "EC":
        made: Any = ECKey.generate_key(curve or "P-256", private=True)
    elif kind == "OKP":
        made = OKPKey.generate_key("Ed25519", private=True)
    else:
        made = RSAKey.generate_key(2048, private=True)
    return Key(made.thumbprint(), algorithm, made)


def key_from_jwk(value: Mapping[str, Any], algorithm: str | None = None) -> Key:
    """Make a key of a JWK (private or public); raise BadToken for one that cannot be used."""
    kinds: dict[str, Any] = {"EC": ECKey, "RSA": RSAKey, "OKP": OKPKey}
    kind = kinds.get(str(value.get("kty")))
    if kind is None:
        raise BadToken("key_type")
    alg = algorithm or value.get("alg")
    if alg == "EdDSA":  # its name before RFC 9864
        alg = "Ed25519"
    if alg is not None and alg not in ALGORITHMS:
        raise BadToken("algorithm")
    kid = value.get("kid")
    wanted = {name: part for name, part in value.items() if name not in ("alg", "use", "key_ops", "kid")}
    try:
        made = kind.import_key(wanted)
        key = Key(str(kid) if kid is not None else made.thumbprint(), alg, made)
        made.public_key  # noqa: B018 - builds it, so that a bad point or modulus is refused here
    except Exception as problem:
        raise BadToken("key") from problem
    if kind is RSAKey and int(made.public_key.key_size) < 2048:
        raise BadToken("key_size")
    return key


def keys_from_jwks(value: Mapping[str, Any]) -> Keys:
    """Import a JWKS document; keys that cannot be used for signatures are left out.

    Raises BadToken when the document is not a JWKS at all.
    """
    listed = value.get("keys")
    if not isinstance(listed, list):
        raise BadToken("jwks")
    keys: list[Key] = []
    for item in listed[:50]:
        if not isinstance(item, dict) or item.get("use", "sig") != "sig":
            continue
        try:
            keys.append(key_from_jwk(item))
        except BadToken:
            continue
    return Keys(keys)


def key_from_pem(pem: str) -> Key:
    """Make a key of a PEM key, private or public, bound to the algorithm its kind and curve mean; raise BadToken."""
    kinds: tuple[Any, ...] = (ECKey, RSAKey)
    for kind in kinds:
        try:
            made = kind.import_key(pem)
        except Exception:  # noqa: S112 - the library raises many kinds; the next kind of key is tried
            continue
        curves = {"P-256": "ES256", "P-384": "ES384"}
        alg = curves.get(made.curve_name) if isinstance(made, ECKey) else "RS256"
        key = Key(made.thumbprint(), alg, made)
        if alg is None or not key.fits(alg):
            break
        return key
    raise BadToken("key")
