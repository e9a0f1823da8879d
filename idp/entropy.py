"""The one place random values come from (security.md 59: at least 128 bits)."""

import base64
import secrets


def token(size: int = 32) -> str:
    """Return a URL-safe secret of `size` random bytes (default 256 bits)."""
    return secrets.token_urlsafe(size)


def digits(count: int = 6) -> str:
    """Return a code of decimal digits for people to type."""
    return f"{secrets.randbelow(10**count):0{count}d}"


def new_id(prefix: str) -> str:
    """Return a typed id: the prefix, an underscore and 26 characters of base32 (128 random bits)."""
    return f"{prefix}_{base64.b32encode(secrets.token_bytes(16)).decode().rstrip('=').lower()}"


def raw(size: int) -> bytes:
    """Return `size` random bytes."""
    return secrets.token_bytes(size)
