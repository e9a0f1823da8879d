"""A person leaves: sessions, token families, grants and open journeys end in one transaction (T-17).

`cease`, `suspend`, `leave`, `close` and `close_for_good` are what every road to the end uses, whoever reported it.
"""

from sqlalchemy import update
from sqlmodel import Session, col, select

from idp import clock
from idp.accounts import families, humans, sessions
from idp.accounts.tables import Account, Flow, TokenFamily
from idp.accounts.tables import Session as BrowserSession
from idp.audit import log
from idp.audit.events import Event
from idp.entitlements import appointed, grants, pauses
from idp.entitlements.tables import Appointment, Assignment
from idp.errors import NotFound
from idp.leaving import telling, ways_in
from idp.notices import outbox
from idp.partners import members
from idp.providers import affiliations
from idp.providers.tables import Affiliation
from idp.signals import epochs, revocations


def cease(db: Session, account_id: str, *, because: str, by: str) -> bool:
    """End a person's eligibility for good; return False when it had ceased before.

    Affiliations, appointments and grants end; history and audit stay.
    """
    account = _find(db, account_id)
    if account.status in ("ceased", "closed"):
        return False
    account.status, account.ceased_at, account.ceased_because = "ceased", clock.now(), because
    db.add(account)
    _end_presence(db, account_id, because="ceased", by=by)
    _end_appointments(db, account_id, None, by=by, reason=because)
    _end_assignments(db, account_id, None)
    grants.end_all(db, account_id, by=by, reason="ceased")
    pauses.end_absences(db, account_id, None, by=by)
    ended = db.exec(
        select(Affiliation).where(col(Affiliation.account_id) == account_id, col(Affiliation.ended_at).is_(None))
    ).all()
    for affiliation in ended:
        affiliations.end(db, affiliation, by=by, reason="ceased")
    ways_in.end_pending(db, account_id)
    telling.managers(db, account, [affiliation.provider_id for affiliation in ended], by=by)
    outbox.send(db, account_id, "account_ceased", {"reason": because})
    _ended(db, account_id, "accounts.account.ceased", because, by)
    return True


def close_for_good(db: Session, account_id: str, *, by: str) -> bool:
    """Close an account for good: cease it, end its logins, forget addresses and names; the log stays (domain.md 7).

    Returns False when it was closed before.
    """
    account = _find(db, account_id)
    if account.status == "closed":
        return False
    cease(db, account_id, because="closed", by=by)
    outbox.send(db, account_id, "account_closed", {})
    for one in db.exec(select(Account).where(col(Account.id).in_(humans.taken_over(account_id)))).all():
        ways_in.forget(db, one)  # the accounts that became part of this one, too: they are the same person's
    account.status = "closed"
    db.add(account)
    db.flush()
    log.record(db, Event("accounts.account.closed", account=account_id, details={"by": by}))
    epochs.changed_account(db, account_id, takes_away=True)
    return True


def suspend(db: Session, account_id: str, *, because: str, by: str) -> bool:
    """Put a person on hold; return False when they were not active. Grants stay for the return."""
    account = _find(db, account_id)
    if account.status != "active":
        return False
    account.status = "suspended"
    db.add(account)
    _end_presence(db, account_id, because="suspended", by=by)
    _ended(db, account_id, "accounts.account.suspended", because, by)
    return True


def reinstate(db: Session, account_id: str, *, because: str, by: str) -> bool:
    """Lift a hold; return False when there was none."""
    account = _find(db, account_id)
    if account.status != "suspended":
        return False
    account.status = "active"
    db.add(account)
    db.flush()
    epochs.changed_account(db, account_id)
    log.record(db, Event("accounts.account.reinstated", account=account_id, reason=because, details={"by": by}))
    return True


def close(db: Session, account_id: str, *, because: str, by: str, into: str | None = None) -> None:
    """Close an account whose logins another one takes over; its sessions, tokens and journeys end."""
    account = _find(db, account_id)
    account.status, account.merged_into = "closed", into
    db.add(account)
    _end_presence(db, account_id, because=because, by=by)
    db.flush()
    revocations.announce(db, "account_ended", reason=because, account_id=account_id)
    details = {"status": "closed", "into": into, "by": by}
    log.record(db, Event("accounts.account.changed", account=account_id, reason=because, details=details))


def reopen(db: Session, account_id: str, *, because: str, by: str) -> None:
    """Open an account again that a merge closed; on hold where the account that took it over is not active.

    Whom that hold or end was about, nobody can say before somebody has looked: a merge undone lifts none.
    """
    account = _find(db, account_id)
    kept = db.get(Account, account.merged_into) if account.merged_into else None
    account.status = "active" if kept is None or kept.status == "active" else "suspended"
    account.merged_into = None
    db.add(account)
    db.flush()
    epochs.changed_account(db, account_id)
    details = {"status": account.status, "by": by}
    log.record(db, Event("accounts.account.changed", account=account_id, reason=because, details=details))


def sign_out(db: Session, account_id: str, *, because: str, by: str) -> None:
    """End a person's sessions, token families and journeys; the account goes on."""
    _end_presence(db, account_id, because=because, by=by)
    revocations.announce(db, "signed_out", reason=because, account_id=account_id)


def leave(db: Session, account_id: str, provider_id: str, *, reason: str, by: str) -> bool:
    """End everything of a person at one organisation; return False when nothing was there.

    Other organisations are untouched; with reason `misuse` the sessions end too (decisions.md 3).
    """
    affiliation = affiliations.live(db, account_id, provider_id)
    ended = affiliation is not None and affiliations.end(db, affiliation, by=by, reason=reason)
    ended = _end_appointments(db, account_id, provider_id, by=by, reason=reason) > 0 or ended
    _end_assignments(db, account_id, provider_id)
    ended = grants.end_all_at(db, account_id, provider_id, by=by, reason=reason) > 0 or ended
    pauses.end_absences(db, account_id, provider_id, by=by)
    if not ended:
        return False
    families.end_of_person_at(db, account_id, provider_id, because="affiliation_ended")
    epochs.changed_account(db, account_id, takes_away=True)
    if reason == "misuse":
        _end_presence(db, account_id, because="misuse", by=by)
    if by in (account_id, "system"):  # an access manager who removes somebody knows it
        telling.managers(db, _find(db, account_id), [provider_id], by=by)
    return True


def end_run_out(db: Session, limit: int) -> int:
    """End everything of people whose representation reached its last day (T-10); return how many."""
    due = db.exec(
        select(Affiliation)
        .where(col(Affiliation.ended_at).is_(None), col(Affiliation.ends_at) <= clock.now())
        .order_by(col(Affiliation.ends_at))
        .limit(limit)
    ).all()
    return sum(leave(db, one.account_id, one.provider_id, reason="expired", by="system") for one in due)


def _find(db: Session, account_id: str) -> Account:
    account = db.get(Account, account_id)
    if account is None:
        raise NotFound("There is no such person.")
    return account


def _end_presence(db: Session, account_id: str, *, because: str, by: str) -> None:
    """End sessions, token families and open journeys of a person, once what they are doing for others is done."""
    appointed.hold(db, account_id=account_id)
    members.rest(db, account_id)
    journeys = select(BrowserSession.id).where(col(BrowserSession.account_id) == account_id)
    db.execute(
        update(Flow)
        .where(col(Flow.session_id).in_(journeys), col(Flow.ended_at).is_(None))
        .values(ended_at=clock.now())
    )
    sessions.end_all(db, account_id, because=because, by=by)
    db.execute(
        update(TokenFamily)
        .where(col(TokenFamily.account_id) == account_id, col(TokenFamily.ended_at).is_(None))
        .values(ended_at=clock.now(), end_reason=because)
    )
    epochs.changed_account(db, account_id, takes_away=True)


def _end_appointments(db: Session, account_id: str, provider_id: str | None, *, by: str, reason: str) -> int:
    query = select(Appointment).where(col(Appointment.account_id) == account_id, col(Appointment.ended_at).is_(None))
    if provider_id is not None:
        query = query.where(col(Appointment.provider_id) == provider_id)
    found = db.exec(query).all()
    for row in found:
        row.ended_at, row.ended_by, row.end_reason = clock.now(), by, reason
        db.add(row)
        log.record(
            db,
            Event(
                "wam.appointment.ended",
                account=account_id,
                provider=row.provider_id,
                reason=reason,
                details={"appointment": row.id, "line": row.line, "by": by},
            ),
        )
    db.flush()
    return len(found)


def _end_assignments(db: Session, account_id: str, provider_id: str | None) -> None:
    ending = update(Assignment).where(col(Assignment.account_id) == account_id, col(Assignment.ended_at).is_(None))
    if provider_id is not None:
        ending = ending.where(col(Assignment.provider_id) == provider_id)
    db.execute(ending.values(ended_at=clock.now()))


def _ended(db: Session, account_id: str, event: str, because: str, by: str) -> None:
    db.flush()
    revocations.announce(db, "account_ended", reason=because, account_id=account_id)
    log.record(db, Event(event, account=account_id, reason=because, details={"by": by}))
