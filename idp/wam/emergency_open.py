"""Emergency access an access manager has to see: while it runs, and until somebody has judged it (SE-4)."""

from collections.abc import Collection

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, or_, select

from idp import clock
from idp.accounts import humans
from idp.wam.emergency import MOST_SHOWN
from idp.wam.tables import EmergencyUse


def waiting(db: Session, provider_id: str, lines: Collection[str], *, by: str) -> list[EmergencyUse]:
    """Return a practice's uses that run or wait for a review, those due first; never one's own, which others judge."""
    query = select(EmergencyUse).where(
        col(EmergencyUse.provider_id) == provider_id,
        col(EmergencyUse.line).in_(lines),
        col(EmergencyUse.account_id).not_in(humans.same(db, by)),
        or_(col(EmergencyUse.reviewed_at).is_(None), _running()),
    )
    return list(db.exec(query.order_by(col(EmergencyUse.due_at), col(EmergencyUse.id)).limit(MOST_SHOWN)).all())


def of_person(db: Session, account_id: str, provider_id: str, lines: Collection[str]) -> list[EmergencyUse]:
    """Return a person's uses here that run or wait for a review, newest first."""
    query = select(EmergencyUse).where(
        col(EmergencyUse.account_id).in_(humans.same(db, account_id)),
        col(EmergencyUse.provider_id) == provider_id,
        col(EmergencyUse.line).in_(lines),
        or_(col(EmergencyUse.reviewed_at).is_(None), _running()),
    )
    return list(db.exec(query.order_by(col(EmergencyUse.starts_at).desc()).limit(MOST_SHOWN)).all())


def _running() -> ColumnElement[bool]:
    return col(EmergencyUse.ended_at).is_(None) & (col(EmergencyUse.ends_at) > clock.now())
