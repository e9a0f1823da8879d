"""Checkpoints: the tree's size and root, signed in the C2SP signed-note form (c2sp.org/tlog-checkpoint).

    login.example.org/log            origin: which log
    20852163                         records in the tree
    CsUYapGGPo4dkMgIAUqom/Xajj7h2f...= root hash
    2026-11-21T15:14:02.118Z         when it was signed (extension line)

    — login.example.org/log Az3grl...=  key hash and Ed25519 signature

The private key is a file outside the database, so whoever owns the database cannot sign.
"""

import base64
import binascii
import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from idp import clock
from idp.settings import NotConfigured, Settings

_DASH = "\u2014 "
_ED25519 = b"\x01"


class BadCheckpoint(Exception):
    """The note is not one this log's key signed, or not in the form of a checkpoint."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a checkpoint states."""

    origin: str
    size: int
    root: bytes
    at: datetime

    def text(self) -> str:
        """Return the signed part of the note."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n{clock.iso(self.at)}\n"


def origin_of(settings: Settings) -> str:
    """Return the name of this deployment's log; also the name of its key."""
    return f"{settings.origin_host}/log"


def key_hash(name: str, public: Ed25519PublicKey) -> bytes:
    """Return the four bytes that name a key in a note (c2sp.org/signed-note)."""
    raw = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return sha256(name.encode() + b"\n" + _ED25519 + raw).digest()[:4]


def sign(checkpoint: Checkpoint, key: Ed25519PrivateKey) -> str:
    """Return the signed note of a checkpoint."""
    return signed(checkpoint.text(), checkpoint.origin, key)


def signed(text: str, name: str, key: Ed25519PrivateKey) -> str:
    """Return a note: the text, which ends in a line feed, and the named key's signature (c2sp.org/signed-note)."""
    line = key_hash(name, key.public_key()) + key.sign(text.encode())
    return f"{text}\n{_DASH}{name} {base64.b64encode(line).decode()}\n"


def opened(note: str, name: str, public: Ed25519PublicKey) -> str:
    """Return the text of a note that the named key signed; raise BadCheckpoint otherwise."""
    text, found, signatures = note.rpartition("\n\n")
    if not found or not signatures.endswith("\n"):
        raise BadCheckpoint("this is not a signed note")
    text += "\n"
    for line in signatures[:-1].split("\n"):
        parts = line.removeprefix(_DASH).split(" ")
        if not line.startswith(_DASH) or len(parts) != 2:
            raise BadCheckpoint("a signature line is not in the form of a signed note")
        try:
            value = base64.b64decode(parts[1], validate=True)
        except (binascii.Error, ValueError):
            raise BadCheckpoint("a signature line is not in the form of a signed note") from None
        if parts[0] == name and value[:4] == key_hash(name, public):
            try:
                public.verify(value[4:], text.encode())
            except InvalidSignature:
                raise BadCheckpoint("the signature is not by this log's key") from None
            return text
    raise BadCheckpoint("no signature is by this log's key")


def read(note: str, origin: str, public: Ed25519PublicKey) -> Checkpoint:
    """Verify a checkpoint's note and return what it states; raise BadCheckpoint otherwise."""
    lines = opened(note, origin, public).split("\n")
    try:
        named, size, root, at, end = lines
        stated = Checkpoint(
            named, int(size), base64.b64decode(root, validate=True), datetime.fromisoformat(at).astimezone(UTC)
        )
    except ValueError:
        raise BadCheckpoint("the note is not a checkpoint of this log") from None
    if end or named != origin or len(stated.root) != 32 or str(stated.size) != size or stated.size < 0:
        raise BadCheckpoint("the note is not a checkpoint of this log")
    return stated


def make_key(path: Path) -> Ed25519PublicKey:
    """Write a new private key that only its owner may read, and the public one beside it (`.pub`).

    Raises FileExistsError rather than replace a key: checkpoints it signed could not be checked any more.
    """
    key = Ed25519PrivateKey.generate()
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        file.flush()
        os.fsync(file.fileno())
    path.with_name(path.name + ".pub").write_bytes(public_pem(key.public_key()))
    return key.public_key()


def ensure_key(settings: Settings) -> None:
    """Make the key where development has none; raise NotConfigured elsewhere (`idp bootstrap` makes it)."""
    if not settings.development or settings.audit_key_file.exists():
        return
    with suppress(FileExistsError):  # another worker was quicker
        make_key(settings.audit_key_file)


def load_key(path: Path) -> Ed25519PrivateKey:
    """Read the private key; raise NotConfigured with what to mend."""
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as problem:
        raise NotConfigured(f"IDP_AUDIT_KEY_FILE: {problem.strerror}: {path}") from None
    except ValueError:
        raise NotConfigured(f"IDP_AUDIT_KEY_FILE: no private key in PEM form: {path}") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise NotConfigured(f"IDP_AUDIT_KEY_FILE: the key must be Ed25519: {path}")
    if path.stat().st_mode & 0o077:
        raise NotConfigured(f"IDP_AUDIT_KEY_FILE: others may read it; run chmod 600 {path}")
    return key


def public_pem(public: Ed25519PublicKey) -> bytes:
    """Return the public key as PEM, for those who verify elsewhere."""
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def load_public(path: Path) -> Ed25519PublicKey:
    """Read a public key in PEM form; raise NotConfigured with what to mend."""
    try:
        key = load_pem_public_key(path.read_bytes())
    except OSError as problem:
        raise NotConfigured(f"{problem.strerror}: {path}") from None
    except ValueError:
        raise NotConfigured(f"no public key in PEM form: {path}") from None
    if not isinstance(key, Ed25519PublicKey):
        raise NotConfigured(f"the key must be Ed25519: {path}")
    return key
