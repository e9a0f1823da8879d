"""Review aids for security staff: dormant accounts, access after an end, unusual grants, emergencies (security.md 80).

Signs to look at, not findings: each says in words why it is here, and leads to the records.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.orm import aliased
from sqlmodel import Session as Db
from sqlmodel import and_, col, or_, select

from idp import clock
from idp.accounts.tables import Account, Session
from idp.audit import search
from idp.audit.search import Filters
from idp.audit.tables import AuditRecord
from idp.database import of
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
    rows = db.exec(
        select(Account)
        .where(col(Account.status) == "active", col(Account.created_at) <= now - DORMANT, holds, ~signed_in)
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
        .limit(MOST)
    ).all()
    other = aliased(Affiliation)
    live = (
        select(col(other.id))
        .where(
            col(other.account_id) == col(AuditRecord.account_id),
            col(other.provider_id) == col(AuditRecord.provider_id),
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
    grants = db.exec(
        select(Grant)
        .where(
            col(Grant.created_at) >= now - RECENT,
            col(Grant.effect) == "allow",
            col(Grant.granted_by).like("acc\\_%", escape="\\"),
        )
        .order_by(col(Grant.created_at).desc())
        .limit(5000)
    ).all()
    givers = {grant.granted_by for grant in grants}
    since: dict[tuple[str, str], datetime] = {}
    for row in db.exec(select(Appointment).where(col(Appointment.account_id).in_(givers))).all():
        key = (row.account_id, row.provider_id)
        since[key] = min(since.get(key, row.starts_at), row.starts_at)
    whom: dict[tuple[str, str], set[str]] = {}
    for grant in grants:
        whom.setdefault((grant.granted_by, f"{grant.created_at.astimezone(zone):%Y-%m-%d}"), set()).add(
            grant.account_id
        )
    found: list[Sign] = []
    told: set[tuple[str, str, str]] = set()
    for grant in grants:
        hour = grant.created_at.astimezone(zone).hour
        day = f"{grant.created_at.astimezone(zone):%Y-%m-%d}"
        appointed = since.get((grant.granted_by, grant.provider_id))
        reasons = []
        if grant.granted_by == grant.account_id:
            reasons.append("given to themselves")
        if appointed is not None and grant.created_at - appointed < NEW_MANAGER:
            reasons.append(f"given by an access manager of less than {NEW_MANAGER.days} days")
        if hour >= _NIGHT[0] or hour < _NIGHT[1]:
            reasons.append("given at night")
        if len(whom[grant.granted_by, day]) > MANY:
            reasons.append(f"one of more than {MANY} people given access that day by one manager")
        once = (grant.granted_by, grant.account_id, day)
        if reasons and once not in told:
            told.add(once)
            words = f"{'; '.join(reasons)} (by {grant.granted_by})"
            found.append(Sign(grant.account_id, grant.provider_id, words, grant.created_at))
    return found[:MOST]


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
