"""Mark ended what has reached its date, and tell the apps. The decision compares dates itself (decisions.md 3)."""

from datetime import datetime, timedelta

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
from idp.wam import delegation_calendar, emergency, leave, request_calendar

BATCH = 200


def run(database: Database) -> bool:
    """End what has reached its date; return whether more of it waits."""
    with transaction(database) as db:
        closed = end_sessions(db)
    return run_dated(database) or closed == BATCH


def run_dated(database: Database) -> bool:
    """End what has reached its date, sessions apart; return whether more of it waits."""
    with transaction(database) as db:
        ended = end_grants(db)
    with transaction(database) as db:
        left = people.end_run_out(db, BATCH)
    with transaction(database) as db:
        run_out = delegations.run_out(db, BATCH)
    with transaction(database) as db:
        leave.close_run_out(db, BATCH)
        delegation_calendar.expire(db)
        emergency.close_run_out(db, BATCH)
    with transaction(database) as db:
        lapsed = credentials.lapse(db, BATCH)
    with transaction(database) as db:
        told = by_date.tell(db)
    return told or BATCH in (ended, left, run_out, lapsed)


def remind(database: Database) -> bool:
    """Remind of dates that are days away, and tend what waits for a decision; return whether more of them wait."""
    with transaction(database) as db:
        reminders.attestations_due(db, BATCH)
        waited = waiting.tend(db)
    with transaction(database) as db:
        waited = max(waited, request_calendar.tend(db), delegation_calendar.tend(db))
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
    due = sessions_over(db, timedelta(), BATCH)
    return sum(end_session(db, session_id) for _, session_id in due)


def sessions_over(db: Db, ahead: timedelta, most: int) -> list[tuple[datetime, str]]:
    """Return when each session is over that will be within `ahead` if its person does nothing, the first first."""
    clocks = configuration.current(db).clocks
    until = clock.now() + ahead
    idle = [
        and_(_of_strength(acr), col(Session.last_seen_at) <= until - assurance.idle_limit(clocks, acr))
        for acr in assurance.ORDER
    ]
    rows = db.exec(
        select(Session.id, Session.acr, Session.last_seen_at, Session.expires_at)
        .where(col(Session.ended_at).is_(None), or_(col(Session.expires_at) <= until, *idle))
        .limit(most)
    ).all()
    return sorted((min(ends, seen + assurance.idle_limit(clocks, acr)), name) for name, acr, seen, ends in rows)


def end_session(db: Db, session_id: str) -> bool:
    """End a session that is past a limit; return False for one whose person came back, or that ended otherwise."""
    session, now = db.get(Session, session_id, with_for_update=True), clock.now()
    if session is None or session.ended_at is not None:
        return False
    limit = assurance.idle_limit(configuration.current(db).clocks, session.acr)
    if now < session.expires_at and now < session.last_seen_at + limit:
        return False
    return sessions.end(db, session, because="limit" if session.expires_at <= now else "idle", by="system")


def _of_strength(acr: str) -> ColumnElement[bool]:
    """Sessions of a strength; an unknown one counts as the lowest."""
    if acr == assurance.AAL1:
        return col(Session.acr).not_in(assurance.ORDER[1:])
    return col(Session.acr) == acr
