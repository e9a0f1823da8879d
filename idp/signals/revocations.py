"""What was taken away, numbered in commit order, so that a reader "after N" misses nothing."""

from sqlalchemy import text
from sqlmodel import Session

from idp import clock
from idp.database import before_commit
from idp.signals.tables import Revocation

_PENDING = "pending_revocations"


def announce(
    session: Session,
    kind: str,
    *,
    reason: str,
    account_id: str | None = None,
    session_id: str | None = None,
    family_id: str | None = None,
    provider_id: str | None = None,
) -> None:
    """Write one revocation with this transaction; it gets its number last, just before the commit."""
    pending: list[Revocation] = session.info.setdefault(_PENDING, [])
    pending.append(
        Revocation(
            seq=0,
            kind=kind,
            account_id=account_id,
            session_id=session_id,
            family_id=family_id,
            provider_id=provider_id,
            reason=reason,
        )
    )
    before_commit(session, 3, "revocations", _number)


def _number(session: Session) -> None:
    pending: list[Revocation] = session.info.pop(_PENDING, [])
    session.flush()
    last = session.execute(
        text("UPDATE revocation_counter SET seq = seq + :n RETURNING seq"), {"n": len(pending)}
    ).scalar_one()
    epochs: dict[str, int] = {}
    for number, revocation in enumerate(pending, start=last - len(pending) + 1):
        account_id = revocation.account_id
        if account_id and account_id not in epochs:
            epochs[account_id] = (
                session.execute(
                    text("SELECT authz_epoch FROM account_version WHERE account_id = :a"), {"a": account_id}
                ).scalar()
                or 1
            )
        revocation.seq = number
        revocation.authz_epoch = epochs.get(account_id) if account_id else None
        revocation.at = clock.now()
        session.add(revocation)
    session.flush()
