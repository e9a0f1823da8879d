"""Review aids for security staff: dormant accounts, access after an end, unusual grants, emergencies (security.md 80).

Signs to look at, not findings: each says in words why it is here, and leads to the records.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select as sql_select
from sqlalchemy.orm import aliased
from sqlmodel import Session as Db
from sqlmodel import and_, col, or_, select

from idp import clock
from idp.accounts import humans
from idp.accounts.tables import Account, Session
from idp.audit import search
from idp.audit.search import Filters
from idp.audit.tables import AuditRecord
from idp.database import of
from idp.entitlements import appointed
from idp.entitlements.tables import Appointment, Grant
from idp.providers.tables import Affiliation

DORMANT = timedelta(days=90)
"""Without a sign-in for so long; sessions are kept as long."""
RECENT = timedelta(days=30)
NEW_MANAGER = timedelta(days=7)
MANY = 20
"""People whom one access manager gives access to within a day."""
_NIGHT = (22, 5)
MOST = 200
LOOKED_AT = 100_000
"""Gifts of the last 30 days that are looked at, the newest."""


@dataclass(frozen=True, slots=True)
class Sign:
    """One thing to look at."""

    account_id: str
    provider_id: str | None
    why: str
    at: datetime | None
    record: int | None = None


def dormant(db: Db) -> Sequence[Sign]:
    """Return active accounts with live access that nobody has signed in to for 90 days."""
    now = clock.now()
    signed_in = (
        select(Session.id).where(col(Session.account_id) == col(Account.id), col(Session.auth_time) > now - DORMANT)
    ).exists()
    holds = (
        select(Grant.id).where(
            col(Grant.account_id) == col(Account.id),
            col(Grant.effect) == "allow",
            col(Grant.ended_at).is_(None),
            or_(col(Grant.expires_at).is_(None), col(Grant.expires_at) > now),
        )
    ).exists()
    manages = (  # no grant says so: the widest access there is
        select(Appointment.id).where(col(Appointment.account_id) == col(Account.id), appointed.in_force())
    ).exists()
    old = col(Account.created_at) <= now - DORMANT
    rows = db.exec(
        select(Account)
        .where(col(Account.status) == "active", old, or_(holds, manages), ~signed_in)
        .order_by(col(Account.created_at))
        .limit(MOST)
    ).all()
    return [
        Sign(row.id, None, f"no sign-in for {DORMANT.days} days, and access that is in force", None) for row in rows
    ]


def after_end(db: Db) -> Sequence[Sign]:
    """Return permits of the last 30 days that are younger than the end of the account or of the work for a practice.

    None is expected: each decision asks for both. One that is here is an incident, or a clock gone wrong.
    """
    since = clock.now() - RECENT
    permit = (
        col(AuditRecord.outcome) == "permit",
        col(AuditRecord.at) >= since,
    )
    fields = (AuditRecord.seq, AuditRecord.account_id, AuditRecord.provider_id, AuditRecord.at)
    gone = db.execute(
        select(*(col(field) for field in fields))
        .join(
            Account, and_(col(Account.id) == col(AuditRecord.account_id), col(Account.ceased_at) < col(AuditRecord.at))
        )
        .where(*permit, col(Account.ceased_at) >= since - RECENT, col(Account.status).in_(("ceased", "closed")))
        .order_by(col(AuditRecord.seq).desc())
        .limit(MOST)
    ).all()
    other = aliased(Affiliation)
    live = (
        select(col(other.id))
        .where(
            col(other.account_id) == col(AuditRecord.account_id),
            col(other.provider_id) == col(AuditRecord.provider_id),
            col(other.starts_at) <= col(AuditRecord.at),  # who came back later was nobody's then
            or_(col(other.ended_at).is_(None), col(other.ended_at) >= col(AuditRecord.at)),
        )
        .correlate(AuditRecord)
        .exists()
    )
    left = db.execute(
        select(*(col(field) for field in fields))
        .join(
            Affiliation,
            and_(
                col(Affiliation.account_id) == col(AuditRecord.account_id),
                col(Affiliation.provider_id) == col(AuditRecord.provider_id),
                col(Affiliation.ended_at) < col(AuditRecord.at),
            ),
        )
        .where(*permit, col(Affiliation.ended_at) >= since - RECENT, ~live)
        .order_by(col(AuditRecord.seq).desc())
        .limit(MOST)
    ).all()
    found = [Sign(row[1], row[2], "permitted after the account had ended", row[3], row[0]) for row in gone]
    found += [
        Sign(row[1], row[2], "permitted after the work for this practice had ended", row[3], row[0]) for row in left
    ]
    return found


def unusual(db: Db) -> Sequence[Sign]:
    """Return grants of the last 30 days with a reason to look: by a new manager, at night, or many at once."""
    now = clock.now()
    zone = ZoneInfo(of(db).settings.time_zone)
    columns = (Grant.granted_by, Grant.account_id, Grant.provider_id, Grant.created_at)
    grants = db.execute(  # columns, not objects, and one row for a job: nobody hides behind many grants
        sql_select(*map(col, columns))
        .distinct()
        .where(
            col(Grant.created_at) >= now - RECENT,
            col(Grant.effect) == "allow",
            col(Grant.granted_by).like("acc\\_%", escape="\\"),
        )
        .order_by(col(Grant.created_at).desc())
        .limit(LOOKED_AT)
    ).all()
    givers = {grant.granted_by for grant in grants}
    since: dict[tuple[str, str], datetime] = {}
    for row in db.exec(select(Appointment).where(col(Appointment.account_id).in_(givers))).all():
        key = (row.account_id, row.provider_id)
        since[key] = min(since.get(key, row.starts_at), row.starts_at)
    whose = humans.by_account(db, {humans.survivor(db, giver) for giver in givers})  # accounts that became one
    crowded = _crowded(grants)
    found: list[Sign] = []
    told: set[tuple[str, str, str]] = set()
    for grant in grants:
        hour = grant.created_at.astimezone(zone).hour
        day = f"{grant.created_at.astimezone(zone):%Y-%m-%d}"
        began = since.get((grant.granted_by, grant.provider_id))
        reasons = []
        if grant.granted_by == grant.account_id or whose.get(grant.granted_by) == whose.get(grant.account_id, ""):
            reasons.append("given to themselves")
        if began is not None and grant.created_at - began < NEW_MANAGER:
            reasons.append(f"given by an access manager of less than {NEW_MANAGER.days} days")
        if hour >= _NIGHT[0] or hour < _NIGHT[1]:
            reasons.append("given at night")
        if (grant.granted_by, grant.created_at) in crowded:
            reasons.append(f"one of more than {MANY} people given access within a day by one manager")
        once = (grant.granted_by, grant.account_id, day)
        if reasons and once not in told:
            told.add(once)
            words = f"{'; '.join(reasons)} (by {grant.granted_by})"
            found.append(Sign(grant.account_id, grant.provider_id, words, grant.created_at))
    return found[:MOST]


def _crowded(grants: Sequence[Any]) -> set[tuple[str, datetime]]:
    """Return, by giver and moment, the gifts of who gave to too many within 24 hours; no midnight begins it anew."""
    crowded: set[tuple[str, datetime]] = set()
    given: dict[str, list[tuple[datetime, str]]] = {}
    for grant in reversed(grants):  # oldest first
        given.setdefault(grant.granted_by, []).append((grant.created_at, grant.account_id))
    for giver, rows in given.items():
        first, marked, people = 0, 0, Counter[str]()
        for last, (at, who) in enumerate(rows):
            people[who] += 1
            while rows[first][0] <= at - timedelta(days=1):
                gone = rows[first][1]
                people[gone] -= 1
                if not people[gone]:
                    del people[gone]
                first += 1
            if len(people) > MANY:
                crowded.update((giver, one) for one, _ in rows[max(first, marked) : last + 1])
                marked = last + 1
    return crowded


def emergencies(db: Db) -> Sequence[Sign]:
    """Return what the log says of emergency access in the last 30 days, newest first."""
    rows = search.newest(db, Filters(event="entitlements.emergency.", since=clock.now() - RECENT), MOST)
    return [
        Sign(row.account_id or row.actor_id or "", row.provider_id, row.event.rpartition(".")[2], row.at, row.seq)
        for row in rows
    ]


KINDS = {
    "after_end": ("Access after an end", after_end),
    "emergencies": ("Emergency access", emergencies),
    "unusual": ("Access given in an unusual way", unusual),
    "dormant": ("Dormant accounts", dormant),
}
"""Every review aid by its name in an address, the gravest first."""
