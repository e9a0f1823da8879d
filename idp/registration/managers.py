"""Who manages an organisation's access now, as registration needs to know it."""

from sqlalchemy import or_
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock
from idp.accounts.tables import Account
from idp.entitlements.tables import Appointment


def in_force(db: Db, provider_id: str, line: str) -> list[Account]:
    """Return the access managers of an organisation and line who can act now, longest-serving first."""
    now = clock.now()
    found = db.exec(
        select(Account)
        .join(Appointment, col(Appointment.account_id) == col(Account.id))
        .where(
            col(Appointment.provider_id) == provider_id,
            col(Appointment.line) == line,
            col(Appointment.ended_at).is_(None),
            col(Appointment.starts_at) <= now,
            or_(col(Appointment.ends_at).is_(None), col(Appointment.ends_at) > now),
            col(Account.status) == "active",
        )
        .order_by(col(Appointment.starts_at), col(Appointment.id))
    ).all()
    return list(found)


def manages(db: Db, account_id: str, provider_id: str, line: str) -> bool:
    """Say whether a person is an access manager here now, and hold it so until this transaction ends."""
    now = clock.now()
    held = db.exec(
        select(Appointment.id)
        .where(
            col(Appointment.account_id) == account_id,
            col(Appointment.provider_id) == provider_id,
            col(Appointment.line) == line,
            col(Appointment.ended_at).is_(None),
            col(Appointment.starts_at) <= now,
            or_(col(Appointment.ends_at).is_(None), col(Appointment.ends_at) > now),
        )
        .with_for_update(read=True)
    ).first()
    return held is not None


def masked(account: Account) -> str:
    """Show a manager as "W. K.": who applies learns no names before approval (ui.md 4.8)."""
    return " ".join(f"{word[0].upper()}." for word in account.display_name.split() if word[0].isalpha()) or "A. M."
