"""Who manages an organisation's access now, as registration needs to know it."""

from sqlmodel import Session as Db
from sqlmodel import col, select

from idp.accounts.tables import Account
from idp.entitlements import appointed
from idp.entitlements.tables import Appointment


def in_force(db: Db, provider_id: str, line: str) -> list[Account]:
    """Return the access managers of an organisation and line who can act now, longest-serving first."""
    found = db.exec(
        select(Account)
        .join(Appointment, col(Appointment.account_id) == col(Account.id))
        .where(
            col(Appointment.provider_id) == provider_id,
            col(Appointment.line) == line,
            appointed.in_force(),
            appointed.unpaused(),
            col(Account.status) == "active",
        )
        .order_by(col(Appointment.starts_at), col(Appointment.id))
    ).all()
    return list(found)


def masked(account: Account) -> str:
    """Show a manager as "W. K.": who applies learns no names before approval (ui.md 4.8)."""
    return " ".join(f"{word[0].upper()}." for word in account.display_name.split() if word[0].isalpha()) or "A. M."
