"""Seal what is not yet sealed: one batch, one signed checkpoint, one transaction (decisions.md 8).

Rows are taken by "not yet sealed" (the table audit_unsealed), never by "number greater than the last": a
transaction that commits late has a low number (security.md 75). However many workers seal at once, the
tree grows by one batch at a time. A row this service did not write is refused and said aloud.
"""

import hmac
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text
from sqlmodel import Session

from idp import clock
from idp.audit import copies, leaf, log, origin
from idp.audit.checkpoint import BadCheckpoint, Checkpoint, load_key, origin_of, read, sign
from idp.audit.collector import Collector
from idp.audit.events import Event
from idp.audit.merkle import Frontier, leaf_hash
from idp.database import Database, plainly, reading, transaction
from idp.database.lane import Sql
from idp.database.lane.readers import BY_KEY

BATCH = 5000
_LOCK = 0x1D9_A0D17
"""Number of PostgreSQL's advisory lock: sealing is done by one transaction at a time."""
_log = structlog.get_logger("idp.audit")

_READ = ", ".join(f"r.{name}" for name in ("leaf", "mac", *leaf.CHECKED))
_DUE = Sql(
    "SELECT EXISTS (SELECT 1 FROM audit_unsealed WHERE refused_at IS NULL), "
    "(SELECT at FROM audit_checkpoint ORDER BY number DESC LIMIT 1)"
)
_ALONE = Sql(
    "SELECT pg_try_advisory_xact_lock($1), "
    + ", ".join(f"set_config('{name}', '{value}', true)" for name, value in BY_KEY.items())
)
"""The right to seal until the commit, and plans that are made once: making them anew cost more than all the rest."""
_WAITING = Sql(
    f"SELECT u.seq, EXISTS (SELECT 1 FROM audit_record o WHERE o.at = r.at AND o.mac = r.mac AND o.seq <> r.seq "  # noqa: S608 - our own names
    "AND (o.seq < r.seq OR NOT EXISTS (SELECT 1 FROM audit_unsealed w WHERE w.seq = o.seq))), "
    f"{_READ} FROM (SELECT seq FROM audit_unsealed WHERE refused_at IS NULL "
    "ORDER BY seq LIMIT $1) AS u LEFT JOIN audit_record r ON r.seq = u.seq ORDER BY u.seq"
)
"""Also whether a record repeats an original: a sealed one, else the one that waits with the lowest number."""
_NEWEST = Sql("SELECT number, size, root, frontier, note, at FROM audit_checkpoint ORDER BY number DESC LIMIT 1")
_OFF_THE_LIST = {
    True: Sql("DELETE FROM audit_unsealed WHERE seq IN (SELECT value FROM json_each($1))"),
    False: Sql("DELETE FROM audit_unsealed WHERE seq = ANY($1)"),
}
"""By whether it is for SQLite."""
_ADD_BATCH = Sql(
    "INSERT INTO audit_batch (first_index, count, low_seq, high_seq, seqs, hashes, created_at) "
    "VALUES ($1, $2, $3, $4, $5, $6, $7)"
)
_ADD_CHECKPOINT = Sql(
    "INSERT INTO audit_checkpoint (number, size, root, frontier, note, at, created_at) "
    "VALUES ($1, $2, $3, $4, $5, $6, $6)"
)


class LogDamaged(Exception):
    """The stored tree is not the one we signed: sealing on top of it would hide that."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """What one round of sealing did."""

    records: int
    refused: int
    checkpoint: Checkpoint | None
    more: bool
    """Records may be waiting still."""
    oldest: datetime | None = None
    """When the oldest record of the batch was written; tells the lag."""


@dataclass(frozen=True, slots=True)
class _Head:
    number: int
    tree: Frontier
    at: datetime | None


class Sealer:
    """Seals one database's log with the checkpoint key of this host."""

    def __init__(self, database: Database, key: Ed25519PrivateKey | None = None) -> None:
        """Load the key; raise NotConfigured when there is none."""
        settings = database.settings
        self._database = database
        self._key = key or load_key(settings.audit_key_file)
        self._public = self._key.public_key()
        self._origin = origin_of(settings)
        self._copy = settings.audit_copy
        self._collector = Collector(settings) if settings.audit_syslog else None
        self._seen = (0, 0, b"")
        """Number, size and root of the newest checkpoint this process knows of."""

    def seal(self, *, at_least_every: timedelta = timedelta(seconds=60), seen_waiting: bool = False) -> Sealed:
        """Seal one batch; with nothing to seal, sign the tree again once the newest checkpoint is old.

        A caller that has just seen records waiting says so: they are not looked for twice. Raises LogDamaged
        when the stored tree is behind or beside what was signed before.
        """
        if not seen_waiting and not self._due(at_least_every):
            return Sealed(0, 0, None, more=False)
        with transaction(self._database, prompt=True) as session, origin.acting_as("system"):
            asked = () if self._database.is_sqlite else ((_ALONE, (_LOCK,)),)  # there the write lock is the right
            *alone, newest, waiting = plainly.together(session, *asked, (_NEWEST, ()), (_WAITING, (BATCH,)))
            if alone and not alone[0][0][0]:
                return Sealed(0, 0, None, more=False)
            head = self._head(newest)
            hashes, kept, refused, oldest = self._examine(session, waiting)
            if not kept and not refused and head.at is not None and clock.now() - head.at < at_least_every:
                return Sealed(0, 0, None, more=False)
            made, note = self._write(session, head, kept, hashes)
        number = head.number + 1
        self._seen = (number, made.size, made.root)
        if self._copy is not None:
            copies.append(self._copy, number, note)
        if self._collector is not None:
            self._collector.told(self._origin, number, note)
        return Sealed(len(kept), refused, made, more=len(waiting) == BATCH, oldest=oldest)

    def seal_all(self) -> int:
        """Seal until nothing waits; return how many records were sealed."""
        total = 0
        while True:
            done = self.seal()
            total += done.records
            if not done.more:
                return total

    def _due(self, at_least_every: timedelta) -> bool:
        """Look without a lock whether there is anything to do."""
        with reading(self._database) as session:
            waiting, newest = plainly.say(session, _DUE).fetchone()
        return bool(waiting) or newest is None or clock.now() - clock.from_micros(newest) >= at_least_every

    def _head(self, newest: Sequence[Sequence[Any]]) -> _Head:
        """Return the newest checkpoint, having checked it against signature, memory and copy."""
        number, tree, at = 0, Frontier(), None
        for row in newest:
            number, size, root, frontier, note, signed_at = row
            at = clock.from_micros(signed_at)
            try:
                stated = read(note, self._origin, self._public)
                tree = Frontier.load(size, frontier)
            except (BadCheckpoint, ValueError) as problem:
                raise LogDamaged(f"Checkpoint {number} is not one that this service signed: {problem}") from None
            if stated.size != tree.size or stated.root != tree.root():
                raise LogDamaged(f"Checkpoint {number} was changed after it was signed")
        known = [self._seen]
        if self._copy is not None and (copied := copies.last(self._copy)) is not None:
            try:
                stated = read(copied[1], self._origin, self._public)
            except BadCheckpoint as problem:
                raise LogDamaged(f"The copy of checkpoint {copied[0]} cannot be trusted: {problem}") from None
            known.append((copied[0], stated.size, stated.root))
        for before, size, root in known:
            if before > number or size > tree.size or (size == tree.size and size and root != tree.root()):
                raise LogDamaged(
                    f"The log was rolled back or replaced: checkpoint {before} stated {size} records, "
                    f"the database's newest ({number}) states {tree.size}"
                )
        return _Head(number, tree, at)

    def _examine(
        self, session: Session, waiting: Sequence[Sequence[Any]]
    ) -> tuple[list[bytes], list[int], int, datetime | None]:
        """Return the leaf hashes and numbers of the rows that are ours, how many were refused, the oldest time."""
        hashes: list[bytes] = []
        kept: list[int] = []
        refused = 0
        oldest: int | None = None
        key = leaf.mac_key(self._database.ring)
        for seq, copied, found, mac, *columns in waiting:
            stored, why = b"", None if found is not None else "missing"
            if found is not None:
                stored = leaf.raw(found)
                why = _objection(key, stored, leaf.raw(mac), columns) or ("copied" if copied else None)
            if why is not None:
                self._refuse(session, seq, why)
                refused += 1
                continue
            hashes.append(leaf_hash(stored))
            kept.append(seq)
            at = columns[0]
            oldest = at if oldest is None else min(oldest, at)
        return hashes, kept, refused, None if oldest is None else clock.from_micros(oldest)

    def _refuse(self, session: Session, seq: int, why: str) -> None:
        _log.critical("audit_record_refused", record=seq, why=why)
        session.execute(
            text("UPDATE audit_unsealed SET refused_at = :now WHERE seq = :seq"),
            {"now": clock.micros(clock.now()), "seq": seq},
        )
        log.record(session, Event("audit.record.refused", outcome="refused", reason=why, details={"record": seq}))

    def _write(self, session: Session, head: _Head, kept: list[int], hashes: list[bytes]) -> tuple[Checkpoint, str]:
        """Take what is sealed off the waiting list, add it as a batch, sign the tree."""
        now, first = clock.now(), head.tree.size
        head.tree.extend(hashes)
        made = Checkpoint(self._origin, head.tree.size, head.tree.root(), now)
        note = sign(made, self._key)
        at = clock.micros(now)
        writes: list[tuple[Sql, tuple[object, ...]]] = []
        if kept:
            seqs = struct.pack(f">{len(kept)}q", *kept)
            batch = (first, len(kept), min(kept), max(kept), seqs, b"".join(hashes), at)
            off = orjson.dumps(kept).decode() if self._database.is_sqlite else kept
            writes = [(_OFF_THE_LIST[self._database.is_sqlite], (off,)), (_ADD_BATCH, batch)]
        writes.append((_ADD_CHECKPOINT, (head.number + 1, made.size, made.root, head.tree.dump(), note, at)))
        plainly.together(session, *writes)
        return made, note


def _objection(key: bytes, stored: bytes, mac: bytes, columns: Sequence[Any]) -> str | None:
    """Say why a row is not one that this service wrote; None when it is."""
    if not hmac.compare_digest(leaf.mac_under(key, stored), mac):
        return "not_ours"
    if leaf.differing(orjson.loads(stored), columns):
        return "columns_differ"
    return None
