"""After emergency access that was not justified, none is open to that person here until somebody lifts the bar (SE-4).

An access manager lifts what a manager found; what the security desk found, the desk alone lifts. Nobody lifts their
own, not through another account that is theirs either. The bar is of one practice: elsewhere others judge.
"""

from sqlalchemy import CursorResult, update
from sqlmodel import Session, col, select

from idp import clock
from idp.accounts import humans
from idp.accounts.tables import Account
from idp.audit import log
from idp.audit.events import Event
from idp.database import of
from idp.errors import Conflict, Invalid, NotEntitled
from idp.notices import outbox, saying
from idp.providers.tables import Provider
from idp.wam import authority
from idp.wam.tables import EmergencyUse


class Barred(NotEntitled):
    """The last use was not justified, and nobody has lifted the bar since."""

    code = "emergency_barred"
    title = "Emergency access is not open to you here"


def standing(db: Session, account_id: str, provider_id: str) -> EmergencyUse | None:
    """Return a use of this human, by any account of theirs, that bars them here; one of the desk's first."""
    query = select(EmergencyUse).where(
        col(EmergencyUse.account_id).in_(humans.same(db, account_id)),
        col(EmergencyUse.provider_id) == provider_id,
        col(EmergencyUse.verdict) == "not_justified",
        col(EmergencyUse.lifted_at).is_(None),
    )
    return db.exec(query.order_by(col(EmergencyUse.by_desk).desc(), col(EmergencyUse.reviewed_at))).first()


def sentence(db: Session, use: EmergencyUse) -> str:
    """Say why it is closed and who opens it."""
    assert use.reviewed_at is not None
    day = saying.moment(use.reviewed_at, of(db).settings.time_zone)
    practice = db.get_one(Provider, use.provider_id).name
    whom = "our security desk" if use.by_desk else f"another access manager of {practice} or our security desk"
    return (
        f"Your emergency access here was found not justified on {day}. Ask {whom} to open it again. "
        "For a patient who can't wait, a colleague who has the access can look."
    )


def check(db: Session, account_id: str, provider_id: str) -> None:
    """Raise Barred while a use that was not justified stands."""
    use = standing(db, account_id, provider_id)
    if use is not None:
        raise Barred(sentence(db, use))


def may_lift(db: Session, use: EmergencyUse, *, by: str, desk: bool) -> bool:
    """Say whether this person could lift the bar of a use: it stands, is not their own, and not the desk's alone."""
    stands = use.verdict == "not_justified" and use.lifted_at is None
    return stands and (desk or not use.by_desk) and by not in humans.same(db, use.account_id)


def lift(db: Session, use: EmergencyUse, *, by: str, why: str, desk: bool = False) -> None:
    """Open emergency access again to who was barred by this use; the person is told, and the log says so.

    `desk` says that `by` acts for the security desk, not as an access manager of the line it was taken in. Raises
    NotEntitled for one's own use and for what the desk found, NotYourLine, Invalid without a sentence, Conflict where
    nothing is barred.
    """
    if by in humans.same(db, use.account_id):
        raise NotEntitled("Nobody opens their own emergency access again.", code="may_not_give")
    if use.by_desk and not desk:
        raise NotEntitled("Our security desk found this. Only the desk opens it again.", code="may_not_give")
    if not desk:
        authority.must_manage(db, by, use.provider_id, use.line)
    said = " ".join(why.split())
    if not said or len(said) > 300:
        raise Invalid(fields={"why": "Say why, in at most 300 characters."})
    done = db.execute(
        update(EmergencyUse)
        .where(
            col(EmergencyUse.id) == use.id,
            col(EmergencyUse.verdict) == "not_justified",
            col(EmergencyUse.lifted_at).is_(None),
        )
        .values(lifted_by=by, lifted_at=clock.now(), lifted_because=said)
        .execution_options(synchronize_session=False)
    )
    assert isinstance(done, CursorResult)
    if done.rowcount != 1:
        raise Conflict("This use bars nothing, or somebody lifted it a moment ago.")
    db.refresh(use)
    details = {"use": use.id, "line": use.line, "by": by, "for_the_desk": desk}
    log.record(
        db,
        Event(
            "entitlements.emergency.lifted",
            account=use.account_id,
            provider=use.provider_id,
            details=details,
            personal={"why": said},
        ),
    )
    lifter, provider = db.get(Account, by), db.get_one(Provider, use.provider_id)
    facts = {"by": lifter.display_name if lifter else "", "provider": provider.name, "why": said}
    outbox.send(db, humans.survivor(db, use.account_id), "emergency_lifted", facts)
