"""What every kind of second step shares: its row, and what the log and the person are told when one is added."""

from sqlmodel import Session as Db
from sqlmodel import col, select

from idp.accounts.tables import Factor
from idp.audit import log
from idp.audit.events import Event
from idp.notices import outbox
from idp.signals import credentials, epochs

KINDS = ("totp", "passkey")
"""The kinds that confirm a sign-in again and again; recovery codes are for the day these are lost."""


def live(db: Db, account_id: str, *kinds: str) -> list[Factor]:
    """Return the confirmed second steps of an account, oldest first; of all KINDS unless some are named."""
    return list(
        db.exec(
            select(Factor)
            .where(
                col(Factor.account_id) == account_id,
                col(Factor.kind).in_(kinds or KINDS),
                col(Factor.confirmed_at).is_not(None),
                col(Factor.ended_at).is_(None),
            )
            .order_by(col(Factor.created_at), col(Factor.id))
        )
    )


def added(db: Db, factor: Factor) -> None:
    """Record a second step that now counts; tell its owner and the next decision."""
    details = {"kind": factor.kind, "factor": factor.id}
    log.record(db, Event("accounts.factor.added", account=factor.account_id, details=details))
    credentials.changed(db, factor.account_id, factor.kind, "create")
    epochs.changed_account(db, factor.account_id)
    outbox.send(db, factor.account_id, "factor_added", {"factor": factor.name})
