"""What was taken away, numbered in commit order, so that a reader "after N" misses nothing."""

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from idp import clock
from idp.database import before_commit
from idp.signals.tables import Revocation

_PENDING = "pending_revocations"
_TOLD = "told_of_numbers"
_RAISED = "accounts_with_less"
CHANNEL = "idp_revocations"
"""Rung by a trigger on the counter (PostgreSQL); SQLite has no bell, there the number itself is looked at."""
TOLD_ONLY = ("credential_changed", "assurance_changed")
"""Kinds that take nothing away: signals tell them, the feed of revocations does not."""


def announce(
    session: Session,
    kind: str,
    *,
    reason: str,
    account_id: str | None = None,
    session_id: str | None = None,
    family_id: str | None = None,
    provider_id: str | None = None,
    client_id: str | None = None,
    facts: Mapping[str, Any] | None = None,
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
            client_id=client_id,
            facts=None if facts is None else dict(facts),
            reason=reason,
        )
    )
    before_commit(session, 3, "revocations", _number)


def tell_of(session: Session, account_id: str) -> None:
    """Make sure that an account whose epoch rises is in the feed, whatever road raised it.

    A road that announces more (a grant's end, a session's) is enough; one that forgets gets `access_reduced`.
    """
    raised: set[str] = session.info.setdefault(_RAISED, set())
    raised.add(account_id)
    before_commit(session, 3, "revocations", _number)


def when_numbered(session: Session, then: Callable[[int, int], object]) -> None:
    """Tell the first and the last number of this transaction's revocations, just before its commit."""
    waiting: list[Callable[[int, int], object]] = session.info.setdefault(_TOLD, [])
    waiting.append(then)


def _number(session: Session) -> None:
    pending: list[Revocation] = session.info.pop(_PENDING, [])
    raised: set[str] = session.info.pop(_RAISED, set())
    named = {one.account_id for one in pending if one.kind not in TOLD_ONLY}
    pending += [
        Revocation(seq=0, kind="access_reduced", account_id=one, reason="access_reduced")
        for one in sorted(raised - named)
    ]
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
    for then in session.info.pop(_TOLD, []):
        then(last - len(pending) + 1, last)
    session.flush()
