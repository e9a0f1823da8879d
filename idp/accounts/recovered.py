"""What two proofs lead to: a new password, lost second steps gone, everybody signed out, every address told."""

from sqlalchemy import CursorResult, text, update
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock
from idp.accounts import addresses, devices, factor_rows, linking, local_logins, people, recovery, sessions, vouching
from idp.accounts.passwords import Hashed
from idp.accounts.proof_tables import Recovery
from idp.accounts.tables import Account, Factor, Login, PendingLink
from idp.audit import log
from idp.audit.events import Event
from idp.errors import Conflict
from idp.notices import outbox
from idp.signals import credentials, epochs

_FORGET_TRIES = text("DELETE FROM throttle WHERE key LIKE :passwords OR key LIKE :codes")


def finish(db: Db, row: Recovery, password: Hashed | None) -> int:
    """Let a person back in once: return how many sessions ended. Raises Lost, Conflict.

    Second steps stay only where one of them was a proof; the others count as lost and are set up anew at the next
    sign-in. A second step is thereby replaced, never skipped.
    """
    standing = recovery.standing(db, row)
    if not standing.complete or row.account_id is None:
        raise recovery.Lost
    account = people.lock(db, row.account_id)
    if account.status in ("suspended", "ceased", "closed"):
        raise Conflict("Your account is on hold or has ended. Call access support: getting back in does not lift that.")
    _once(db, row)
    if "manager" in standing.proofs and (standing.vouched is None or not vouching.spend(db, standing.vouched)):
        raise recovery.Lost
    if account.status in ("invited", "verified"):
        cleanse(db, account)
    lost = end_factors(db, account.id) if "factor" not in standing.proofs else []
    if password is not None:
        _new_password(db, account.id, password)
    devices.forget_all(db, account.id)
    db.execute(_FORGET_TRIES, {"passwords": f"password/{account.id}%", "codes": f"code/{account.id}%"})
    addresses.forget_asked(db, account.id)
    recovery.stop_all(db, account.id)  # a thief's attempt, too, whose first proof was given before
    ended = sessions.end_all(db, account.id, because="recovered", by=account.id)
    epochs.changed_account(db, account.id, takes_away=True)
    details = {"recovery": row.id, "proofs": list(standing.proofs), "lost": len(lost), "sessions": ended}
    log.record(db, Event("accounts.recovery.done", account=account.id, details=details))
    outbox.send(db, account.id, "account_recovered", {"lost": ", ".join(lost) or "none"})
    return ended


def _once(db: Db, row: Recovery) -> None:
    done = db.execute(
        update(Recovery)
        .where(
            col(Recovery.id) == row.id,
            col(Recovery.finished_at).is_(None),
            col(Recovery.stopped_at).is_(None),
            col(Recovery.expires_at) > clock.now(),
        )
        .values(finished_at=clock.now())
    )
    assert isinstance(done, CursorResult)
    if done.rowcount != 1:
        raise recovery.Lost


def _new_password(db: Db, account_id: str, password: Hashed) -> None:
    found = local_logins.of_account(db, account_id)
    if found is None:
        return
    found[1].hash, found[1].changed_at = password, clock.now()
    db.add(found[1])
    db.flush()
    log.record(db, Event("accounts.password.changed", account=account_id))
    credentials.changed(db, account_id, "password", "update")


def end_factors(db: Db, account_id: str, *, reason: str = "recovered") -> list[str]:
    """End every second step and recovery code; return the names of those that were lost."""
    names = [factor.name for factor in factor_rows.live(db, account_id)]
    db.execute(
        update(Factor)
        .where(col(Factor.account_id) == account_id, col(Factor.ended_at).is_(None))
        .values(ended_at=clock.now())
    )
    details = {"kind": "all", "n": len(names)}
    log.record(db, Event("accounts.factor.removed", account=account_id, reason=reason, details=details))
    credentials.changed(db, account_id, "all", "delete")
    return names


def cleanse(db: Db, account: Account) -> int:
    """Remove what was added to an account before its owner proved themselves; return how many logins went.

    For an account that was never confirmed: whoever opened it may not be who owns its address (security.md 30). The
    user name stays, with the owner's new password; logins of organizations, second steps, sessions, remembered devices
    and half-made links go.
    """
    now = clock.now()
    outside = db.exec(
        select(Login).where(
            col(Login.account_id) == account.id, col(Login.ended_at).is_(None), col(Login.upstream_id).is_not(None)
        )
    ).all()
    for login in outside:
        linking.take_off(db, login.id, by="system", because="cleansed")
    db.execute(
        update(PendingLink)
        .where(col(PendingLink.account_id) == account.id, col(PendingLink.spent_at).is_(None))
        .values(spent_at=now)
    )
    end_factors(db, account.id)
    devices.forget_all(db, account.id)
    sessions.end_all(db, account.id, because="cleansed")
    epochs.changed_account(db, account.id, takes_away=True)
    log.record(db, Event("accounts.account.cleansed", account=account.id, details={"logins": len(outside)}))
    return len(outside)
