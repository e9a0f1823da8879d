"""The insurer confirms or refuses a proven claim, and the person takes on the duties: then they are appointed (W-1).

Whoever printed the letter or called confirms nothing: two of the insurer look at each first access manager
(security.md 65).
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import CursorResult, update
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock
from idp.accounts import people, readiness
from idp.accounts.tables import Account
from idp.audit import log
from idp.audit.events import Event
from idp.database import of
from idp.errors import Conflict, Invalid, NotEntitled, NotFound
from idp.first_managers import keys
from idp.notices import outbox
from idp.providers import affiliations, organisations
from idp.providers.tables import Provider
from idp.registration import first_manager, managers, practices
from idp.registration.tables import Application, FirstManagerClaim
from idp.wam import appointments

WAYS = {"fact": "A claim or payment", "mailed_key": "The key of a letter", "call_back": "A call back"}
IDENTITY = 2
"""What managing access asks of a person (domain.md 5)."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A claim as staff see it."""

    claim: FirstManagerClaim
    application: Application
    account: Account
    provider: Provider | None
    waits_for_call: bool
    decided_by: Account | None


def waiting(db: Db) -> list[Seen]:
    """Return the claims that wait for staff: proven ones first, then those that want a call; oldest first."""
    rows = db.exec(
        select(FirstManagerClaim)
        .where(col(FirstManagerClaim.status).in_(("open", "proven")))
        .order_by(col(FirstManagerClaim.created_at), col(FirstManagerClaim.id))
        .limit(500)
    ).all()
    seen = [look(db, row) for row in rows]
    return [s for s in seen if s.claim.status == "proven"] + [
        s for s in seen if s.claim.status == "open" and s.waits_for_call
    ]


def find(db: Db, claim_id: str) -> FirstManagerClaim:
    """Return a claim or raise NotFound."""
    found = db.get(FirstManagerClaim, claim_id, populate_existing=True)
    if found is None:
        raise NotFound
    return found


def look(db: Db, claim: FirstManagerClaim) -> Seen:
    """Return a claim with who and what it is about."""
    application, account = db.get(Application, claim.application_id), db.get(Account, claim.account_id)
    assert application is not None
    assert account is not None
    decider = db.get(Account, claim.decided_by) if claim.decided_by else None
    provider = practices.provider_of(db, claim.tin_hash)
    return Seen(claim, application, account, provider, keys.calls(db, claim.id), decider)


def confirm(db: Db, claim_id: str, *, by: str, identity: str) -> FirstManagerClaim:
    """Confirm a proven claim; the person is asked to take on the duties.

    `identity` says how staff saw who the person is (it makes them a person of proven identity). Raises NotFound,
    NotEntitled for one's own claim or after printing or calling for it, Invalid, Conflict when it is not proven any
    more, the practice is not recorded with its line open, or has an access manager.
    """
    claim = find(db, claim_id)
    _second_person(db, claim, by)
    said = " ".join(identity.split())
    if not said or len(said) > 200:
        raise Invalid(fields={"identity": "Say how you saw who this person is, in at most 200 characters."})
    provider = practices.provider_of(db, claim.tin_hash)
    if provider is None or not organisations.has_line(db, provider.id, claim.line, clock.now()):
        raise Conflict("Record this practice and open the line of business to it first.")
    if managers.in_force(db, provider.id, claim.line):
        raise Conflict("This practice has an access manager, who decides about this person.")
    _decide(db, claim, "confirmed", by, "")
    account = people.lock(db, claim.account_id)
    if account.ial < IDENTITY:
        people.correct(db, account.id, ial=IDENTITY)
    log.record(
        db,
        Event(
            "registration.claim.confirmed",
            account=claim.account_id,
            provider=provider.id,
            details={"claim": claim.id, "proof": claim.proof, "by": by, "ial": IDENTITY},
            personal={"identity": said},
        ),
    )
    page = f"{of(db).settings.issuer}/register/first-manager/{claim.id}"
    outbox.send(db, claim.account_id, "first_manager_confirmed", {"tin": _last4(db, claim), "page": page})
    return claim


def refuse(db: Db, claim_id: str, *, by: str, reason: str) -> None:
    """Refuse a claim, open or proven, with a reason the person reads. Raises as `confirm` does."""
    claim = find(db, claim_id)
    if claim.account_id == by:
        raise NotEntitled("This is your own claim. Ask a colleague.", code="may_not_give")
    said = " ".join(reason.split())
    if not said or len(said) > 200:
        raise Invalid(fields={"reason": "Say why, in at most 200 characters. The person reads it."})
    _decide(db, claim, "refused", by, said)
    details = {"claim": claim.id, "by": by}
    event = Event("registration.claim.denied", account=claim.account_id, outcome="refused", details=details)
    log.record(db, event)
    outbox.send(db, claim.account_id, "first_manager_refused", {"tin": _last4(db, claim), "reason": said})


def accept(db: Db, claim_id: str, *, account_id: str) -> Provider:
    """Take on the duties: the person is approved for the practice and appointed, once; return the practice.

    Raises NotFound for another person's claim, Conflict when it is not confirmed, was accepted, or was too late.
    """
    claim = find(db, claim_id)
    if claim.account_id != account_id:
        raise NotFound
    provider = practices.provider_of(db, claim.tin_hash)
    if claim.status != "confirmed" or provider is None or claim.decided_by is None:
        raise Conflict("This was not confirmed, so there is nothing to take on yet.")
    appointments.hold(db, provider.id)
    if managers.in_force(db, provider.id, claim.line):
        raise first_manager.ManagerExists
    tie = affiliations.current(db, account_id, provider.id)
    if tie is not None and tie.partner_id is not None:
        raise Conflict("You work for this practice through an outside company. Only its own people manage its access.")
    taken = db.execute(
        update(FirstManagerClaim)
        .where(
            col(FirstManagerClaim.id) == claim.id,
            col(FirstManagerClaim.status) == "confirmed",
            col(FirstManagerClaim.accepted_at).is_(None),
        )
        .values(accepted_at=clock.now())
        .execution_options(synchronize_session=False)
    )
    assert isinstance(taken, CursorResult)
    if taken.rowcount != 1:
        raise Conflict("You took this on already.")
    db.refresh(claim)
    log.record(
        db,
        Event("registration.claim.accepted", account=account_id, provider=provider.id, details={"claim": claim.id}),
    )
    _let_in(db, claim, provider, claim.decided_by)
    appointments.appoint(
        db,
        account_id=account_id,
        provider_id=provider.id,
        line=claim.line,
        by=claim.decided_by,
        verified_by=claim.proof or "",
    )
    return provider


def _let_in(db: Db, claim: FirstManagerClaim, provider: Provider, by: str) -> None:
    """Approve the person's application: they work for the practice, as they applied."""
    application = db.get(Application, claim.application_id)
    assert application is not None
    now: datetime = clock.now()
    decided = db.execute(
        update(Application)
        .where(col(Application.id) == application.id, col(Application.status) == "submitted")
        .values(status="approved", decided_at=now, decided_by=by)
        .execution_options(synchronize_session=False)
    )
    assert isinstance(decided, CursorResult)
    if decided.rowcount == 1:
        details = {"application": application.id, "by": by, "status": "approved"}
        event = Event(
            "registration.application.approved", account=claim.account_id, provider=provider.id, details=details
        )
        log.record(db, event)
    db.refresh(application)
    if affiliations.current(db, claim.account_id, provider.id) is None:
        affiliations.approve(
            db,
            account_id=claim.account_id,
            provider_id=provider.id,
            capacity=application.capacity,
            by=by,
            ends_at=application.ends_at if application.ends_at and application.ends_at > now else None,
        )
    db.flush()
    readiness.activate_when_ready(db, claim.account_id)


def _second_person(db: Db, claim: FirstManagerClaim, by: str) -> None:
    if claim.account_id == by:
        raise NotEntitled("This is your own claim. Ask a colleague.", code="may_not_give")
    if by in keys.handlers(db, claim.id):
        raise NotEntitled("You printed the letter or called. A colleague has to confirm.", code="may_not_give")


def _decide(db: Db, claim: FirstManagerClaim, status: str, by: str, reason: str) -> None:
    wanted = ("proven",) if status == "confirmed" else ("open", "proven")
    decided = db.execute(
        update(FirstManagerClaim)
        .where(col(FirstManagerClaim.id) == claim.id, col(FirstManagerClaim.status).in_(wanted))
        .values(status=status, decided_by=by, decided_at=clock.now(), reason=reason)
        .execution_options(synchronize_session=False)
    )
    assert isinstance(decided, CursorResult)
    if decided.rowcount != 1:
        raise Conflict("This claim was decided already, or is not proven. Nothing of yours was done.")
    db.refresh(claim)


def _last4(db: Db, claim: FirstManagerClaim) -> str:
    application = db.get(Application, claim.application_id)
    return application.tin_last4 if application else ""
