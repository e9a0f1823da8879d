"""A security key in software: makes and answers WebAuthn ceremonies with real keys, and can be told to lie."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from urllib.parse import urlsplit

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from idp import entropy

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


def text(value: bytes) -> str:
    """Base64url without padding."""
    return urlsafe_b64encode(value).decode().rstrip("=")


def raw(value: str) -> bytes:
    """The bytes of base64url text."""
    return urlsafe_b64decode(value + "=" * (-len(value) % 4))


class Authenticator:
    """One credential on one device. `counter` None: it does not count, as synced passkeys don't."""

    def __init__(self, origin: str, *, verifies: bool = True, counter: int | None = 0) -> None:
        self.origin, self.verifies, self.counter = origin, verifies, counter
        self.cross_origin = False
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.credential_id = entropy.raw(32)
        self.user_handle = b""

    def create(self, options: str) -> str:
        """Answer creation options."""
        asked = json.loads(options)
        self.user_handle = raw(asked["user"]["id"])
        point = self.key.public_key().public_numbers()
        cose = {1: 2, 3: -7, -1: 1, -2: point.x.to_bytes(32, "big"), -3: point.y.to_bytes(32, "big")}
        attested = bytes(16) + len(self.credential_id).to_bytes(2, "big") + self.credential_id + cbor2.dumps(cose)
        attestation = {"fmt": "none", "attStmt": {}, "authData": self._data(ATTESTED) + attested}
        return self._answer(
            {
                "clientDataJSON": text(self._client_data("webauthn.create", asked["challenge"])),
                "attestationObject": text(cbor2.dumps(attestation)),
                "transports": ["internal"],
            }
        )

    def get(self, options: str, *, handle: bytes | None = None) -> str:
        """Answer request options; `handle` replaces the user handle."""
        asked = json.loads(options)
        if self.counter is not None:
            self.counter += 1
        data, client = self._data(0), self._client_data("webauthn.get", asked["challenge"])
        signature = self.key.sign(data + sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        return self._answer(
            {
                "clientDataJSON": text(client),
                "authenticatorData": text(data),
                "signature": text(signature),
                "userHandle": text(self.user_handle if handle is None else handle),
            }
        )

    def _data(self, more: int) -> bytes:
        flags = PRESENT | (VERIFIED if self.verifies else 0) | more
        rp_id = urlsplit(self.origin).hostname or ""
        return sha256(rp_id.encode()).digest() + bytes([flags]) + (self.counter or 0).to_bytes(4, "big")

    def _client_data(self, kind: str, challenge: str) -> bytes:
        told = {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": self.cross_origin}
        return json.dumps(told).encode()

    def _answer(self, response: dict[str, object]) -> str:
        name = text(self.credential_id)
        return json.dumps({"id": name, "rawId": name, "type": "public-key", "response": response})
