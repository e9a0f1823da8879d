"""What somebody did by emergency access, from the log: so that who judges it sees what it was used for (SE-4).

The log holds each answer an app got, and nothing of the record it asked about: which patient or claim it was, the
app's own log says.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from sqlmodel import Session, col, select

from idp.audit.leaf import raw
from idp.audit.tables import AuditRecord
from idp.wam.tables import EmergencyUse

MOST = 5_000
"""Decisions of one use that are looked at, the first; a page says when there are more."""
_NOT_ACTED_ON = ("at", "supposed", "assumed_authenticated")
"""Members of a record that say that somebody only asked: nobody acts on such an answer."""


@dataclass(slots=True)
class Used:
    """What was done with one function."""

    function: str
    opened: int = 0
    """Answers of yes that rest on the emergency access: one for each record or act an app asked about."""
    refused: int = 0
    """Answers of another kind: no, routed, or a stronger sign-in wanted."""
    first: datetime | None = None
    last: datetime | None = None
    apps: set[str] = field(default_factory=set)
    purposes: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Done:
    """What was done in the time of one use."""

    used: Sequence[Used]
    """By function, most opened first."""
    unused: Sequence[str]
    """Functions that were taken and never asked about."""
    opened: int
    beside: int
    """Answers in the same line of business and time that rest on ordinary access."""
    sessions: int
    """Sign-ins the use was made of from."""
    more: bool
    """There are more decisions than were looked at."""


def done(db: Session, use: EmergencyUse) -> Done:
    """Return what a person's apps asked at that practice, in that line of business, while the use ran."""
    ends = use.ended_at or use.ends_at
    query = (
        select(col(AuditRecord.at), col(AuditRecord.leaf))
        .where(
            col(AuditRecord.account_id) == use.account_id,
            col(AuditRecord.provider_id) == use.provider_id,
            col(AuditRecord.event) == "entitlements.decision.made",
            col(AuditRecord.at) >= use.starts_at,
            col(AuditRecord.at) < ends,
        )
        .order_by(col(AuditRecord.seq))
        .limit(MOST + 1)
    )
    found = db.execute(query).all()
    taken, by_function = {str(one) for one in use.grants}, dict[str, Used]()
    beside, sessions = 0, set[str]()
    for at, leaf in found[:MOST]:
        said = orjson.loads(raw(leaf))
        details = said.get("details") or {}
        if details.get("line") != use.line or any(name in details for name in _NOT_ACTED_ON):
            continue
        function, opened = str(said.get("entitlement", "")), said.get("outcome") == "permit"
        rests = bool(taken.intersection(details.get("because") or ()))
        if not rests and (opened or function not in use.functions):
            beside += opened
            continue
        _count(by_function.setdefault(function, Used(function)), said, at, opened=opened)
        if said.get("session"):
            sessions.add(said["session"])
    used = sorted(by_function.values(), key=lambda one: (-one.opened, one.function))
    unused = [str(one) for one in use.functions if str(one) not in by_function]
    return Done(used, unused, sum(one.opened for one in used), beside, len(sessions), len(found) > MOST)


def _count(one: Used, said: dict[str, Any], at: datetime, *, opened: bool) -> None:
    one.opened += opened
    one.refused += not opened
    one.first, one.last = one.first or at, at
    one.apps.update(str(said[name]) for name in ("client",) if said.get(name))
    one.purposes.update(str(said[name]) for name in ("purpose",) if said.get(name))
