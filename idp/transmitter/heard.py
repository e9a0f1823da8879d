"""Who heard of a revocation, when, and by which road: the proof for the one who revoked (SE-3, W-5).

A copy of the feed heard it when it asked for what comes after; an app told by event or logout heard it when it
accepted. What an app did not hear it may not act on either: its copy's lease ends 900 ms after its last question.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlmodel import Session as Db

from idp import clock

LOOKED_BACK = timedelta(hours=12)
"""A copy of the feed that asked in this time before is expected to hear."""
LOOKED_ON = timedelta(hours=1)
_REVOKED = text(
    "SELECT seq, kind, account_id, session_id, provider_id, client_id, reason, at FROM revocation "
    "WHERE seq BETWEEN :first AND :last ORDER BY seq LIMIT 200"
)
_NEWEST = text(
    "SELECT seq, kind, account_id, session_id, provider_id, client_id, reason, at FROM revocation "
    "WHERE seq < :before ORDER BY seq DESC LIMIT :most"
)
_COPIES = text(
    "SELECT r.client_id, COALESCE(c.name, r.client_id), r.reader, "
    "min(CASE WHEN r.seq >= :last AND r.at >= :at THEN r.at END) "
    "FROM feed_receipt r LEFT JOIN client c ON c.client_id = r.client_id "
    "WHERE r.at >= :since AND r.at < :until GROUP BY r.client_id, c.name, r.reader ORDER BY 2, 3"
)
_TOLD = text(
    "SELECT COALESCE(c.name, d.client_id), d.method, d.event, d.tries, d.delivered_at, d.failed_at, d.problem "
    "FROM signal_delivery d LEFT JOIN client c ON c.client_id = d.client_id "
    "WHERE d.seq BETWEEN :first AND :last ORDER BY 1, d.id LIMIT 500"
)
_WAYS = {"push": "Security event, sent", "poll": "Security event, fetched", "logout": "Sign-out message"}


@dataclass(frozen=True, slots=True)
class Revoked:
    """One numbered revocation."""

    seq: int
    kind: str
    account_id: str | None
    session_id: str | None
    provider_id: str | None
    client_id: str | None
    reason: str
    at: datetime

    @property
    def what(self) -> str:
        """Say what ended, in the words of pages (ui.md 1)."""
        return _words(self.kind)

    @property
    def why(self) -> str:
        """Say why, in the words of pages."""
        return _words(self.reason)


@dataclass(frozen=True, slots=True)
class HeardBy:
    """One app, one road."""

    app: str
    way: str
    status: str
    """`heard`, `waiting`, `given_up`, or `lease_ended` for a copy of the feed that asked no more."""
    at: datetime | None
    after: timedelta | None
    """From the revocation to then."""
    note: str = ""


def revoked(db: Db, first: int, last: int) -> list[Revoked]:
    """Return the revocations of these numbers."""
    return [_revoked(row) for row in db.execute(_REVOKED, {"first": first, "last": last})]


def newest(db: Db, before: int | None, most: int) -> list[Revoked]:
    """Return the newest revocations, or those before a number."""
    return [_revoked(row) for row in db.execute(_NEWEST, {"before": before or 2**62, "most": most})]


def who_heard(db: Db, found: list[Revoked]) -> list[HeardBy]:
    """Return every app that heard of these revocations, or should have."""
    if not found:
        return []
    at, first, last = found[-1].at, found[0].seq, found[-1].seq
    return [*_copies(db, at, last), *_told(db, at, first, last)]


def _copies(db: Db, at: datetime, last: int) -> list[HeardBy]:
    values = {
        "last": last,
        "at": clock.micros(at),
        "since": clock.micros(at - LOOKED_BACK),
        "until": clock.micros(at + LOOKED_ON),
    }
    apps: dict[str, tuple[str, list[int | None]]] = {}
    for client_id, name, _reader, heard in db.execute(_COPIES, values):
        apps.setdefault(client_id, (name, []))[1].append(heard)
    shown = []
    for name, heard in apps.values():
        times = [clock.from_micros(one) for one in heard if one is not None]
        if times:
            note = f"{len(times)} of {len(heard)} processes" if len(times) < len(heard) else _processes(len(heard))
            shown.append(HeardBy(name, "Signed feed", "heard", max(times), max(times) - at, note))
        if len(times) < len(heard):
            shown.append(HeardBy(name, "Signed feed", "lease_ended", None, None, _processes(len(heard) - len(times))))
    return shown


def _told(db: Db, at: datetime, first: int, last: int) -> list[HeardBy]:
    shown = []
    for name, method, event, tries, delivered, failed, problem in db.execute(_TOLD, {"first": first, "last": last}):
        when = delivered or failed
        moment = clock.from_micros(when) if when is not None else None
        status = "heard" if delivered is not None else "given_up" if failed is not None else "waiting"
        note = event.rpartition("/")[2] if method != "logout" else ""
        if status != "heard" and tries:
            note = f"{note}, {tries} tries" + (f", {problem}" if problem else "")
        after = None if moment is None else moment - at
        shown.append(HeardBy(name, _WAYS[method], status, moment, after, note.removeprefix(", ")))
    return shown


def _words(code: str) -> str:
    return code.replace("grant", "access").replace("_", " ")


def _processes(count: int) -> str:
    return "1 process" if count == 1 else f"{count} processes"


def _revoked(row: Any) -> Revoked:
    seq, kind, account, session, provider, client, reason, at = row
    return Revoked(seq, kind, account, session, provider, client, reason, clock.from_micros(at))
