"""What could still become a way in for somebody who has gone: pending flows, logins, addresses."""

from sqlalchemy import delete, text, update
from sqlmodel import Session, col, select

from idp import clock
from idp.accounts import journal
from idp.accounts.tables import Account, Contact, Factor, Login, Password, PendingLink

# Registration's tables belong to a layer above; they are ended by name, in the same transaction (T-17).
_PENDING = (
    text("UPDATE invitation SET ended_at = :now WHERE account_id = :a AND spent_at IS NULL AND ended_at IS NULL"),
    text(
        "UPDATE application SET status = 'withdrawn', decided_at = :now WHERE account_id = :a AND status = 'submitted'"
    ),
    text("UPDATE recovery SET stopped_at = :now WHERE account_id = :a AND finished_at IS NULL AND stopped_at IS NULL"),
    text("UPDATE first_manager_claim SET status = 'ended' WHERE account_id = :a AND status IN ('open','proven')"),
    text("UPDATE registration SET status = 'ended' WHERE account_id = :a AND status <> 'submitted'"),
)


def end_pending(db: Session, account_id: str) -> None:
    """End what a person began and others began for them: links, invitations, applications, registrations."""
    now = clock.now()
    db.execute(
        update(PendingLink)
        .where(col(PendingLink.account_id) == account_id, col(PendingLink.spent_at).is_(None))
        .values(spent_at=now)
    )
    for statement in _PENDING:
        db.execute(statement, {"a": account_id, "now": clock.micros(now)})


def forget(db: Session, account: Account) -> None:
    """End every login and second step of an account, and forget its names and addresses."""
    now = clock.now()
    for login in db.exec(select(Login).where(col(Login.account_id) == account.id)).all():
        db.execute(delete(Password).where(col(Password.login_id) == login.id))
        login.facts = None
        if login.ended_at is None:
            login.ended_at, login.end_reason = now, "closed"
            journal.note(db, "unlinked", account_id=account.id, login_id=login.id, by=account.id, because="closed")
        db.add(login)
    db.execute(
        update(Factor).where(col(Factor.account_id) == account.id, col(Factor.ended_at).is_(None)).values(ended_at=now)
    )
    db.execute(delete(Contact).where(col(Contact.account_id) == account.id))
    account.display_name, account.given_name, account.family_name = "Closed account", None, None
