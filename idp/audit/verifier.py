"""Verify an exported segment of the log on another machine: `python verifier.py export.jsonl --key public.pem`.

One file, no part of the service: it needs Python 3.11 and `cryptography` and nothing else. It reads the
export line by line, hashes each record's bytes as they stand in the file without decoding them, and trusts
only the public key. Lines, in the order of the log's tree (RFC 6962):

    {"type": "log", "format": "idp-audit-export/2", "origin": "..."}                 first line
    {"type": "skip", "nodes": [[level, "base64 hash"], ...]}                         records not in this file
    {"type": "pruned", "nodes": [[level, "base64 hash"], ...]}                       destroyed after their time
    {"type":"record","index":17,"number":23,"hash":"base64","record":{...}}          exactly so, without spaces
    {"type": "checkpoint", "note": "signed note of the tree so far"}                 c2sp.org/tlog-checkpoint
    {"type": "waiting", "number": 24, "record": {...}}                               written, not sealed yet
    {"type": "end", "records": 5}                                                    last line

The value of `record` is the sealed bytes themselves: hashing them gives `hash`. A record that somebody made
unreadable stands as `"leaf":"base64"` instead, so that it can be named.

`receipts.py` compares what the log promised with such an export. Exit status: 0 whole, 1 not whole (what is bad is
named), 2 cannot be read.
"""

import argparse
import base64
import binascii
import json
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

FORMAT = "idp-audit-export/2"
_RECORD = re.compile(
    rb'\{"type":"record","index":([0-9]{1,19}),"number":(-?[0-9]{1,19}),"hash":"([A-Za-z0-9+/]{43}=)","record":(\{.*\})\}\n?'
)
_WAITING = re.compile(rb'\{"type":"waiting","number":[0-9]{1,19},"record":(\{.*\})\}\n?')
_ROW = 4096
"""Hashes put into the tree at once; bounds the memory whatever the file holds."""


class NotWhole(Exception):
    """The segment is not what was sealed; the text names the first bad record."""


@dataclass
class Result:
    """What was verified."""

    origin: str = ""
    records: int = 0
    """Records proven by a signed checkpoint."""
    skipped: int = 0
    """Records of the log that are not in this file."""
    pruned: int = 0
    """Records that are said to have been destroyed after their time; a record of the log says so too."""
    waiting: int = 0
    """Records that were not sealed when the file was made: nothing proves them."""
    first: int | None = None
    last: int | None = None
    signed_at: str = ""
    filtered: bool = True
    found: set[bytes] = field(default_factory=set)
    """Those of the watched leaf hashes that stand in the file under a signed checkpoint."""
    waits: set[bytes] = field(default_factory=set)
    """Those that the file says wait to be sealed: whoever made the file wrote that, and nothing proves it."""

    def sentence(self) -> str:
        """Return the outcome in words."""
        text = f"Whole: {self.records} records of {self.origin} verified"
        if self.first is not None:
            text += f", numbers {self.first} to {self.last}"
        text += f", under the checkpoint of {self.signed_at}." if self.signed_at else "."
        if self.skipped:
            text += f" {self.skipped} records of the log are not in this file."
        if self.pruned:
            text += f" {self.pruned} records were pruned after their time: compare the log's records of that."
        if self.waiting:
            text += f" {self.waiting} records were not sealed yet when it was made: nothing proves them."
        return text


class _Tree:
    """The right edge of the growing tree."""

    def __init__(self) -> None:
        self.size = 0
        self._nodes: list[bytes] = []

    def add(self, level: int, node: bytes) -> None:
        if not 0 <= level < 64 or self.size & ((1 << level) - 1) or len(node) != 32:
            raise NotWhole(f"After position {self.size} the skipped records are not described properly.")
        rest = self.size >> level
        while rest & 1:
            node = sha256(b"\x01" + self._nodes.pop() + node).digest()
            rest >>= 1
        self._nodes.append(node)
        self.size += 1 << level

    def extend(self, leaves: list[bytes]) -> None:
        """Add leaf hashes: pair by pair and level by level, as far as they fill whole subtrees."""
        at, count = 0, len(leaves)
        while at < count:
            level = min((self.size & -self.size).bit_length() - 1 if self.size else 63, (count - at).bit_length() - 1)
            row = leaves[at : at + (1 << level)]
            at += len(row)
            while len(row) > 1:
                pairs = iter(row)
                row = [sha256(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs, strict=True)]
            self.add(level, row[0])

    def root(self) -> bytes:
        if not self._nodes:
            return sha256(b"").digest()
        root = self._nodes[-1]
        for node in reversed(self._nodes[:-1]):
            root = sha256(b"\x01" + node + root).digest()
        return root


def open_note(note: str, origin: str, key: Ed25519PublicKey) -> tuple[int, bytes, str]:
    """Return (size, root, time) of a checkpoint that the key signed; raise NotWhole otherwise."""
    parts = signed_lines(note, origin, key)
    if parts is None or len(parts) != 5 or parts[0] != origin or not parts[1].isdigit():
        raise NotWhole("A checkpoint is forged: this log's key did not sign it.")
    return int(parts[1]), unbase64(parts[2]), parts[3]


def signed_lines(note: str, origin: str, key: Ed25519PublicKey) -> list[str] | None:
    """Return the lines of a note that the key signed for this log (c2sp.org/signed-note), else None."""
    text, _, signatures = note.rpartition("\n\n")
    text += "\n"
    raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    key_hash = sha256(origin.encode() + b"\n\x01" + raw).digest()[:4]
    for line in signatures.splitlines():
        head, _, value = line.rpartition(" ")
        signed = unbase64(value)
        if head == f"\u2014 {origin}" and signed[:4] == key_hash:
            try:
                key.verify(signed[4:], text.encode())
            except InvalidSignature:
                return None
            return text.split("\n")
    return None


def verify(lines: Iterable[bytes], key: Ed25519PublicKey, watched: Iterable[bytes] = ()) -> Result:
    """Verify an export; raise NotWhole naming the first bad record. The result names the watched leaf hashes met."""
    segment = _Segment(key, frozenset(watched))
    exact, hashed, encoded, record = _RECORD.fullmatch, sha256, binascii.b2a_base64, segment.record
    for at, line in enumerate(lines):
        found = exact(line)
        if found is None:
            if (waits := _WAITING.fullmatch(line)) is not None:
                segment.waits(sha256(b"\x00" + waits[1]).digest())
            segment.take(at, _entry(line, at))
            continue
        index, number, stated, leaf = found.groups()
        digest = hashed(b"\x00" + leaf).digest()
        record(int(index), int(number), digest, encoded(digest, newline=False) == stated)
    return segment.finish()


class _Segment:
    def __init__(self, key: Ed25519PublicKey, watched: frozenset[bytes] = frozenset()) -> None:
        self._key = key
        self._watched = watched
        self._result = Result()
        self._tree = _Tree()
        self._leaves: list[bytes] = []
        """Hashed, not yet in the tree."""
        self._place = -1
        """Position of the next record; below zero before the first line and after the last."""
        self._first: int | None = None
        """Number of the first record since the last checkpoint."""
        self._last: int | None = None
        self._pending = 0
        """Records since the last checkpoint."""
        self._seen = 0
        self._ended = False

    @property
    def _before(self) -> str:
        return "the beginning" if self._last is None else f"record {self._last}"

    def take(self, at: int, entry: dict[str, Any]) -> None:
        kind = entry.get("type")
        if self._ended:
            raise NotWhole("Something follows the last line.")
        if (at == 0) != (kind == "log"):
            raise NotWhole("The first line, and only the first, must say of which log this is.")
        take = {
            "log": self._log,
            "skip": self._skip,
            "pruned": self._pruned,
            "record": self._record,
            "checkpoint": self._checkpoint,
            "waiting": self._waiting,
            "end": self._end,
        }.get(str(kind))
        if take is None:
            raise NotWhole(f"Line {at + 1} is of a kind this verifier does not know.")
        take(entry)

    def record(self, index: int, number: int, digest: bytes, same: bool) -> None:
        """Take a record whose bytes were hashed; `same` says whether its line states that hash."""
        if index != self._place:
            self._misplaced(index, number)
        if not same:
            raise NotWhole(f"Record {number} was changed after it was sealed.")
        self._place = index + 1
        self._leaves.append(digest)
        if digest in self._watched:
            self._result.found.add(digest)
        if self._pending == 0:
            self._first = number
        self._last = number
        self._pending += 1
        if len(self._leaves) >= _ROW:
            self._grow()

    def waits(self, digest: bytes) -> None:
        """Note a record that waits to be sealed, if it is one that is watched."""
        if digest in self._watched:
            self._result.waits.add(digest)

    def finish(self) -> Result:
        if not self._ended:
            raise NotWhole(f"The file is cut off after {self._before}.")
        if self._pending:
            raise NotWhole(f"Record {self._first} and later ones stand under no signed checkpoint.")
        return self._result

    def _misplaced(self, index: int, number: int) -> None:
        if self._ended:
            raise NotWhole("Something follows the last line.")
        if self._place < 0:
            raise NotWhole("The first line, and only the first, must say of which log this is.")
        where = "out of order or twice here" if index < self._place else "preceded by missing ones"
        raise NotWhole(f"Record {number} is {where}: after {self._before} position {self._place} was expected.")

    def _log(self, entry: dict[str, Any]) -> None:
        if entry.get("format") != FORMAT:
            raise NotWhole(f"The first line does not say that this is {FORMAT}.")
        self._result.origin = str(entry.get("origin"))
        self._result.filtered = entry.get("filters") != {}
        self._place = 0

    def _skip(self, entry: dict[str, Any]) -> None:
        if not self._result.filtered:
            raise NotWhole(f"After {self._before} a record is missing: this is an export of all records.")
        self._result.skipped += self._stand_in(entry)

    def _pruned(self, entry: dict[str, Any]) -> None:
        self._result.pruned += self._stand_in(entry)

    def _stand_in(self, entry: dict[str, Any]) -> int:
        """Put subtrees in the place of records that are not here; return of how many."""
        self._grow()
        start = self._tree.size
        for part in entry.get("nodes") or []:
            if not isinstance(part, list) or len(part) != 2 or not isinstance(part[0], int):
                raise NotWhole(f"After {self._before} the skipped records are not described properly.")
            self._tree.add(part[0], unbase64(part[1]))
        self._place = self._tree.size
        return self._tree.size - start

    def _record(self, entry: dict[str, Any]) -> None:
        """Take a record whose line is not in the exact form: only one that was made unreadable stands so."""
        number = _int(entry, "number")
        if "leaf" not in entry:
            raise NotWhole(f"Record {number} was changed: its line is not in the form of an export.")
        digest = sha256(b"\x00" + unbase64(entry["leaf"])).digest()
        self.record(_int(entry, "index"), number, digest, digest == unbase64(entry.get("hash")))

    def _grow(self) -> None:
        """Put what was hashed into the tree."""
        self._tree.extend(self._leaves)
        self._leaves.clear()

    def _checkpoint(self, entry: dict[str, Any]) -> None:
        self._grow()
        result, here = self._result, self._tree.size
        size, root, result.signed_at = open_note(str(entry.get("note")), result.origin, self._key)
        if size != here:
            raise NotWhole(f"By {self._before} the checkpoint states {size} records where {here} are.")
        if root != self._tree.root():
            raise NotWhole(self._somewhere())
        if self._pending:
            result.first = self._first if result.first is None else result.first
            result.last = self._last
        result.records += self._pending
        self._seen += self._pending
        self._pending = 0

    def _somewhere(self) -> str:
        if self._pending == 1:
            return f"Record {self._last} is not the one that was sealed."
        if self._pending:
            return (
                f"Records {self._first} to {self._last} are not those that were sealed, or one is missing between them."
            )
        return f"What was skipped after {self._before} is not what was sealed."

    def _waiting(self, entry: dict[str, Any]) -> None:
        _int(entry, "number")
        self._result.waiting += 1
        self._seen += 1

    def _end(self, entry: dict[str, Any]) -> None:
        here = self._seen + self._pending
        if entry.get("records") != here:
            raise NotWhole(f"Records are missing: the last line counts {entry.get('records')}, {here} are here.")
        self._ended = True
        self._place = -1


def _entry(line: bytes, at: int) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except ValueError:
        raise NotWhole(f"Line {at + 1} is damaged or cut off.") from None
    if not isinstance(entry, dict):
        raise NotWhole(f"Line {at + 1} is not a line of an export.")
    return entry


def _int(entry: dict[str, Any], name: str) -> int:
    value = entry.get(name)
    if not isinstance(value, int):
        raise NotWhole(f"A record has no {name}.")
    return value


def unbase64(value: Any) -> bytes:
    """Return what a text in base64 says; raise NotWhole for anything else."""
    try:
        return base64.b64decode(str(value), validate=True)
    except (binascii.Error, ValueError):
        raise NotWhole("A value is not in base64.") from None


def public_key(path: Path) -> Ed25519PublicKey:
    """Read the log's key; raise OSError or ValueError where it is not there or of another kind."""
    key = load_pem_public_key(path.read_bytes())
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("the key is not Ed25519")  # noqa: TRY004 - as the parser says of what it cannot read
    return key


def main(arguments: list[str] | None = None) -> int:
    """Run as a program."""
    parser = argparse.ArgumentParser(description="Verify an exported segment of the audit log.")
    parser.add_argument("export", type=Path, help="the .jsonl file")
    parser.add_argument("--key", type=Path, required=True, help="the log's public key (PEM), had by another way")
    asked = parser.parse_args(arguments)
    try:
        key = public_key(asked.key)
        with asked.export.open("rb") as file:
            result = verify(file, key)
    except NotWhole as problem:
        sys.stdout.write(f"NOT whole. {problem}\n")
        return 1
    except (OSError, ValueError) as problem:
        sys.stderr.write(f"Cannot verify: {problem}\n")
        return 2
    sys.stdout.write(result.sentence() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
