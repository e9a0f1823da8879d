"""Search the log: exact filters, newest first, 50 a page, signed cursors (SE-1)."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import ColumnElement, func, text, union
from sqlmodel import Session, col, select

from idp import clock
from idp.audit import windows
from idp.audit.cursors import Place, cursor_of, opened
from idp.audit.filters import DESK, NAMES, Filters, hashed, read, stored
from idp.audit.leaf import raw
from idp.audit.tables import AuditRecord, SubjectKey
from idp.database import of
from idp.envelope import CannotOpen, open_with
from idp.errors import NotFound

__all__ = ["NAMES", "Filters", "hashed", "read"]
PAGE = 50
KNOWN = ("done", "permit", "deny", "routed", "step_up", "refused", "failed")
"""Outcomes there are."""
_SLACK = timedelta(hours=2)
"""How far numbers and moments may be out of step: transactions overlap, clocks differ."""
COUNTED = 10_000
"""Counts above this say "more than"."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some records, newest first, and how to go on."""

    rows: Sequence[Any]
    total: int
    """Matching records; COUNTED + 1 means more than COUNTED."""
    newer: str | None
    older: str | None
    at_least: bool = False
    """`total` is of the newest records looked at: there may be more."""
    looked_to: datetime | None = None
    """How far this page looked when it stopped before it was full; None when it looked at everything it had to."""


_NAMES = (
    "seq",
    "at",
    "event",
    "outcome",
    "reason",
    "actor_id",
    "account_id",
    "provider_id",
    "entitlement",
    "client_id",
    "session_id",
    "device_id",
)
_SHOWN = tuple(stored(name) for name in _NAMES)


def find(session: Session, filters: Filters, cursor: str | None = None) -> Page:
    """Return a page; raise Invalid for a cursor that we did not give for these filters."""
    place = opened(session, filters, cursor) if cursor else None
    older = place is None or place.direction == "o"
    plan_each(session)
    bounds = _bounds(session, filters)
    seq = col(AuditRecord.seq)
    onward = list(bounds)
    if place is not None:
        onward.append(seq < place.seq if older else seq > place.seq)
    if len(filters.named(stored)) > 1:
        return _through_windows(session, filters, onward, place)
    merged: dict[int, Any] = {}
    for way in filters.served():
        query = select(*_SHOWN).where(*way, *onward)
        query = query.order_by(seq.desc() if older else seq.asc()).limit(PAGE + 1)
        merged.update((row.seq, row) for row in session.execute(query).all())
    rows = sorted(merged.values(), key=lambda row: int(row.seq), reverse=older)
    more = len(rows) > PAGE
    rows = rows[:PAGE] if older else rows[:PAGE][::-1]
    has_newer = more if not older else place is not None
    has_older = more if older else place is not None
    return Page(
        rows,
        _count(session, filters, bounds),
        cursor_of(session, filters, Place("n", rows[0].seq)) if rows and has_newer else None,
        cursor_of(session, filters, Place("o", rows[-1].seq)) if rows and has_older else None,
    )


def _through_windows(
    session: Session, filters: Filters, onward: list[ColumnElement[bool]], place: Place | None
) -> Page:
    """Return a page of a search by several filters (windows.py)."""
    older = place is None or place.direction == "o"
    looked = [
        windows.look(session, way, onward, filters.times(), _NAMES, newest_first=older, wanted=PAGE + 1)
        for way in filters.ways()
    ]
    edges = [one.edge for one in looked if one.edge is not None]
    edge = (max(edges) if older else min(edges)) if edges else None
    rows = sorted((row for one in looked for row in one.rows), key=lambda row: int(row.seq), reverse=older)
    if edge is not None:  # another way may hold matches beyond it
        rows = [row for row in rows if (row.seq >= edge if older else row.seq <= edge)]
    more = len(rows) > PAGE
    rows = rows[:PAGE]
    total = sum(one.hits for one in looked) if place is None else place.total
    at_least = edge is not None if place is None else place.at_least

    def onward_from(direction: str, seq: int | None) -> str | None:
        return None if seq is None else cursor_of(session, filters, Place(direction, seq, total, at_least))

    back = None
    forth = onward_from("o" if older else "n", int(rows[-1].seq) if more else edge)
    if place is not None:
        back = onward_from("n" if older else "o", int(rows[0].seq) if rows else place.seq)
    looked_to = None if more or edge is None else _moment(session, edge)
    if older:
        return Page(rows, total, back, forth, at_least, looked_to)
    return Page(rows[::-1], total, forth, back, at_least, looked_to)


def plan_each(session: Session) -> None:
    """Plan each search for the values it asks for: a plan for any value reads the whole log for a rare one."""
    if not of(session).is_sqlite:
        session.execute(text("SET LOCAL plan_cache_mode = force_custom_plan"))


def _moment(session: Session, number: int) -> datetime:
    found = session.execute(text("SELECT at FROM audit_record WHERE seq = :n"), {"n": number}).scalar_one()
    return clock.from_micros(found)


def newest(session: Session, filters: Filters, count: int = PAGE, *, oldest: bool = False) -> list[Any]:
    """Return the newest (or the oldest) matches, newest first, without counting the others."""
    plan_each(session)
    seq = col(AuditRecord.seq)
    bounds = _bounds(session, filters)
    merged: dict[int, Any] = {}
    for way in filters.served():
        query = select(*_SHOWN).where(*way, *bounds)
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
    parts = [select(seq).where(*way, *bounds).limit(COUNTED + 1) for way in filters.served()]
    found = parts[0].subquery() if len(parts) == 1 else union(*(select(part.subquery()) for part in parts)).subquery()
    return min(int(session.execute(select(func.count()).select_from(found)).scalar_one()), COUNTED + 1)


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


def record(session: Session, number: int, *, reader: frozenset[str] = frozenset()) -> Found:
    """Return one record; raise NotFound for a number that is not there, or not for this reader."""
    row = session.get(AuditRecord, number) if 0 < number < 2**63 else None
    if row is None or (row.account_id in reader and row.event.startswith(DESK)):
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
