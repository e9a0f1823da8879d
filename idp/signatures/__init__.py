"""Sign and verify JWTs with every option spelled out; ours and upstreams' alike.

The only package that imports joserfc. Verification takes the algorithm from the caller, never from the
token alone (security.md 54 to 57).
"""

from idp.signatures.keys import BadToken, Key, Keys, generate, key_from_jwk, key_from_pem, keys_from_jwks
from idp.signatures.tokens import (
    CERTIFIED_LIMIT,
    TOKEN_LIMIT,
    Remembered,
    SignedClaims,
    half_hash,
    sign,
    unverified_claims,
    unverified_header,
    verify,
)

__all__ = [
    "CERTIFIED_LIMIT",
    "TOKEN_LIMIT",
    "BadToken",
    "Key",
    "Keys",
    "Remembered",
    "SignedClaims",
    "generate",
    "half_hash",
    "key_from_jwk",
    "key_from_pem",
    "keys_from_jwks",
    "sign",
    "unverified_claims",
    "unverified_header",
    "verify",
]
