"""Verify the live log: every record against the tree, the tree against signed checkpoints and their copy.

One pass over a snapshot, memory flat but for one bit a record. The first record that is not as it was
sealed is named by its number. `verifier.py` does the same for an exported segment on another machine.
"""

import hmac
from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import text
from sqlmodel import Session

from idp import clock
from idp.audit import leaf, pruned
from idp.audit.checkpoint import Checkpoint, origin_of
from idp.audit.merkle import Frontier, leaf_hash
from idp.audit.report import Findings, Report, Seen
from idp.audit.rows import Rows
from idp.audit.stated import Stated, rolled_back
from idp.audit.stretches import Batch, Stretches
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
        self._session = session
        self._copy = copy_path
        self._report = Report()
        self._found = Findings(self._report, limit)
        self._stated = Stated(session, origin_of(database.settings), public, self._found)

    def run(self) -> Report:
        report, session, found = self._report, self._session, self._found
        total = int(session.execute(text("SELECT count(*) FROM audit_record")).scalar_one())
        self._seen = Seen(2 * total + 1_000_000)
        self._rows = Rows(session)
        self._present = 0
        self._waiting = {
            int(seq): refused
            for seq, refused in session.execute(text("SELECT seq, refused_at FROM audit_unsealed")).all()
        }
        report.copies = 0 if self._copy is not None else None
        self._copied = self._stated.copied(self._copy)
        self._checkpoints = self._stated.checkpoints(report)
        self._pending = next(self._checkpoints, None)
        self._tree = Frontier()
        self._since: list[Batch] = []  # after the last good checkpoint, to name a record when a root differs
        last_seq = 0
        while self._pending is not None and self._pending.size == 0:
            self._compare(self._pending)
            self._pending = next(self._checkpoints, None)
        self._pruned = pruned.read(session)
        for stretch in Stretches(session, self._pruned):
            for batch in self._met(stretch):
                last_seq = batch.seqs[-1] if batch.seqs else last_seq
        if self._pending is not None:
            found.add(
                "cut_off",
                None,
                f"Records after number {last_seq} were cut off: checkpoint of {clock.iso(self._pending.at)} states "
                f"{self._pending.size} records, {self._tree.size} are left.",
            )
        elif self._since:
            first = self._since[0].seqs[0]
            found.add("forged", first, f"Record {first} and later ones stand under no signed checkpoint.")
        self._lost_while_waiting()
        if self._present != total:  # counted: naming them is a pass of its own
            self._strangers()
        rolled_back(found, report, self._copied, self._tree.size, last_seq)
        if self._pruned and pruned.attested(session) != pruned.digest(session):
            found.add("forged", None, "What is stated to be pruned is not what was recorded when it was pruned.")
        report.waiting = sum(1 for refused in self._waiting.values() if refused is None)
        return report

    def _met(self, stretch: Sequence[Batch]) -> Iterator[Batch]:
        """Look at each batch of a stretch in its turn: what is wrong is named in the tree's order."""
        seqs = [seq for batch in stretch for seq in batch.seqs]
        at = self._rows.ordinary(seqs, [digest for batch in stretch for digest in batch.hashes])
        for batch in stretch:
            if batch.broken is not None:
                self._found.add("broken", *batch.broken)
            self._report.pruned += batch.pruned
            if batch.seqs:
                self._check(batch, at)
                self._since.append(batch)
            batch.grow(self._tree)
            while self._pending is not None and self._pending.size <= self._tree.size:
                self._compare(self._pending)
                self._pending = next(self._checkpoints, None)
            yield batch

    def _check(self, batch: Batch, at: int | None) -> None:
        """Take a batch whose rows are known to be whole (then `at` is a moment), or look at its rows."""
        seqs = batch.seqs
        if at is None:
            at = self._rows.ordinary(seqs, batch.hashes)
        if at is None or not self._seen.add_all(seqs):
            self._check_each(seqs, batch.hashes)
            return
        self._present += len(seqs)
        self._count(len(seqs), at)

    def _count(self, records: int, at: int) -> None:
        if self._report.first_at is None:
            self._report.first_at = clock.from_micros(at)
        if self._found.none:
            self._report.records += records

    def _check_each(self, seqs: Sequence[int], hashes: Sequence[bytes]) -> None:
        """Look at each record of a batch that is not as expected, and name what is wrong with it."""
        places = {digest: seq for seq, digest in zip(seqs, hashes, strict=True)}
        rows = {row[0]: row for row in self._rows.named(seqs)}
        gone = frozenset[int]().union(*(p.gone for p in self._pruned.values() if p.gone & set(seqs)))
        for seq, digest in zip(seqs, hashes, strict=True):
            if not self._seen.add(seq):
                self._found.add("repeated", seq, f"Record {seq} is sealed twice.")
                continue
            row = rows.get(seq)
            if row is None:
                if seq in gone:
                    self._report.pruned += 1
                else:
                    self._found.add("missing", seq, f"Record {seq} is missing: it was sealed and is gone.")
                continue
            self._present += 1
            stored = leaf.raw(row[1])
            actual = leaf_hash(stored)
            if actual != digest:
                came_from = places.get(actual)
                if came_from is not None:
                    self._found.add(
                        "reordered", seq, f"Record {seq} was swapped: it holds what record {came_from} held."
                    )
                else:
                    self._found.add("altered", seq, f"Record {seq} was changed after it was sealed.")
                continue
            wrong = leaf.differing(orjson.loads(stored), row[3:])
            if wrong:
                self._found.add(
                    "columns",
                    seq,
                    f"Record {seq}: what searches see ({', '.join(wrong)}) was changed; "
                    "the sealed record itself is whole.",
                )
            self._count(1, row[3])

    def _compare(self, stated: Checkpoint) -> None:
        """Compare a genuine checkpoint with the tree as it stands."""
        tree = self._tree
        if stated.size == tree.size and stated.root == tree.root():
            self._report.newest = stated
            other = self._copied.get(stated.size)
            if other is not None and other.root == stated.root:
                assert self._report.copies is not None
                self._report.copies += 1
            elif other is not None:
                sentence = f"Two logs: the copy states another root for {stated.size} records than the database."
                self._found.add("forged", None, sentence)
        elif self._found.none:
            self._name_one(stated)
        self._since.clear()

    def _name_one(self, stated: Checkpoint) -> None:
        """Rows and hashes were changed together: the keyed hash tells which row this service did not write."""
        since = [seq for batch in self._since for seq in batch.seqs]
        size = self._tree.size
        first, last = (since[0], since[-1]) if since else (0, 0)
        for start in range(0, len(since), _CHUNK):
            numbers = since[start : start + _CHUNK]
            rows = {row[0]: row for row in self._rows.named(numbers)}
            for seq in numbers:
                row = rows.get(seq)
                if row is not None and not hmac.compare_digest(
                    leaf.mac(self._ring, leaf.raw(row[1])), leaf.raw(row[2])
                ):
                    self._found.add("altered", seq, f"Record {seq} was changed, and its hash in the tree with it.")
                    return
        if stated.size != size:
            kind = "missing" if size < stated.size else "inserted"
            self._found.add(
                kind,
                first,
                f"Between records {first} and {last} a record is {kind}: "
                f"the checkpoint states {stated.size} records where {size} are.",
            )
        else:
            self._found.add(
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
                    self._found.add("inserted", seq, f"Record {seq} was inserted: it is neither sealed nor waiting.")
            after = seqs[-1]

    def _lost_while_waiting(self) -> None:
        """Name records that waited to be sealed and are gone, and those the sealer refused."""
        waiting = sorted(self._waiting)
        present = {row[0] for row in self._rows.named(waiting)}
        self._present += sum(1 for seq in present if seq not in self._seen)
        for seq in waiting:
            if seq not in present:
                self._found.add("missing", seq, f"Record {seq} is missing: it was waiting to be sealed and is gone.")
            elif self._waiting[seq] is not None:
                self._found.add("inserted", seq, f"Record {seq} was inserted: this service did not write it.")
