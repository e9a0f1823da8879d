"""Mark ended what has reached its date, and tell the apps. The decision compares dates itself (decisions.md 3)."""

from sqlalchemy import ColumnElement
from sqlmodel import Session as Db
from sqlmodel import and_, col, or_, select

from idp import clock, configuration
from idp.accounts import assurance, sessions
from idp.accounts.tables import Session
from idp.database import Database, transaction
from idp.entitlements import grants
from idp.entitlements.tables import Grant
from idp.leaving import by_date, credentials, delegations, people
from idp.registration import reminders, waiting
from idp.wam import delegation_requests, emergency, leave, request_calendar

BATCH = 200


def run(database: Database) -> bool:
    """End what has reached its date; return whether more of it waits."""
    with transaction(database) as db:
        ended = end_grants(db)
    with transaction(database) as db:
        closed = end_sessions(db)
    with transaction(database) as db:
        left = people.end_run_out(db, BATCH)
    with transaction(database) as db:
        run_out = delegations.run_out(db, BATCH)
    with transaction(database) as db:
        leave.close_run_out(db, BATCH)
        delegation_requests.expire(db)
        emergency.close_run_out(db, BATCH)
    with transaction(database) as db:
        lapsed = credentials.lapse(db, BATCH)
    with transaction(database) as db:
        told = by_date.tell(db)
    return told or BATCH in (ended, closed, left, run_out, lapsed)


def remind(database: Database) -> bool:
    """Remind of dates that are days away, and tend what waits for a decision; return whether more of them wait."""
    with transaction(database) as db:
        reminders.attestations_due(db, BATCH)
        waited = waiting.tend(db)
    with transaction(database) as db:
        waited = max(waited, request_calendar.tend(db), delegation_requests.tend(db))
    with transaction(database) as db:
        emergency.remind(db)
    with transaction(database) as db:
        warned = credentials.warn_due(db, BATCH)
    return warned == BATCH or waited >= waiting.BATCH


def end_grants(db: Db) -> int:
    """Mark grants and pauses ended that reached their end date; return how many."""
    due = db.exec(
        select(Grant)
        .where(col(Grant.ended_at).is_(None), col(Grant.expires_at) <= clock.now())
        .order_by(col(Grant.expires_at))
        .limit(BATCH)
    ).all()
    for grant in due:
        grants.end(db, grant, by="system", reason="expired")
    return len(due)


def end_sessions(db: Db) -> int:
    """End sessions past their idle or absolute limit; return how many."""
    now = clock.now()
    clocks = configuration.current(db).clocks
    idle = [
        and_(_of_strength(acr), col(Session.last_seen_at) <= now - assurance.idle_limit(clocks, acr))
        for acr in assurance.ORDER
    ]
    due = db.exec(
        select(Session)
        .where(
            col(Session.ended_at).is_(None),
            or_(col(Session.expires_at) <= now, *idle),
        )
        .limit(BATCH)
    ).all()
    for session in due:
        sessions.end(db, session, because="limit" if session.expires_at <= now else "idle", by="system")
    return len(due)


def _of_strength(acr: str) -> ColumnElement[bool]:
    """Sessions of a strength; an unknown one counts as the lowest."""
    if acr == assurance.AAL1:
        return col(Session.acr).not_in(assurance.ORDER[1:])
    return col(Session.acr) == acr
