"""Secrets and person fields at rest: one key ring, one derived key per purpose.

AES-256-GCM and HKDF-SHA256 from `cryptography` (decisions.md 9). A sealed value names the master key
that made it, so keys are rotated by putting a new one in front; the place it belongs to (table,
column, row) is bound as associated data, so a value moved to another row does not open.
"""

import base64
import binascii
import hmac
from functools import cache
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from idp import entropy
from idp.settings import NotConfigured

PURPOSES = frozenset(
    {"signing", "factors", "upstreams", "subjects", "tin", "tin-hash", "pepper", "cursors", "forms", "answers"}
)
_NONCE = 12


class CannotOpen(Exception):
    """The value was not sealed by this ring, for this purpose and place."""


class KeyRing:
    """The master keys of a deployment and what is derived from them."""

    def __init__(self, master_keys: str) -> None:
        """Parse `id:base64,id:base64`; raise NotConfigured when one is not 32 bytes."""
        self._keys: dict[str, bytes] = {}
        for entry in master_keys.split(","):
            name, _, encoded = entry.strip().partition(":")
            try:
                key = base64.b64decode(encoded, validate=True)
            except binascii.Error:
                key = b""
            if not name or len(key) != 32 or name in self._keys:
                raise NotConfigured("IDP_MASTER_KEYS: each entry is id:base64 of 32 bytes, ids differ")
            self._keys[name] = key
        self._first = next(iter(self._keys))
        self._derive = cache(self._derive_once)

    def _derive_once(self, name: str, purpose: str) -> bytes:
        if purpose not in PURPOSES:
            raise ValueError(f"unknown purpose {purpose}")
        return HKDF(hashes.SHA256(), 32, salt=None, info=b"idp/" + purpose.encode()).derive(self._keys[name])

    def seal(self, purpose: str, place: str, clear: bytes) -> bytes:
        """Encrypt for one purpose and place ("table.column:row id")."""
        nonce = entropy.raw(_NONCE)
        body = AESGCM(self._derive(self._first, purpose)).encrypt(nonce, clear, place.encode())
        name = self._first.encode()
        return bytes([len(name)]) + name + nonce + body

    def open(self, purpose: str, place: str, sealed: bytes) -> bytes:
        """Decrypt what `seal` made for the same purpose and place; raise CannotOpen otherwise."""
        length = sealed[0] if sealed else 0
        name = sealed[1 : 1 + length].decode("ascii", "replace")
        if name not in self._keys:
            raise CannotOpen(f"no master key named {name!r}")
        nonce = sealed[1 + length : 1 + length + _NONCE]
        try:
            return AESGCM(self._derive(name, purpose)).decrypt(nonce, sealed[1 + length + _NONCE :], place.encode())
        except (InvalidTag, ValueError):
            raise CannotOpen(place) from None

    def derived(self, purpose: str) -> bytes:
        """Return the 32-byte key of the first master key for a purpose (cursors, forms, pepper)."""
        return self._derive(self._first, purpose)

    def oldest(self, purpose: str) -> bytes:
        """Return the key derived from the oldest master key, for hashes that must outlive rotation."""
        return self._derive(list(self._keys)[-1], purpose)

    def keyed_hash(self, purpose: str, value: str) -> bytes:
        """Return HMAC-SHA256 under the *oldest* master key, so that look-ups survive rotation."""
        return hmac.new(self.oldest(purpose), value.encode(), sha256).digest()


def seal_with(key: bytes, clear: bytes, place: str) -> bytes:
    """Encrypt under a given 32-byte key (a person's subject key)."""
    nonce = entropy.raw(_NONCE)
    return nonce + AESGCM(key).encrypt(nonce, clear, place.encode())


def open_with(key: bytes, sealed: bytes, place: str) -> bytes:
    """Decrypt what `seal_with` made; raise CannotOpen otherwise."""
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], place.encode())
    except (InvalidTag, ValueError):
        raise CannotOpen(place) from None
