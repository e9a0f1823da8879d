"""Compare what a log promised with what it holds: `python receipts.py mine.json --key public.pem --export log.jsonl`.

A signed receipt is given at once where access is given or taken (promises.py). What it promises must stand in a later
export, or be proven by `--proof inclusion.json`, the answer of /log/v1/inclusion/NUMBER. Like `verifier.py`, which has
to lie beside it, it needs Python 3.11 and `cryptography` and nothing of the service, and trusts only the public key.

A record that the export says waits to be sealed stands only until it is due: nothing signed says that it is there.
A stretch that was pruned hides no record younger than six years: nothing younger may be pruned (retention.py).

Exit status: 0 kept or not due yet, 1 promised and not there or not whole (what is bad is named), 2 cannot be read or
said.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

if __package__:
    from idp.audit.verifier import NotWhole, Result, open_note, public_key, signed_lines, unbase64, verify
else:  # run by itself, on another machine
    from verifier import (  # type: ignore[import-not-found, no-redef]
        NotWhole,
        Result,
        open_note,
        public_key,
        signed_lines,
        unbase64,
        verify,
    )

RECEIPT = "idp-log-receipt/1"
KEPT = timedelta(days=6 * 365)
"""No record is pruned before: six years at the least (retention.py), without their leap days."""


class CannotSay(Exception):
    """Neither proven nor disproven by what is at hand; the text says what is missing."""


@dataclass(frozen=True)
class Receipt:
    """What the log promised, with its signature checked."""

    origin: str
    promised: datetime
    due: datetime
    hashes: tuple[bytes, ...]
    numbers: dict[bytes, int]

    @staticmethod
    def read(text: bytes | str, key: Ed25519PublicKey) -> "Receipt":
        """Read a receipt; raise NotWhole for one that the key did not sign or whose records are not those it signed."""
        try:
            said = json.loads(text)
            note, records = (
                str(said["note"]),
                [(int(r["number"]), unbase64(r["hash"]), r["leaf"]) for r in said["records"]],
            )
            origin = note.split("\n")[1]
        except (ValueError, LookupError, TypeError, AttributeError):
            raise NotWhole("This is not a receipt of a log.") from None
        lines = signed_lines(note, origin, key)
        if lines is None or lines[0] != RECEIPT or len(lines) < 6:
            raise NotWhole("The receipt is forged: this log's key did not sign it.")
        hashes = tuple(unbase64(line) for line in lines[4:-1])
        for number, digest, leaf in records:
            if digest not in hashes or sha256(b"\x00" + leaf.encode()).digest() != digest:
                raise NotWhole(f"The receipt was changed: what it says of record {number} is not what was signed.")
        numbers = {digest: number for number, digest, _ in records}
        return Receipt(origin, datetime.fromisoformat(lines[2]), datetime.fromisoformat(lines[3]), hashes, numbers)

    def name(self, digest: bytes) -> str:
        return f"record {self.numbers[digest]}" if digest in self.numbers else f"the record of hash {digest.hex()[:16]}"

    def compared(self, result: Result) -> str:
        """Say that what was promised stands in an export; raise NotWhole where it does not, or CannotSay."""
        if result.origin != self.origin:
            raise CannotSay(f"The receipt is of the log {self.origin}, the export of {result.origin}.")
        gone = [digest for digest in self.hashes if digest not in result.found]
        if not gone:
            return f"Kept: the {len(self.hashes)} records promised at {self.promised.isoformat()} stand in the log."
        first = self.name(gone[0])
        cut = datetime.fromisoformat(result.signed_at) if result.signed_at else None
        if cut is None or cut < self.due:
            if result.waits.issuperset(gone) and datetime.now(UTC) < self.due:
                return f"Not due yet: {first} waits to be sealed. Compare again after {self.due.isoformat()}."
            raise CannotSay(f"{first} is not in this export, which was cut before it was due ({self.due.isoformat()}).")
        if result.filtered:
            raise CannotSay(f"{first} is not in this file, which does not hold all records: take a whole export.")
        if result.pruned and cut >= self.promised + KEPT:
            raise CannotSay(
                f"{first} is more than six years old: it may be among the {result.pruned} that were pruned."
            )
        raise NotWhole(f"Promised but not in the log: {first}, promised at {self.promised.isoformat()}.")


def included(text: bytes | str, origin: str, key: Ed25519PublicKey) -> bytes:
    """Return the leaf hash that an inclusion proof proves (RFC 6962 2.1.1); raise NotWhole for one that does not."""
    try:
        said = json.loads(text)
        place, path = int(said["index"]), [unbase64(node) for node in said["path"]]
        node = leaf = unbase64(said["leaf_hash"])
        size, root, _ = open_note(str(said["checkpoint"]), origin, key)
    except (ValueError, LookupError, TypeError):
        raise NotWhole("This is not an inclusion proof.") from None
    last = size - 1
    if not 0 <= place <= last:
        raise NotWhole("The inclusion proof names a place outside the tree.")
    for other in path:
        if place == last == 0:
            raise NotWhole("The inclusion proof is too long.")
        if place & 1 or place == last:
            node = sha256(b"\x01" + other + node).digest()
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            node = sha256(b"\x01" + node + other).digest()
        place, last = place >> 1, last >> 1
    if last or node != root:
        raise NotWhole("The inclusion proof does not lead to the signed root.")
    return leaf


def main(arguments: list[str] | None = None) -> int:
    """Run as a program."""
    parser = argparse.ArgumentParser(description="Compare receipts of the audit log with an export or with proofs.")
    parser.add_argument("receipts", type=Path, nargs="+", help="the .json files")
    parser.add_argument("--key", type=Path, required=True, help="the log's public key (PEM), had by another way")
    parser.add_argument("--export", type=Path, help="an export of the whole log")
    parser.add_argument("--proof", type=Path, action="append", default=[], help="an inclusion proof of a record")
    asked = parser.parse_args(arguments)
    if asked.export is None and not asked.proof:
        parser.error("name an export or the proofs to compare with")
    try:
        for sentence in _sentences(asked, public_key(asked.key)):
            sys.stdout.write(sentence + "\n")
    except NotWhole as problem:
        sys.stdout.write(f"NOT whole. {problem}\n")
        return 1
    except CannotSay as problem:
        sys.stdout.write(f"Cannot say. {problem}\n")
        return 2
    except (OSError, ValueError) as problem:
        sys.stderr.write(f"Cannot compare: {problem}\n")
        return 2
    return 0


def _sentences(asked: argparse.Namespace, key: Ed25519PublicKey) -> Iterator[str]:
    receipts = [Receipt.read(path.read_bytes(), key) for path in asked.receipts]
    result = Result(origin=receipts[0].origin)
    if asked.export is not None:
        with asked.export.open("rb") as file:
            result = verify(file, key, [digest for one in receipts for digest in one.hashes])
        yield result.sentence()
    result.found |= {included(path.read_bytes(), result.origin, key) for path in asked.proof}
    for one in receipts:
        yield one.compared(result)


if __name__ == "__main__":
    sys.exit(main())
