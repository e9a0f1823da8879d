"""The first person at an organisation: the claim to manage its access, and what proves it (RU-2b, W-1).

Here are the claim, the counting of wrong proofs and what others are told. How a claim is proven is a `Proof`: a claim
or payment of the last 60 days, a mailed key, a call-back. Each is a module that calls `attempt`; the insurer's
confirmation and the appointment follow from `proven`.
"""

from collections.abc import Callable

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock, configuration
from idp.audit import log
from idp.audit.events import Event
from idp.errors import Conflict, NotFound, Refused, TooMany
from idp.registration import managers, practices
from idp.registration.tables import Application, FirstManagerClaim

MOST_WRONG = 5
Proof = Callable[[Db, FirstManagerClaim], bool]
"""Looks at what was brought as proof of this claim and says whether it is right; spends what works once."""


class WrongProof(Refused):
    """The proof was not right; `left` tries remain."""

    status = 422
    code = "wrong_proof"
    title = "That does not prove it"
    keeps = True

    def __init__(self, left: int) -> None:
        tries = "1 try" if left == 1 else f"{left} tries"
        super().__init__(
            f"That does not match our records. You have {tries} left." if left else "That was the last try."
        )
        self.left = left


class ClaimLocked(TooMany):
    """Five wrong proofs came before; no other one is looked at."""

    code = "claim_locked"
    title = "This is locked after five tries"


class ManagerExists(Conflict):
    """Somebody manages this organisation, or is about to; no more is told (W-1)."""

    code = "manager_exists"
    title = "This practice has an access manager"

    def __init__(self) -> None:
        super().__init__("This practice has an access manager, who decides about your application.")


def open_claim(db: Db, application: Application) -> FirstManagerClaim | None:
    """Record the claim of the first person at an organisation; None where somebody was first or it is locked.

    Nor does one open for who comes by an outside company's login: it knows the claims that would prove it (T-24).
    """
    if application.route == "third_party":
        return None
    if _manager_of(db, application) or locked(db, application.account_id, application.tin_hash):
        return None
    claim = FirstManagerClaim(
        application_id=application.id,
        account_id=application.account_id,
        tin_hash=application.tin_hash,
        line=application.line,
    )
    try:
        with db.begin_nested():
            db.add(claim)
    except IntegrityError:
        return None
    details = {"claim": claim.id, "application": application.id, "line": claim.line}
    log.record(db, Event("registration.claim.opened", account=claim.account_id, details=details))
    return claim


def attempt(db: Db, claim_id: str, *, account_id: str, kind: str, proof: Proof) -> FirstManagerClaim:
    """Look at a proof of a person's own open claim; record that it is proven.

    A wrong one is counted before the next is looked at. Raises NotFound for another person's claim, ClaimLocked,
    ManagerExists when somebody was appointed meanwhile, WrongProof.
    """
    claim = db.exec(
        select(FirstManagerClaim)
        .where(col(FirstManagerClaim.id) == claim_id, col(FirstManagerClaim.account_id) == account_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()
    if claim is None:
        raise NotFound
    if claim.status == "locked" or claim.tries >= MOST_WRONG:
        hours = configuration.current(db).clocks.claim_locked
        raise ClaimLocked(
            "Five proofs did not match, so this claim is closed. Call us if you have the papers at hand.",
            retry_after=int(hours.total_seconds()),
        )
    application = db.get(Application, claim.application_id)
    if claim.status != "open" or application is None or _manager_of(db, application):
        raise ManagerExists
    if not proof(db, claim):
        _count_wrong(db, claim)
        raise WrongProof(MOST_WRONG - claim.tries)
    claim.status, claim.proof, claim.proven_at = "proven", kind, clock.now()
    db.add(claim)
    db.flush()
    log.record(db, Event("registration.claim.proven", account=account_id, details={"claim": claim.id, "proof": kind}))
    return claim


def of_application(db: Db, application_id: str) -> FirstManagerClaim | None:
    """Return the newest claim that came with an application."""
    return db.exec(
        select(FirstManagerClaim)
        .where(col(FirstManagerClaim.application_id) == application_id)
        .order_by(col(FirstManagerClaim.created_at).desc())
    ).first()


def locked(db: Db, account_id: str, tin_hash: bytes) -> bool:
    """Say whether this person's last claim to an organisation was locked not long ago."""
    since = clock.now() - configuration.current(db).clocks.claim_locked
    return (
        db.exec(
            select(FirstManagerClaim.id).where(
                col(FirstManagerClaim.account_id) == account_id,
                col(FirstManagerClaim.tin_hash) == tin_hash,
                col(FirstManagerClaim.locked_at) > since,
            )
        ).first()
        is not None
    )


def _manager_of(db: Db, application: Application) -> bool:
    """Say whether somebody manages the organisation, or was confirmed and may take on the duties any day."""
    since = clock.now() - configuration.current(db).clocks.first_manager_key
    about_to = select(FirstManagerClaim.id).where(
        col(FirstManagerClaim.tin_hash) == application.tin_hash,
        col(FirstManagerClaim.line) == application.line,
        col(FirstManagerClaim.status) == "confirmed",
        col(FirstManagerClaim.accepted_at).is_(None),
        col(FirstManagerClaim.decided_at) > since,
    )
    if db.exec(about_to).first() is not None:
        return True
    provider = practices.provider_of(db, application.tin_hash)
    return provider is not None and bool(managers.in_force(db, provider.id, application.line))


def _count_wrong(db: Db, claim: FirstManagerClaim) -> None:
    """Count a wrong proof of a claim whose row is held; the fifth locks."""
    claim.tries += 1
    details = {"claim": claim.id, "tries": claim.tries}
    log.record(db, Event("registration.claim.refused", account=claim.account_id, outcome="refused", details=details))
    if claim.tries >= MOST_WRONG:
        claim.status, claim.locked_at = "locked", clock.now()
        log.record(db, Event("registration.claim.locked", account=claim.account_id, outcome="refused", details=details))
    db.add(claim)
    db.flush()
