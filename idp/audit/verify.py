"""Verify the live log: every record against the tree, the tree against signed checkpoints and their copy.

One pass over a snapshot, memory flat but for one bit a record. The first record that is not as it was
sealed is named by its number. `verifier.py` does the same for an exported segment on another machine.
"""

import hmac
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import text
from sqlmodel import Session

from idp import clock
from idp.audit import copies, leaf, pruned
from idp.audit.checkpoint import BadCheckpoint, Checkpoint, origin_of, read
from idp.audit.merkle import Frontier, leaf_hash
from idp.audit.report import Finding, Report, Seen
from idp.audit.rows import Rows
from idp.database import Database, reading

_CHUNK = 500


def verify(database: Database, public: Ed25519PublicKey, copy_path: Path | None = None, *, limit: int = 100) -> Report:
    """Verify the whole log; stop collecting after `limit` findings."""
    with reading(database) as session:
        if not database.is_sqlite:  # on SQLite a reading transaction is a snapshot as it is
            session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        return _Verification(database, session, public, copy_path, limit).run()


class _Verification:
    def __init__(
        self, database: Database, session: Session, public: Ed25519PublicKey, copy_path: Path | None, limit: int
    ) -> None:
        self._ring = database.ring
        self._origin = origin_of(database.settings)
        self._session = session
        self._public = public
        self._copy = copy_path
        self._limit = limit
        self._report = Report()
        self._proven_whole = True

    def run(self) -> Report:
        report, session = self._report, self._session
        total = int(session.execute(text("SELECT count(*) FROM audit_record")).scalar_one())
        self._seen = Seen(2 * total + 1_000_000)
        self._rows = Rows(session)
        self._present = 0
        self._waiting = {
            int(seq): refused
            for seq, refused in session.execute(text("SELECT seq, refused_at FROM audit_unsealed")).all()
        }
        copied = self._copied()
        checkpoints = self._checkpoints()
        pending = next(checkpoints, None)
        tree = Frontier()
        last_seq = 0
        since: list[tuple[int, bytes]] = []  # records after the last good checkpoint, to name one when a root differs
        while pending is not None and pending.size == 0:
            self._compare(pending, tree, since, copied)
            pending = next(checkpoints, None)
        self._pruned = pruned.read(session)
        for seqs, hashes in self._batches(tree):
            self._check_rows(seqs, hashes)
            tree.extend(hashes)
            since.extend(zip(seqs, hashes, strict=True))
            last_seq = seqs[-1] if seqs else last_seq
            while pending is not None and pending.size <= tree.size:
                self._compare(pending, tree, since, copied)
                pending = next(checkpoints, None)
        if pending is not None:
            self._find(
                "cut_off",
                None,
                f"Records after number {last_seq} were cut off: checkpoint of {clock.iso(pending.at)} states "
                f"{pending.size} records, {tree.size} are left.",
            )
        elif since:
            self._find("forged", since[0][0], f"Record {since[0][0]} and later ones stand under no signed checkpoint.")
        self._lost_while_waiting()
        if self._present != total:  # counted: naming them is a pass of its own
            self._strangers()
        self._rolled_back(copied, tree.size, last_seq)
        if self._pruned and pruned.attested(session) != pruned.digest(session):
            self._find("forged", None, "What is stated to be pruned is not what was recorded when it was pruned.")
        report.waiting = sum(1 for refused in self._waiting.values() if refused is None)
        return report

    def _find(self, kind: str, record: int | None, sentence: str) -> None:
        self._proven_whole = False
        if len(self._report.findings) < self._limit:
            self._report.findings.append(Finding(kind, record, sentence))

    def _batches(self, tree: Frontier) -> Iterator[tuple[list[int], list[bytes]]]:
        """Return each batch's numbers and leaf hashes in tree order."""
        after = -1
        while True:
            rows = self._session.execute(
                text(
                    "SELECT first_index, count, seqs, hashes FROM audit_batch WHERE first_index > :after "
                    "ORDER BY first_index LIMIT 20"
                ),
                {"after": after},
            ).all()
            if not rows:
                yield from self._destroyed(tree, None)
                return
            for first, count, packed, joined in rows:
                after = first
                yield from self._destroyed(tree, first)
                seqs = list(struct.unpack(f">{len(packed) // 8}q", bytes(packed)[: len(packed) // 8 * 8]))
                hashes = [bytes(joined)[at : at + 32] for at in range(0, len(joined) // 32 * 32, 32)]
                if first != tree.size or not count == len(seqs) == len(hashes):
                    self._find(
                        "broken",
                        seqs[0] if seqs else None,
                        f"The batch at position {first} does not follow position {tree.size} or is not whole.",
                    )
                    if first < tree.size or len(seqs) != len(hashes):
                        return
                yield seqs, hashes

    def _destroyed(self, tree: Frontier, until: int | None) -> Iterator[tuple[list[int], list[bytes]]]:
        """Put the subtrees of batches that were pruned whole in their place; each may end at a checkpoint."""
        while tree.size != until and (gone := self._pruned.get(tree.size)) is not None and gone.nodes:
            try:
                for level, node in gone.nodes:
                    tree.append_subtree(level, node)
            except ValueError:
                self._find("broken", gone.low, f"What is left of the pruned batch at {gone.first} is not whole.")
                return
            self._report.pruned += gone.count
            yield [], []

    def _check_rows(self, seqs: Sequence[int], hashes: Sequence[bytes]) -> None:
        """Compare each record of a batch with the hash it was sealed under."""
        if not seqs:
            return
        at = self._rows.ordinary(seqs, hashes) if self._seen.none_of(seqs) else None
        if at is None:
            self._check_each(seqs, hashes)
            return
        self._seen.add_run(seqs)
        self._present += len(seqs)
        self._count(len(seqs), at)

    def _count(self, records: int, at: int) -> None:
        if self._report.first_at is None:
            self._report.first_at = clock.from_micros(at)
        if self._proven_whole:
            self._report.records += records

    def _check_each(self, seqs: Sequence[int], hashes: Sequence[bytes]) -> None:
        """Look at each record of a batch that is not as expected, and name what is wrong with it."""
        places = {digest: seq for seq, digest in zip(seqs, hashes, strict=True)}
        rows = {row[0]: row for row in self._rows.named(seqs)}
        gone = frozenset[int]().union(*(p.gone for p in self._pruned.values() if p.gone & set(seqs)))
        for seq, digest in zip(seqs, hashes, strict=True):
            if not self._seen.add(seq):
                self._find("repeated", seq, f"Record {seq} is sealed twice.")
                continue
            row = rows.get(seq)
            if row is None:
                if seq in gone:
                    self._report.pruned += 1
                else:
                    self._find("missing", seq, f"Record {seq} is missing: it was sealed and is gone.")
                continue
            self._present += 1
            stored = leaf.raw(row[1])
            actual = leaf_hash(stored)
            if actual != digest:
                came_from = places.get(actual)
                if came_from is not None:
                    self._find("reordered", seq, f"Record {seq} was swapped: it holds what record {came_from} held.")
                else:
                    self._find("altered", seq, f"Record {seq} was changed after it was sealed.")
                continue
            wrong = leaf.differing(orjson.loads(stored), row[3:])
            if wrong:
                self._find(
                    "columns",
                    seq,
                    f"Record {seq}: what searches see ({', '.join(wrong)}) was changed; "
                    "the sealed record itself is whole.",
                )
            self._count(1, row[3])

    def _checkpoints(self) -> Iterator[Checkpoint]:
        """Return every checkpoint that is genuine, smallest first; name the others."""
        number = 0
        size = 0
        while True:
            rows = self._session.execute(
                text(
                    "SELECT number, size, root, note FROM audit_checkpoint WHERE number > :n ORDER BY number LIMIT 500"
                ),
                {"n": number},
            ).all()
            if not rows:
                return
            for row in rows:
                if row.number != number + 1:
                    self._find("missing", None, f"Checkpoint {number + 1} is missing.")
                number = row.number
                try:
                    stated = read(row.note, self._origin, self._public)
                except BadCheckpoint as problem:
                    self._find("forged", None, f"Checkpoint {number} is forged: {problem}.")
                    continue
                if stated.size != row.size or stated.root != bytes(row.root) or stated.size < size:
                    self._find("forged", None, f"Checkpoint {number} does not say what was signed under its number.")
                    continue
                size = stated.size
                self._report.checkpoints += 1
                yield stated

    def _compare(
        self, stated: Checkpoint, tree: Frontier, since: list[tuple[int, bytes]], copied: dict[int, Checkpoint]
    ) -> None:
        """Compare a genuine checkpoint with the tree as it stands."""
        if stated.size == tree.size and stated.root == tree.root():
            self._report.newest = stated
            other = copied.get(stated.size)
            if other is not None:
                if other.root == stated.root:
                    assert self._report.copies is not None
                    self._report.copies += 1
                else:
                    self._find(
                        "forged",
                        None,
                        f"Two logs: the copy states another root for {stated.size} records than the database.",
                    )
        elif self._proven_whole:
            self._name_one(stated, tree, since)
        since.clear()

    def _name_one(self, stated: Checkpoint, tree: Frontier, since: list[tuple[int, bytes]]) -> None:
        """Rows and hashes were changed together: the keyed hash tells which row this service did not write."""
        first, last = (since[0][0], since[-1][0]) if since else (0, 0)
        for start in range(0, len(since), _CHUNK):
            numbers = [seq for seq, _ in since[start : start + _CHUNK]]
            rows = {row[0]: row for row in self._rows.named(numbers)}
            for seq in numbers:
                row = rows.get(seq)
                if row is not None and not hmac.compare_digest(
                    leaf.mac(self._ring, leaf.raw(row[1])), leaf.raw(row[2])
                ):
                    self._find("altered", seq, f"Record {seq} was changed, and its hash in the tree with it.")
                    return
        if stated.size != tree.size:
            kind = "missing" if tree.size < stated.size else "inserted"
            self._find(
                kind,
                first,
                f"Between records {first} and {last} a record is {kind}: "
                f"the checkpoint states {stated.size} records where {tree.size} are.",
            )
        else:
            self._find(
                "reordered",
                first,
                f"Records {first} to {last} are not those that were sealed under the checkpoint of "
                f"{clock.iso(stated.at)}.",
            )

    def _strangers(self) -> None:
        """Name records that are neither sealed nor waiting."""
        after: int | None = None
        while True:
            seqs = (
                self._session.execute(
                    text("SELECT seq FROM audit_record WHERE seq > :after ORDER BY seq LIMIT 5000"),
                    {"after": -(2**62) if after is None else after},
                )
                .scalars()
                .all()
            )
            if not seqs:
                break
            for seq in seqs:
                if seq not in self._seen and seq not in self._waiting:
                    self._find("inserted", seq, f"Record {seq} was inserted: it is neither sealed nor waiting.")
            after = seqs[-1]

    def _lost_while_waiting(self) -> None:
        """Name records that waited to be sealed and are gone, and those the sealer refused."""
        waiting = sorted(self._waiting)
        present = {row[0] for row in self._rows.named(waiting)}
        self._present += sum(1 for seq in present if seq not in self._seen)
        for seq in waiting:
            if seq not in present:
                self._find("missing", seq, f"Record {seq} is missing: it was waiting to be sealed and is gone.")
            elif self._waiting[seq] is not None:
                self._find("inserted", seq, f"Record {seq} was inserted: this service did not write it.")

    def _copied(self) -> dict[int, Checkpoint]:
        """Return the copy's checkpoints by size; name those that are forged."""
        found: dict[int, Checkpoint] = {}
        if self._copy is None:
            return found
        self._report.copies = 0
        try:
            for number, note in copies.notes(self._copy):
                try:
                    stated = read(note, self._origin, self._public)
                except BadCheckpoint as problem:
                    self._find("forged", None, f"The copy of checkpoint {number} is forged: {problem}.")
                    continue
                found[stated.size] = stated
        except FileNotFoundError:
            if self._session.execute(text("SELECT count(*) FROM audit_checkpoint")).scalar():
                self._find("broken", None, f"The copy of the checkpoints is gone: {self._copy}.")
        except OSError as problem:
            self._find("broken", None, f"The copy of the checkpoints cannot be read: {problem.strerror}.")
        return found

    def _rolled_back(self, copied: dict[int, Checkpoint], size: int, last_seq: int) -> None:
        ahead = max(copied, default=0)
        newest = self._report.newest.size if self._report.newest else 0
        if ahead > max(newest, size):
            self._find(
                "cut_off",
                None,
                f"Records after number {last_seq} are gone: the log was cut off or rolled back to an older state. "
                f"The copy states {ahead} records at {clock.iso(copied[ahead].at)}, the database holds {size}.",
            )
