"""Versions and epochs: how a change reaches the very next decision on every worker (decisions.md 3).

Domain functions say what changed; the counters themselves are raised once, just before the commit,
in one lock order: account versions by id, policy epoch, revocation counter.
"""

from sqlalchemy import text
from sqlmodel import Session

from idp import clock
from idp.database import before_commit, of
from idp.errors import Conflict
from idp.signals import revocations

_CHANGED = "changed_accounts"
_ACTOR = "who_acts"
_HELD = {
    False: text("SELECT version FROM account_version WHERE account_id = :a FOR SHARE"),
    True: text("SELECT version FROM account_version WHERE account_id = :a FOR UPDATE"),
}
"""By whether what is held is raised next; in the order of the ids like every other version, so nobody deadlocks."""
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
    before_commit(session, 1, "account versions", _raise_accounts)
    before_commit(session, 2, "policy epoch", _raise_policy)


def rests_on(session: Session, account_id: str, version: int) -> None:
    """Whatever this transaction changes rests on a decision about this person, made at this version of theirs.

    If it is another one at the commit the change is refused with Conflict: a pause, a hold or an end that was
    acknowledged meanwhile holds for what had begun before it, too.
    """
    session.info[_ACTOR] = account_id, version


def _raise_accounts(session: Session) -> None:
    changed: dict[str, bool] = session.info.pop(_CHANGED, {})
    now = clock.micros(clock.now())
    raised = [{"a": account_id, "less": int(changed[account_id]), "now": now} for account_id in sorted(changed)]
    actor: tuple[str, int] | None = session.info.pop(_ACTOR, None)
    before = 0
    if actor is not None and not of(session).is_sqlite:  # there one transaction writes at a time
        before = sum(1 for one in raised if str(one["a"]) < actor[0])
        if raised[:before]:
            session.execute(_RAISE, raised[:before])
        _unchanged(session, *actor, own=actor[0] in changed)
    if raised[before:]:
        session.execute(_RAISE, raised[before:])


def _unchanged(session: Session, account_id: str, version: int, *, own: bool) -> None:
    """Hold who acts as they were when it was decided that they may; `own`: their version is raised next."""
    held = session.execute(_HELD[own], {"a": account_id}).scalar()
    if (held or 0) != version:
        raise Conflict("Your own access changed a moment ago. Nothing of yours was done. Look again, then repeat it.")


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
