"""Shared accounts and who answers for which function of them (S-01 to S-04): what makes `routed` real."""

from datetime import datetime

from sqlmodel import Session, col, select

from idp import clock, entropy
from idp.audit import log
from idp.audit.events import Event
from idp.errors import Conflict, Invalid
from idp.partners.tables import FunctionOwner, Partner, SharedAccount
from idp.signals import epochs

OWNERS = ("partner", "insurer", "affiliate")


def record(
    db: Session,
    *,
    account_number: str,
    partner_id: str,
    name: str = "",
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    shared_account_id: str | None = None,
) -> SharedAccount:
    """Record an employer account administered with a partner; raise Conflict for a number already there."""
    if not account_number:
        raise Invalid(fields={"account_number": "Enter the account number."})
    if db.get(Partner, partner_id) is None:
        raise Invalid(fields={"partner": "There is no such partner."})
    if by_number(db, account_number) is not None:
        raise Conflict("A shared account with this number is already recorded.")
    account = SharedAccount(
        id=shared_account_id or entropy.new_id("sha"),
        account_number=account_number,
        name=name,
        partner_id=partner_id,
        starts_at=starts_at or clock.now(),
        ends_at=ends_at,
    )
    db.add(account)
    _changed(db, account, {"partner": partner_id})
    return account


def change(
    db: Session,
    account: SharedAccount,
    *,
    name: str,
    partner_id: str,
    starts_at: datetime,
    ends_at: datetime | None,
) -> bool:
    """Correct an account's name, administrator or dates; return whether anything differed."""
    wanted = {"name": name, "partner_id": partner_id, "starts_at": starts_at, "ends_at": ends_at}
    changed = [field for field, value in wanted.items() if getattr(account, field) != value]
    for field in changed:
        setattr(account, field, wanted[field])
    if changed:
        db.add(account)
        _changed(db, account, {"changed": sorted(changed)})
    return bool(changed)


def set_owner(
    db: Session,
    account: SharedAccount,
    entitlement: str,
    *,
    owner: str = "partner",
    partner_id: str | None = None,
    contact_name: str = "",
    contact_phone: str = "",
    contact_url: str = "",
) -> FunctionOwner:
    """Say who answers for one function of an account; holds at the very next decision (PM-5)."""
    if owner not in OWNERS:
        raise Invalid(fields={"owner": f"Choose one of {', '.join(OWNERS)}."})
    row = db.exec(
        select(FunctionOwner).where(
            col(FunctionOwner.shared_account_id) == account.id, col(FunctionOwner.entitlement) == entitlement
        )
    ).one_or_none()
    row = row or FunctionOwner(shared_account_id=account.id, entitlement=entitlement)
    wanted = (owner, partner_id, contact_name, contact_phone, contact_url)
    present = (row.owner, row.partner_id, row.contact_name, row.contact_phone, row.contact_url)
    if wanted == present and row in db:
        return row
    row.owner, row.partner_id, row.contact_name, row.contact_phone, row.contact_url = wanted
    db.add(row)
    _changed(db, account, {"entitlement": entitlement, "owner": owner})
    return row


def by_number(db: Session, account_number: str) -> SharedAccount | None:
    """Return the shared account of a number, or None."""
    return db.exec(select(SharedAccount).where(col(SharedAccount.account_number) == account_number)).one_or_none()


def active_on(db: Session, at: datetime) -> list[SharedAccount]:
    """Return the accounts that were shared at a moment, by number (S-17)."""
    found = db.exec(select(SharedAccount).order_by(col(SharedAccount.account_number))).all()
    return [a for a in found if a.starts_at <= at and (a.ends_at is None or at < a.ends_at)]


def _changed(db: Session, account: SharedAccount, details: dict[str, object]) -> None:
    db.flush()
    epochs.changed_policy(db)
    log.record(db, Event("partners.shared_account.changed", details={"shared_account": account.id, **details}))
