"""Who manages access where, now: the one reading of an appointment that everybody uses."""

from sqlalchemy import ColumnElement, and_, or_
from sqlmodel import Session, col, select

from idp import clock
from idp.entitlements.tables import Appointment


def in_force() -> ColumnElement[bool]:
    """Return the condition of an appointment in force now: begun, not ended, its end not reached."""
    now = clock.now()
    return and_(
        col(Appointment.ended_at).is_(None),
        col(Appointment.starts_at) <= now,
        or_(col(Appointment.ends_at).is_(None), col(Appointment.ends_at) > now),
    )


def manages(db: Session, account_id: str, provider_id: str | None, line: str) -> bool:
    """Say whether a person manages this line of an organisation now, and hold it so until this transaction ends.

    The row is locked for share: its end waits for us, other managers do not.
    """
    held = (
        select(Appointment.id)
        .where(
            col(Appointment.account_id) == account_id,
            col(Appointment.provider_id) == provider_id,
            col(Appointment.line) == line,
            in_force(),
        )
        .with_for_update(read=True)
    )
    return db.exec(held).first() is not None
