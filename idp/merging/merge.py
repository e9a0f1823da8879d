"""Make two accounts of one person one: both proven, with their second steps, in one browser within ten minutes.

The account proved first is kept; the other is closed and its logins open the kept one. What it held goes along
(a pause too: nobody sheds one by merging); authority over other people's access does not.
"""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import CursorResult, update
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock, configuration
from idp.accounts import journal, linking, people, recovery
from idp.accounts.assurance import AAL2, meets, weaker
from idp.accounts.flows import browser_hash
from idp.accounts.link_tables import LinkOperation, PendingMerge
from idp.accounts.tables import Account, Login, Session
from idp.audit import log
from idp.audit.events import Event
from idp.entitlements.tables import Appointment
from idp.errors import StepUp
from idp.federation import upstreams
from idp.leaving import people as leaving
from idp.merging import access, belonging, second_steps
from idp.notices import outbox
from idp.partners import members
from idp.registration import moving


def begin(db: Db, session: Session, *, browser: str) -> PendingMerge:
    """Keep that this account was proved in this browser; raises StepUp where it was not, strongly and lately."""
    _require_strong_proof(db, session)
    pending = PendingMerge(
        browser_hash=browser_hash(browser),
        account_id=session.account_id,
        login_id=session.login_id,
        proved_at=clock.now(),
        expires_at=clock.now() + configuration.current(db).clocks.link_proof,
    )
    db.add(pending)
    db.flush()
    return pending


def find(db: Db, pending_id: str, *, browser: str | None) -> PendingMerge:
    """Return the merge begun in this browser; raise LinkLost when it is used, too old or another browser's."""
    pending = db.get(PendingMerge, pending_id)
    if (
        pending is None
        or browser is None
        or pending.browser_hash != browser_hash(browser)
        or pending.spent_at is not None
        or clock.now() >= pending.expires_at
    ):
        raise linking.LinkLost
    return pending


def preview(db: Db, pending: PendingMerge, session: Session) -> tuple[Account, Account]:
    """Return the account kept and the account closed, once both are proved; raise what stands against it."""
    if session.account_id == pending.account_id:
        raise access.CannotBecomeOne(
            "You are signed in to the same account. Sign in with a login of your other account."
        )
    _require_strong_proof(db, session)
    first, second = sorted((pending.account_id, session.account_id))  # one lock order
    locked = {one: people.lock(db, one) for one in (first, second)}
    kept, closed = locked[pending.account_id], locked[session.account_id]
    if kept.status != "active" or closed.status != "active":
        raise linking.LinkLost
    _still_proved(db, pending)
    if _manages(db, closed.id):
        raise access.CannotBecomeOne(
            "The account you would close manages other people's access. Begin with that account, so that it stays."
        )
    access.refuse_conflicts(db, kept=kept.id, closed=closed.id)
    access.refuse_to_leave_bare(db, kept=kept.id, closed=closed.id)
    return kept, closed


def merge(db: Db, pending: PendingMerge, session: Session) -> LinkOperation:
    """Do it: logins and access go to the kept account, everything of both is signed out.

    Raises LinkLost, CannotBecomeOne.
    """
    kept, closed = preview(db, pending, session)
    spent = db.execute(
        update(PendingMerge)
        .where(col(PendingMerge.id) == pending.id, col(PendingMerge.spent_at).is_(None))
        .values(spent_at=clock.now())
    )
    assert isinstance(spent, CursorResult)
    if spent.rowcount != 1:
        raise linking.LinkLost
    made = LinkOperation(
        kind="merge", account_id=kept.id, other_id=closed.id, by=kept.id, because="both accounts proven", moved={}
    )
    db.add(made)
    db.flush()
    proof = {"session": session.id, "login": session.login_id, "first_login": pending.login_id, "acr": session.acr}
    left = _one_user_name(db, kept.id, closed.id)
    logins = [one for one in linking.logins(db, closed.id) if one.id != left]
    moved: dict[str, Any] = {"logins": [one.id for one in logins], "ended_login": left}
    leaving.close(db, closed.id, because="merged", by=kept.id, into=kept.id)
    move_logins(db, logins, to=kept.id, operation_id=made.id, by=kept.id, proof=proof, ceiling=session.acr)
    moved |= access.move(db, source=closed.id, target=kept.id, by=kept.id, reason="merged")
    moved |= belonging.move(db, source=closed.id, target=kept.id, by=kept.id, reason="merged")
    moved |= second_steps.move(db, source=closed.id, target=kept.id)
    moved["applications"] = moving.move(db, source=closed.id, target=kept.id, reason="merged")
    moved["invitations"] = moving.invitations(db, source=closed.id, target=kept.id)
    leaving.sign_out(db, kept.id, because="accounts_merged", by=kept.id)
    event = Event("accounts.accounts.merged", account=kept.id, details={"closed": closed.id, "operation": made.id})
    log.record(db, event)
    for account_id in (kept.id, closed.id):
        recovery.stop_all(db, account_id)
        outbox.send(db, account_id, "accounts_merged", {})
    made.moved = moved | {"contacts": _addresses(db, source=closed.id, target=kept.id)}
    db.add(made)
    return made


def _addresses(db: Db, *, source: str, target: str) -> list[str]:
    """Give the kept account the addresses of the closed one, once each; return the ids moved.

    One that both have stays with the closed account, and counts as confirmed where either was.
    """
    mine = {one.email: one for one in people.contacts(db, target)}
    moved = []
    for one in people.contacts(db, source):
        same = mine.get(one.email)
        if same is None:
            one.account_id = target
            moved.append(one.id)
        else:
            same.verified_at = same.verified_at or one.verified_at
            db.add(same)
        db.add(one)
    db.flush()
    return moved


def move_logins(
    db: Db,
    logins: Iterable[Login],
    *,
    to: str,
    operation_id: str,
    by: str,
    proof: dict[str, Any] | None = None,
    ceiling: str | None = None,
) -> None:
    """Move logins to an account, a line of the journal each; `ceiling` limits them further."""
    for one in logins:
        before, one.account_id = one.account_id, to
        if ceiling is not None:
            one.ceiling = weaker(one.ceiling or ceiling, ceiling)
        db.add(one)
        db.flush()
        journal.note(
            db,
            "moved",
            account_id=to,
            login_id=one.id,
            by=by,
            proof=proof,
            from_account_id=before,
            operation_id=operation_id,
        )


def _one_user_name(db: Db, kept: str, closed: str) -> str | None:
    """An account has one user name: where both had one, the closed account's ends. Returns its login's id."""
    local = [next((one for one in linking.logins(db, who) if one.upstream_id is None), None) for who in (kept, closed)]
    if local[0] is None or local[1] is None:
        return None
    local[1].ended_at, local[1].end_reason = clock.now(), "merged"
    db.add(local[1])
    db.flush()
    return local[1].id


def _manages(db: Db, account_id: str) -> bool:
    now = clock.now()
    found = db.exec(
        select(Appointment.ends_at).where(
            col(Appointment.account_id) == account_id, col(Appointment.ended_at).is_(None)
        )
    ).all()
    appointed = any(ends_at is None or ends_at > now for ends_at in found)
    return appointed or bool(members.administered(db, account_id))


def _still_proved(db: Db, pending: PendingMerge) -> None:
    """Require that the login that proved the first account would still open it: the account, held, or paused since.

    Raises LinkLost, LoginPaused, Deactivated.
    """
    proof = db.get(Login, pending.login_id, populate_existing=True)
    if proof is None or proof.account_id != pending.account_id:
        raise linking.LinkLost
    if proof.ended_at is not None or proof.held_at is not None:
        raise linking.LinkLost
    if proof.upstream_id is not None:
        upstreams.trusted(db, proof.upstream_id, subject=proof.subject)


def _require_strong_proof(db: Db, session: Session) -> None:
    if not meets(session.acr, AAL2):
        age = int(configuration.current(db).clocks.link_proof.total_seconds())
        raise StepUp("Making two accounts one needs the second step of both.", acr=AAL2, max_age=age)
    linking.require_fresh_proof(db, session)
