"""The file of a case: entries that are added and never changed, each digest covering the one before.

Every entry leaves a record in the log that names its digest, so whoever rewrites entries and digests in the database
is found against the sealed log. `check` does both comparisons.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Any

import orjson
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock
from idp.audit import leaf, log
from idp.audit.events import Event
from idp.audit.tables import AuditRecord
from idp.cases import standing, states
from idp.cases.states import Said
from idp.cases.tables import CaseEntry, SecurityCase
from idp.database import of
from idp.envelope import CannotOpen, open_with, seal_with
from idp.errors import NotFound

_EVENT = "security.case."


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry in the clear."""

    number: int
    kind: str
    at: datetime
    by: str
    body: dict[str, Any] | None
    """None where the person's key was destroyed."""
    digest: str


@dataclass(frozen=True, slots=True)
class Checked:
    """What verifying a file found."""

    entries: int
    problem: str = ""
    """Names the first entry that is not as it was written; empty when all are."""
    unreadable: int = 0
    """Entries whose person's key was destroyed: their place in the chain and the log still holds."""

    @property
    def whole(self) -> bool:
        """Say whether nothing was altered, removed, inserted or swapped."""
        return not self.problem


def hold(db: Db, case_id: str) -> SecurityCase:
    """Return a case as it is now and keep others from changing it until this transaction ends. Raises NotFound."""
    query = select(SecurityCase).where(col(SecurityCase.id) == case_id[:64]).with_for_update()
    found = db.exec(query.execution_options(populate_existing=True)).one_or_none()
    if found is None:
        raise NotFound("There is no case with this id.")
    standing.watch(db, found.id)
    return found


def write(
    db: Db, case: SecurityCase, kind: str, body: Mapping[str, Any], *, by: str, tell: Mapping[str, Any] | None = None
) -> Entry:
    """Add an entry to a case that is held, with its record in the log; `tell` are ids and codes for the record.

    Raises ValueError for a kind outside the vocabulary.
    """
    owner = case.account_id or log.NOBODY
    entry = Entry(case.entries + 1, kind, clock.now(), by, dict(body), "")
    entry = replace(entry, digest=digest_of(case.id, entry, case.head))
    key = log.subject_key(db, owner)
    sealed = seal_with(key, _canonical(body), _place(case.id, entry.number)) if key is not None else None
    db.add(
        CaseEntry(
            case_id=case.id,
            number=entry.number,
            kind=kind,
            at=entry.at,
            by=by,
            owner=owner,
            body=sealed,
            digest=entry.digest,
        )
    )
    case.entries, case.head = entry.number, entry.digest
    db.add(case)
    db.flush()
    details = {"case": case.id, "entry": entry.number, "digest": entry.digest, "by": by, "at": leaf.exact(entry.at)}
    details |= tell or {}
    # The case stands in the indexed column `reason`: one step from any of its records to all of them.
    log.record(db, Event(_EVENT + kind, account=case.account_id, reason=case.id, details=details))
    return entry


def digest_of(case_id: str, entry: Entry, previous: str) -> str:
    """Return an entry's digest: SHA-256 of canonical JSON (sorted keys, no spaces, UTF-8) with the digest before it."""
    whole = {
        "at": leaf.exact(entry.at),
        "body": entry.body,
        "by": entry.by,
        "case": case_id,
        "kind": entry.kind,
        "number": entry.number,
        "previous": previous,
    }
    return sha256(_canonical(whole)).hexdigest()


def entries(db: Db, case_id: str) -> list[Entry]:
    """Return a case's entries in the clear, oldest first."""
    return [_opened(db, row) for row in _rows(db, case_id)]


def check(db: Db, case: SecurityCase) -> Checked:
    """Verify a case's file: every body against its digest, every digest against the one before and the log.

    What can't be read any more is compared with what its record says: who, when, what, about whom. A body that is
    missing while its key is there was taken away. The case itself must say what its file says of it, and its clocks,
    questions, actions, appeal and label what the log says of them.
    """
    said, stood = _said_by_log(db, case.id)
    previous, unreadable = "", 0
    rows = _rows(db, case.id)
    for expected, row in enumerate(rows, 1):
        if row.number != expected:
            return Checked(len(rows), f"Entry {expected} is missing.", unreadable)
        try:
            opened = _opened(db, row)
        except CannotOpen:
            return Checked(len(rows), f"Entry {expected} was changed after it was written.", unreadable)
        if opened.body is None:
            unreadable += 1
            altered = log.subject_key(db, row.owner) is not None
        else:
            altered = digest_of(case.id, opened, previous) != row.digest
        told = said.get(expected)
        if altered or (told is not None and told.digest == row.digest and not told.agrees(row)):
            return Checked(len(rows), f"Entry {expected} was changed after it was written.", unreadable)
        if told is None or told.digest != row.digest:
            return Checked(len(rows), f"Entry {expected} is not what the log says was written.", unreadable)
        previous = row.digest
    if len(rows) < max(said, default=0) or (case.entries, case.head) != (len(rows), previous):
        return Checked(len(rows), f"Entry {len(rows) + 1} is missing.", unreadable)
    problem = states.differs(case, [said[number] for number in range(1, len(rows) + 1)])
    return Checked(len(rows), problem or standing.differs(db, case, stood), unreadable)


def _said_by_log(db: Db, case_id: str) -> tuple[dict[int, Said], Mapping[str, Any] | None]:
    """Return what records of this service say of each entry, by its number, and the newest of how the case stands."""
    query = select(AuditRecord.leaf, AuditRecord.mac).where(col(AuditRecord.reason) == case_id)
    rows = db.exec(query.order_by(col(AuditRecord.seq))).all()
    ring = of(db).ring
    found: dict[int, Said] = {}
    stood: Mapping[str, Any] | None = None
    for stored, mac in rows:
        whole = leaf.raw(stored)
        if leaf.mac(ring, whole) != leaf.raw(mac):
            continue  # somebody put it there by hand
        record = orjson.loads(whole)
        details = record.get("details", {})
        if details.get("case") != case_id:
            continue
        if record["event"] == standing.EVENT:
            stood = details["stands"]
        elif "digest" in details:
            kind = str(record["event"]).removeprefix(_EVENT)
            found.setdefault(int(details["entry"]), Said(kind, record.get("account"), details))
    return found, stood


def _rows(db: Db, case_id: str) -> list[CaseEntry]:
    query = select(CaseEntry).where(col(CaseEntry.case_id) == case_id).order_by(col(CaseEntry.number))
    return list(db.exec(query.execution_options(populate_existing=True)).all())


def _opened(db: Db, row: CaseEntry) -> Entry:
    key = log.subject_key(db, row.owner)
    body = None
    if key is not None and row.body is not None:
        body = orjson.loads(open_with(key, bytes(row.body), _place(row.case_id, row.number)))
    return Entry(row.number, row.kind, row.at, row.by, body, row.digest)


def _place(case_id: str, number: int) -> str:
    return f"case_entry.body:{case_id}:{number}"


def _canonical(value: Mapping[str, Any]) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
