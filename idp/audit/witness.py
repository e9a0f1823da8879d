"""Witness a log from elsewhere: `python witness.py https://login.example.org --key ... --own ... --notes ...`.

One file, no part of the service: Python 3.11 and `cryptography`. It asks the log for its newest checkpoint, checks
the log's signature and that the tree it states grew out of the one witnessed before (RFC 9162 2.1.4.2), and only
then signs it too (c2sp.org/tlog-cosignature) and keeps the note. What it keeps is a copy in the sense of
`IDP_AUDIT_COPY` that nobody of the log can write, and what two readers compare: a log that shows them two trees,
or an older one, cannot have both witnessed.

Its memory is its file of notes: the last line is what it goes on from, so the file is flushed before anything else
is said. Exit status: 0 stopped, 1 the log is not consistent (the notes of both trees are printed), 2 misuse.
"""

import argparse
import base64
import binascii
import json
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
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

_DASH = "\u2014 "
_LOG, _WITNESS = b"\x01", b"\x04"
"""Kinds of signature: Ed25519 of a log, cosignature/v1 of a witness."""
_MOST = 1_000_000
"""Bytes of an answer."""
Fetch = Callable[[str], bytes]


class NotConsistent(Exception):
    """The log signed two trees of which neither is the beginning of the other; the text holds both notes."""


class CannotAsk(Exception):
    """The log did not answer, or not with what was asked for: ask again later."""


@dataclass(frozen=True)
class Stated:
    """What a checkpoint states."""

    size: int
    root: bytes
    body: str
    """The signed text."""
    note: str


class Witness:
    """Knows one log by its key and goes on from what it witnessed last."""

    def __init__(self, name: str, key: Ed25519PublicKey, own: Ed25519PrivateKey, notes: Path, fetch: Fetch) -> None:
        """Take up the file of notes; raise NotConsistent where its last line is not one of this log."""
        self._name = name
        self._key = key
        self._own = own
        self._notes = notes
        self._fetch = fetch
        self.last: Stated | None = None
        kept = notes.read_bytes().splitlines() if notes.exists() else []
        for line in kept:
            try:
                entry = json.loads(line)
                self.last = read(str(entry["note"]), key, self.last.body.split("\n")[0] if self.last else None)
            except (ValueError, KeyError, TypeError):
                continue  # half a line of a crash: what it held was told to nobody

    def look(self) -> Stated | None:
        """Witness the newest checkpoint; return it, or None where there is nothing new.

        Raises NotConsistent, and CannotAsk when the log does not answer properly.
        """
        origin = self.last.body.split("\n")[0] if self.last else None
        try:
            seen = read(self._fetch("/log/v1/checkpoint").decode(), self._key, origin)
        except (ValueError, UnicodeDecodeError) as problem:
            raise CannotAsk(f"no checkpoint of this log: {problem}") from None
        last = self.last
        if last is not None:
            if seen.size < last.size or (seen.size == last.size and seen.root != last.root):
                raise NotConsistent(_both("The log went back, or shows another tree.", last, seen))
            if seen.body == last.body:
                return None
            if last.size < seen.size and last.size:
                answer = self._fetch(f"/log/v1/consistency?old={last.size}&new={seen.size}")
                try:
                    path = [base64.b64decode(node, validate=True) for node in json.loads(answer)["path"]]
                except (ValueError, KeyError, TypeError, binascii.Error):
                    raise CannotAsk("no proof of consistency") from None
                if not consistent(last.size, last.root, seen.size, seen.root, path):
                    raise NotConsistent(_both("The new tree did not grow out of the old one.", last, seen))
        self._keep(seen)
        return seen

    def _keep(self, seen: Stated) -> None:
        """Sign the note and put it into the file, flushed to the disk, before it counts as witnessed."""
        now = int(time.time())
        signed = self._own.sign(f"cosignature/v1\ntime {now}\n{seen.body}".encode())
        value = key_hash(self._name, self._own.public_key(), _WITNESS) + now.to_bytes(8, "big") + signed
        note = f"{seen.note}{_DASH}{self._name} {base64.b64encode(value).decode()}\n"
        handle = os.open(self._notes, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            length = os.fstat(handle).st_size
            begin = b"\n" if length and os.pread(handle, 1, length - 1) != b"\n" else b""
            os.write(handle, begin + json.dumps({"number": seen.size, "note": note}).encode() + b"\n")
            os.fsync(handle)
        finally:
            os.close(handle)
        self.last = seen


def read(note: str, key: Ed25519PublicKey, origin: str | None) -> Stated:
    """Return what a note states that the log's key signed; raise ValueError otherwise."""
    text, found, signatures = note.rpartition("\n\n")
    body = text + "\n"
    parts = body.split("\n")
    if not found or len(parts) != 5 or not parts[1].isdigit() or (origin is not None and parts[0] != origin):
        raise ValueError("this is not a checkpoint of the log")
    expected = key_hash(parts[0], key, _LOG)
    for line in signatures.splitlines():
        head, _, value = line.rpartition(" ")
        signed = base64.b64decode(value, validate=True)
        if head == f"{_DASH}{parts[0]}" and signed[:4] == expected:
            try:
                key.verify(signed[4:], body.encode())
            except InvalidSignature:
                break
            own = f"{body}\n{line}\n"
            return Stated(int(parts[1]), base64.b64decode(parts[2], validate=True), body, own)
    raise ValueError("the log's key did not sign it")


def key_hash(name: str, key: Ed25519PublicKey, kind: bytes) -> bytes:
    """Return the four bytes that name a key in a note (c2sp.org/signed-note)."""
    raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return sha256(name.encode() + b"\n" + kind + raw).digest()[:4]


def consistent(old: int, old_root: bytes, new: int, new_root: bytes, path: list[bytes]) -> bool:
    """Say whether the path proves that the old tree is the beginning of the new one (RFC 9162 2.1.4.2)."""
    if not 0 < old < new or not path:
        return False
    steps = path if old & (old - 1) else [old_root, *path]
    here, last = old - 1, new - 1
    while here & 1:
        here, last = here >> 1, last >> 1
    before = after = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if here & 1 or here == last:
            before = sha256(b"\x01" + step + before).digest()
            after = sha256(b"\x01" + step + after).digest()
            while here and not here & 1:
                here, last = here >> 1, last >> 1
        else:
            after = sha256(b"\x01" + after + step).digest()
        here, last = here >> 1, last >> 1
    return last == 0 and before == old_root and after == new_root


def _both(why: str, old: Stated, new: Stated) -> str:
    return f"{why} Witnessed before:\n{old.note}\nShown now:\n{new.note}"


def over_http(log: str) -> Fetch:
    """Return how to ask a log at an address; https, or http to this machine."""
    local = log.startswith(("http://localhost", "http://127.0.0.1", "http://[::1]"))
    if not log.startswith("https://") and not local:
        raise ValueError("the log's address must begin with https://")

    def fetch(path: str) -> bytes:
        try:
            with urllib.request.urlopen(log.rstrip("/") + path, timeout=10) as answer:  # noqa: S310 - checked above
                body: bytes = answer.read(_MOST + 1)
        except (urllib.error.URLError, OSError) as problem:
            raise CannotAsk(f"the log does not answer: {problem}") from None
        if len(body) > _MOST:
            raise CannotAsk("the answer is too long")
        return body

    return fetch


def own_key(path: Path) -> Ed25519PrivateKey:
    """Read the witness's key, made at first use for its owner alone, its public half beside it."""
    if not path.exists():
        made = Ed25519PrivateKey.generate()
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        public = made.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        path.with_name(path.name + ".pub").write_bytes(public)
    key = load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError("the witness's key must be Ed25519")  # noqa: TRY004 - a mistake of the operator's
    return key


def run(witness: Witness, every: float, say: Callable[[str], object], rounds: int = 0) -> int:
    """Look again and again (`rounds` times, or for ever); return the exit status."""
    done = 0
    while True:
        try:
            seen = witness.look()
            if seen is not None:
                say(f"Witnessed {seen.size} records.")
        except NotConsistent as problem:
            say(f"NOT CONSISTENT. {problem}")
            return 1
        except CannotAsk as problem:
            say(f"Cannot ask: {problem}")
        done += 1
        if rounds and done >= rounds:
            return 0
        time.sleep(every)


def main(arguments: list[str] | None = None) -> int:
    """Run as a program."""
    parser = argparse.ArgumentParser(description="Witness a log's checkpoints.")
    parser.add_argument("log", help="the log's address, such as https://login.example.org")
    parser.add_argument("--key", type=Path, required=True, help="the log's public key (PEM), had by another way")
    parser.add_argument("--own", type=Path, required=True, help="the witness's private key; made where it is missing")
    parser.add_argument("--notes", type=Path, required=True, help="file that keeps what was witnessed")
    parser.add_argument("--name", default="witness", help="the witness's name in the notes")
    parser.add_argument("--every", type=float, default=5.0, help="seconds between two looks")
    parser.add_argument("--rounds", type=int, default=0, help="stop after so many looks")
    asked = parser.parse_args(arguments)
    try:
        key = load_pem_public_key(asked.key.read_bytes())
        if not isinstance(key, Ed25519PublicKey) or " " in asked.name or "+" in asked.name:
            raise ValueError("the key must be Ed25519, the name without blanks")  # noqa: TRY301
        witness = Witness(asked.name, key, own_key(asked.own), asked.notes, over_http(asked.log))
    except (OSError, ValueError) as problem:
        sys.stderr.write(f"Cannot witness: {problem}\n")
        return 2
    return run(witness, asked.every, lambda line: sys.stdout.write(f"{line}\n") and sys.stdout.flush(), asked.rounds)


if __name__ == "__main__":
    sys.exit(main())
