"""Versions and epochs: how a change reaches the very next decision on every worker (decisions.md 3).

Domain functions say what changed; the counters themselves are raised once, just before the commit,
in one lock order: account versions by id, policy epoch, revocation counter.
"""

from sqlalchemy import text
from sqlmodel import Session

from idp import clock
from idp.database import before_commit
from idp.signals import revocations

_CHANGED = "changed_accounts"
_RAISE = text(
    "INSERT INTO account_version (account_id, version, authz_epoch, created_at) VALUES (:a, 2, 1 + :less, :now) "
    "ON CONFLICT (account_id) DO UPDATE SET version = account_version.version + 1, "
    "authz_epoch = account_version.authz_epoch + :less"
)

_DATED = text(
    "INSERT INTO policy_version (epoch, since, created_at) SELECT epoch, CAST(:now AS BIGINT), CAST(:now AS BIGINT) "
    "FROM policy_epoch WHERE id = 1"
)


def changed_account(session: Session, account_id: str, *, takes_away: bool = False) -> None:
    """Something a decision reads about this account changed; `takes_away` also outdates its tokens."""
    changed: dict[str, bool] = session.info.setdefault(_CHANGED, {})
    changed[account_id] = changed.get(account_id, False) or takes_away
    before_commit(session, 1, "account versions", _raise_accounts)
    if takes_away:
        revocations.tell_of(session, account_id)


def changed_policy(session: Session) -> None:
    """Something changed that is not one account's (provider, partner, client, catalogue, settings ...)."""
    before_commit(session, 2, "policy epoch", _raise_policy)


def _raise_accounts(session: Session) -> None:
    changed: dict[str, bool] = session.info.pop(_CHANGED, {})
    now = clock.micros(clock.now())
    raised = [{"a": account_id, "less": int(changed[account_id]), "now": now} for account_id in sorted(changed)]
    if raised:
        session.execute(_RAISE, raised)


def _raise_policy(session: Session) -> None:
    session.execute(text("UPDATE policy_epoch SET epoch = epoch + 1"))
    # The row of the counter is locked until the commit, so each version is written once.
    session.execute(_DATED, {"now": clock.micros(clock.now())})


def authz_epoch(session: Session, account_id: str) -> int:
    """Return the account's authorization epoch as tokens carry it; 1 for an account never changed."""
    value = session.execute(
        text("SELECT authz_epoch FROM account_version WHERE account_id = :a"), {"a": account_id}
    ).scalar()
    return int(value or 1)
