"""Search the log: exact filters, newest first, 50 a page, signed cursors (SE-1)."""

import base64
import hmac
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from ipaddress import ip_address
from typing import Any

import orjson
from sqlalchemy import ColumnElement, func, or_, text, union
from sqlmodel import Session, col, select

from idp import clock
from idp.audit.leaf import raw
from idp.audit.tables import AuditRecord, SubjectKey
from idp.database import of
from idp.envelope import CannotOpen, KeyRing, open_with
from idp.errors import Invalid, NotFound

PAGE = 50
KNOWN = ("done", "permit", "deny", "routed", "step_up", "refused", "failed")
"""Outcomes there are."""
_SLACK = timedelta(hours=2)
"""How far numbers and moments may be out of step: transactions overlap, clocks differ."""
COUNTED = 10_000
"""Counts above this say "more than"."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What to look for; every one that is set must match. Times: from the first, before the second."""

    person: str | None = None
    """Account id, as the one who acted or the one it was about."""
    provider: str | None = None
    event: str | None = None
    """A name of the vocabulary, or the beginning of names, such as `wam.`."""
    outcome: str | None = None
    reason: str | None = None
    entitlement: str | None = None
    client: str | None = None
    session: str | None = None
    device: str | None = None
    address: str | None = None
    """Keyed hash of a network address, 32 hexadecimal digits: `hashed` makes it of what somebody typed."""
    decision: str | None = None
    request: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def given(self) -> dict[str, str]:
        """Return the filters that are set, as text; what records and addresses carry."""
        return {
            name: clock.iso(value) if isinstance(value, datetime) else value
            for name, value in asdict(self).items()
            if value is not None
        }

    def conditions(self) -> list[ColumnElement[bool]]:
        """Return the conditions on audit_record."""
        exact = {
            "provider": AuditRecord.provider_id,
            "outcome": AuditRecord.outcome,
            "reason": AuditRecord.reason,
            "entitlement": AuditRecord.entitlement,
            "client": AuditRecord.client_id,
            "session": AuditRecord.session_id,
            "device": AuditRecord.device_id,
            "decision": AuditRecord.decision_id,
            "request": AuditRecord.request_id,
        }
        found: list[ColumnElement[bool]] = [
            col(column) == getattr(self, name) for name, column in exact.items() if getattr(self, name) is not None
        ]
        if self.address is not None:
            found.append(col(AuditRecord.address_hash) == bytes.fromhex(self.address))
        if self.person is not None:
            found.append(or_(col(AuditRecord.account_id) == self.person, col(AuditRecord.actor_id) == self.person))
        if self.event is not None:
            if self.event.endswith("."):  # "wam." to "wam/": a range an index serves
                beyond = self.event[:-1] + "/"
                found += [col(AuditRecord.event) >= self.event, col(AuditRecord.event) < beyond]
            else:
                found.append(col(AuditRecord.event) == self.event)
        if self.since is not None:
            found.append(col(AuditRecord.at) >= self.since)
        if self.until is not None:
            found.append(col(AuditRecord.at) < self.until)
        return found

    def ways(self) -> list[list[ColumnElement[bool]]]:
        """Return conditions that an index serves each, whose results together are the answer: a person is two."""
        if self.person is None:
            return [self.conditions()]
        others = replace(self, person=None).conditions()
        return [
            [col(AuditRecord.account_id) == self.person, *others],
            [col(AuditRecord.actor_id) == self.person, *others],
        ]


NAMES = tuple(field.name for field in fields(Filters))


def read(given: dict[str, str]) -> Filters:
    """Make filters of text fields; raise Invalid naming those that can't be understood."""
    problems: dict[str, str] = {}
    values: dict[str, Any] = {}
    for name, typed in given.items():
        value = typed.strip()
        if not value:
            continue
        if name not in NAMES:
            problems[name] = "There is no such filter."
        elif len(value) > 200 or not value.isprintable():
            problems[name] = "Enter at most 200 readable characters."
        elif name in ("since", "until"):
            try:
                moment = datetime.fromisoformat(value)
                values[name] = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
            except (ValueError, OverflowError):
                problems[name] = "Enter a date and time such as 2026-11-21T09:00Z."
        elif name == "address":
            if re.fullmatch("[0-9a-f]{32}", value):
                values[name] = value
            else:
                problems[name] = "Enter a network address such as 203.0.113.9."
        else:
            values[name] = value
    if problems:
        raise Invalid(fields=problems)
    return Filters(**values)


def hashed(ring: KeyRing, typed: str) -> str | None:
    """Return what `address` takes for a network address that somebody typed; None for what is no address."""
    try:
        found = ip_address(typed)
    except ValueError:
        return None
    return ring.keyed_hash("subjects", str(found))[:16].hex()


@dataclass(frozen=True, slots=True)
class Page:
    """Some records, newest first, and how to go on."""

    rows: Sequence[Any]
    total: int
    """Matching records; COUNTED + 1 means more than COUNTED."""
    newer: str | None
    older: str | None


_SHOWN = (
    AuditRecord.seq,
    AuditRecord.at,
    AuditRecord.event,
    AuditRecord.outcome,
    AuditRecord.reason,
    AuditRecord.actor_id,
    AuditRecord.account_id,
    AuditRecord.provider_id,
    AuditRecord.entitlement,
    AuditRecord.client_id,
    AuditRecord.session_id,
    AuditRecord.device_id,
)


def find(session: Session, filters: Filters, cursor: str | None = None) -> Page:
    """Return a page; raise Invalid for a cursor that we did not give for these filters."""
    direction, place = _opened(session, filters, cursor) if cursor else ("o", None)
    seq = col(AuditRecord.seq)
    bounds = _bounds(session, filters)
    onward = list(bounds)
    if place is not None:
        onward.append(seq < place if direction == "o" else seq > place)
    merged: dict[int, Any] = {}
    for way in filters.ways():
        query = select(*(col(column) for column in _SHOWN)).where(*way, *onward)
        query = query.order_by(seq.desc() if direction == "o" else seq.asc()).limit(PAGE + 1)
        merged.update((row.seq, row) for row in session.execute(query).all())
    rows = sorted(merged.values(), key=lambda row: int(row.seq), reverse=direction == "o")
    more = len(rows) > PAGE
    rows = rows[:PAGE]
    if direction == "n":
        rows.reverse()
    has_newer = more if direction == "n" else place is not None
    has_older = more if direction == "o" else place is not None
    return Page(
        rows,
        _count(session, filters, bounds),
        cursor_of(session, filters, "n", rows[0].seq) if rows and has_newer else None,
        cursor_of(session, filters, "o", rows[-1].seq) if rows and has_older else None,
    )


def newest(session: Session, filters: Filters, count: int = PAGE, *, oldest: bool = False) -> list[Any]:
    """Return the newest (or the oldest) matches, newest first, without counting the others."""
    seq = col(AuditRecord.seq)
    bounds = _bounds(session, filters)
    merged: dict[int, Any] = {}
    for way in filters.ways():
        query = select(*(col(column) for column in _SHOWN)).where(*way, *bounds)
        query = query.order_by(seq.asc() if oldest else seq.desc()).limit(count)
        merged.update((row.seq, row) for row in session.execute(query).all())
    rows = sorted(merged.values(), key=lambda row: int(row.seq), reverse=True)
    return rows[-count:] if oldest else rows[:count]


def _bounds(session: Session, filters: Filters) -> list[ColumnElement[bool]]:
    """Return the times as numbers too: every index ends in the number, so it can begin at the right place."""
    seq, at = col(AuditRecord.seq), col(AuditRecord.at)
    found: list[ColumnElement[bool]] = []
    if filters.since is not None:
        first = select(seq).where(at >= filters.since - _SLACK).order_by(at, seq).limit(1)
        found.append(seq >= (session.execute(first).scalar() or 0))
    if filters.until is not None:
        last = select(seq).where(at < filters.until + _SLACK).order_by(at.desc(), seq.desc()).limit(1)
        found.append(seq <= (session.execute(last).scalar() or 0))
    return found


def _count(session: Session, filters: Filters, bounds: list[ColumnElement[bool]]) -> int:
    """Count the matches up to COUNTED + 1."""
    seq = col(AuditRecord.seq)
    parts = [select(seq).where(*way, *bounds).limit(COUNTED + 1) for way in filters.ways()]
    found = parts[0].subquery() if len(parts) == 1 else union(*(select(part.subquery()) for part in parts)).subquery()
    return min(int(session.execute(select(func.count()).select_from(found)).scalar_one()), COUNTED + 1)


def _mark(session: Session, filters: Filters, body: bytes) -> bytes:
    bound = body + b"\n" + orjson.dumps(filters.given(), option=orjson.OPT_SORT_KEYS)
    return hmac.new(of(session).ring.derived("cursors"), b"audit-search\n" + bound, sha256).digest()[:16]


def cursor_of(session: Session, filters: Filters, direction: str, seq: int) -> str:
    """Return the signed place after which a page of these filters goes on."""
    body = f"{direction}{seq}".encode()
    return base64.urlsafe_b64encode(_mark(session, filters, body) + body).decode().rstrip("=")


def _opened(session: Session, filters: Filters, cursor: str) -> tuple[str, int]:
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    except ValueError:
        raw = b""
    mark, body = raw[:16], raw[16:]
    if not body or not hmac.compare_digest(mark, _mark(session, filters, body)):
        raise Invalid(fields={"cursor": "This place in the list is not one we gave. Start the search again."})
    return body[:1].decode(), int(body[1:])


@dataclass(frozen=True, slots=True)
class Found:
    """One record with everything it says."""

    row: AuditRecord
    said: dict[str, Any]
    """The sealed record itself."""
    personal: dict[str, Any] | None
    """Person fields in the clear; None when there are none."""
    shredded: bool
    """There are person fields, and the key to them was destroyed."""
    newer: int | None
    older: int | None


def record(session: Session, number: int) -> Found:
    """Return one record; raise NotFound for a number that is not there."""
    row = session.get(AuditRecord, number) if 0 < number < 2**63 else None
    if row is None:
        raise NotFound("There is no record with this number.")
    try:
        said = orjson.loads(raw(row.leaf))
    except orjson.JSONDecodeError:
        said = {"event": row.event, "unreadable": "Somebody changed this record: see the log proof."}
    personal, shredded = None, False
    if "personal" in said:
        owner = str(said["personal_of"])
        kept = session.get(SubjectKey, owner)
        if kept is None or kept.key is None:
            shredded = True
        else:
            key = of(session).ring.open("subjects", f"subject_key.key:{owner}", kept.key)
            try:
                personal = orjson.loads(open_with(key, base64.b64decode(said["personal"]), f"audit:{owner}"))
            except CannotOpen:
                shredded = True
    older = session.execute(text("SELECT max(seq) FROM audit_record WHERE seq < :n"), {"n": number}).scalar()
    newer = session.execute(text("SELECT min(seq) FROM audit_record WHERE seq > :n"), {"n": number}).scalar()
    return Found(row, said, personal, shredded, newer, older)
