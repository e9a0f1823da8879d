"""What a person may see of the log: their own sign-ins and changes, with where and on what they happened."""

import base64
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp.audit.leaf import raw
from idp.audit.log import subject_key
from idp.audit.tables import OWN, AuditRecord
from idp.envelope import CannotOpen, open_with


@dataclass(frozen=True, slots=True)
class Happened:
    """One record about a person, as far as it is theirs to see."""

    at: datetime
    event: str
    outcome: str
    reason: str | None
    session_id: str | None
    address: str | None
    user_agent: str | None
    by_themselves: bool


def of_person(
    db: Db, account_id: str, events: Collection[str], *, sessions: Collection[str] | None = None, limit: int = 30
) -> Sequence[Happened]:
    """Return the newest records of some `accounts.` events about a person; only of some sessions where named."""
    query = select(AuditRecord).where(
        OWN, col(AuditRecord.account_id) == account_id, col(AuditRecord.event).in_(sorted(events))
    )
    if sessions is not None:
        query = query.where(col(AuditRecord.session_id).in_(sorted(sessions)))
    rows = db.exec(query.order_by(col(AuditRecord.seq).desc()).limit(limit)).all()
    key = subject_key(db, account_id) if rows else None
    return [_happened(row, account_id, key) for row in rows]


def _happened(row: AuditRecord, account_id: str, key: bytes | None) -> Happened:
    try:
        said = orjson.loads(raw(row.leaf))
        personal = (
            orjson.loads(open_with(key, base64.b64decode(said["personal"]), f"audit:{account_id}"))
            if key is not None and said.get("personal_of") == account_id
            else {}
        )
    except (orjson.JSONDecodeError, CannotOpen, ValueError):
        personal = {}
    return Happened(
        row.at,
        row.event,
        row.outcome,
        row.reason,
        row.session_id,
        personal.get("address"),
        personal.get("user_agent"),
        row.actor_id in (account_id, None),
    )
