"""Who manages access where, now: the one reading of an appointment that everybody uses."""

from datetime import datetime

from sqlalchemy import ColumnElement, and_, exists, or_
from sqlmodel import Session, col, select

from idp import clock
from idp.accounts.tables import Account
from idp.entitlements.duty_tables import WithheldFunction
from idp.entitlements.tables import Appointment, Grant
from idp.providers.tables import Affiliation


def in_force() -> ColumnElement[bool]:
    """Return the condition of an appointment in force now: begun, not ended, its end not reached."""
    now = clock.now()
    return and_(
        col(Appointment.ended_at).is_(None),
        col(Appointment.starts_at) <= now,
        or_(col(Appointment.ends_at).is_(None), col(Appointment.ends_at) > now),
    )


def unhindered(entitlement: str = "access.manage") -> ColumnElement[bool]:
    """Return the condition that what an appointment brings is neither paused nor withheld from the organisation."""
    withheld = exists().where(
        col(WithheldFunction.provider_id) == col(Appointment.provider_id),
        col(WithheldFunction.line) == col(Appointment.line),
        col(WithheldFunction.entitlement) == entitlement,
        col(WithheldFunction.ended_at).is_(None),
        col(WithheldFunction.starts_at) <= clock.now(),
    )
    return and_(unpaused(entitlement), ~withheld)


def unpaused(entitlement: str = "access.manage") -> ColumnElement[bool]:
    """Return the condition that nothing pauses what an appointment brings: who is paused hears no managers' news."""
    now = clock.now()
    paused = exists().where(
        col(Grant.account_id) == col(Appointment.account_id),
        col(Grant.provider_id) == col(Appointment.provider_id),
        col(Grant.line_of_business) == col(Appointment.line),
        col(Grant.entitlement) == entitlement,
        col(Grant.effect) == "deny",
        col(Grant.ended_at).is_(None),
        col(Grant.not_before) <= now,
        or_(col(Grant.expires_at).is_(None), col(Grant.expires_at) > now),
    )
    return ~paused


def working_there() -> ColumnElement[bool]:
    """Return the condition that the person still works for the organisation: no appointment replaces that."""
    now = clock.now()
    return exists().where(
        col(Affiliation.account_id) == col(Appointment.account_id),
        col(Affiliation.provider_id) == col(Appointment.provider_id),
        col(Affiliation.ended_at).is_(None),
        col(Affiliation.starts_at) <= now,
        or_(col(Affiliation.ends_at).is_(None), col(Affiliation.ends_at) > now),
    )


def able(db: Session, provider_id: str, line: str) -> set[str]:
    """Return who can act as access manager of a line now: appointed, unhindered, working there, not on hold."""
    acting = (
        select(Appointment.account_id)
        .join(Account, col(Account.id) == col(Appointment.account_id))
        .where(
            col(Appointment.provider_id) == provider_id,
            col(Appointment.line) == line,
            col(Account.status) == "active",
            in_force(),
            unhindered(),
            working_there(),
        )
    )
    return set(db.exec(acting).all())


def manages(db: Session, account_id: str, provider_id: str | None, line: str, *, since: datetime | None = None) -> bool:
    """Say whether a person manages this line of an organisation now, unhindered, and hold it so until we are done.

    `since`: by an appointment that was made by then.

    Who is on hold manages nothing: what they began before does not go on without them. The row is locked for
    share: its end and what rests it (`hold`) wait for us, other managers do not.
    """
    appointment = select(Appointment.id).where(
        col(Appointment.account_id) == account_id,
        col(Appointment.provider_id) == provider_id,
        col(Appointment.line) == line,
        in_force(),
    )
    if since is not None:
        appointment = appointment.where(col(Appointment.created_at) <= since)
    held = db.exec(appointment.with_for_update(read=True)).first()
    if held is None:
        return False
    # A statement of its own: it sees what was committed while we waited for the row.
    unrested = select(Appointment.id).join(Account, col(Account.id) == col(Appointment.account_id))
    able_to = unrested.where(col(Appointment.id) == held, unhindered(), col(Account.status) == "active")
    return db.exec(able_to).first() is not None


def hold(
    db: Session, *, account_id: str | None = None, provider_id: str | None = None, line: str | None = None
) -> None:
    """Wait for what is being done by these appointments, and let nobody begin more by them until we are done.

    For whatever rests an appointment and leaves its row as it is: a pause, an account on hold, a function withheld.
    """
    asked = ((Appointment.account_id, account_id), (Appointment.provider_id, provider_id), (Appointment.line, line))
    rows = select(Appointment.id).where(
        col(Appointment.ended_at).is_(None), *(col(column) == value for column, value in asked if value is not None)
    )
    db.exec(rows.order_by(col(Appointment.id)).with_for_update(key_share=True)).all()
