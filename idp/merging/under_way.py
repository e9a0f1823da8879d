"""What is under way for an account that closes: times away, reviews, pauses, emergencies, requests (domain.md 7).

One person is away, paused or asked about as a whole: nobody sheds a pause by merging, and none is left that nobody
could end because its cause stayed with the closed account.
"""

from typing import Any

from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock, entropy
from idp.entitlements import grant_rows, grants, pauses
from idp.entitlements.grant_rows import Place
from idp.entitlements.tables import Absence, Grant
from idp.wam import emergency, requests, reviews
from idp.wam.tables import AccessRequest, EmergencyUse, Review, ReviewItem


def end(db: Db, account_id: str, *, by: str) -> None:
    """End what was one account's alone: emergencies, and requests that wait."""
    uses = select(EmergencyUse).where(col(EmergencyUse.account_id) == account_id, col(EmergencyUse.ended_at).is_(None))
    for use in db.exec(uses).all():
        emergency.end(db, use, by=by)
    waiting = select(AccessRequest.id).where(
        col(AccessRequest.account_id) == account_id, col(AccessRequest.status) == "submitted"
    )
    for request_id in db.exec(waiting).all():
        requests.withdraw(db, request_id, account_id)


def move(db: Db, *, source: str, target: str, by: str) -> dict[str, Any]:
    """Let times away and questions of reviews be the other account's, and all rest that rests with one of them.

    Comes after what was given was carried over. Returns what `move_back` needs.
    """
    absences = [_away(db, row, target, by=by) for row in pauses.open_absences(db, source)]
    for item in db.exec(
        select(ReviewItem)
        .join(Review, col(Review.id) == col(ReviewItem.review_id))
        .where(col(ReviewItem.account_id) == source, col(Review.status).in_(reviews.UNDER_WAY))
    ).all():
        known = db.get(ReviewItem, (item.review_id, target)) or ReviewItem(review_id=item.review_id, account_id=target)
        known.answer = known.answered_by = known.answered_at = None  # what they have now, nobody looked at
        known.paused = known.paused or item.paused
        db.add(known)
    db.flush()
    return {"absences": absences, "rested": _rest(db, target)}


def move_back(db: Db, moved: dict[str, Any], *, source: str, target: str, by: str) -> None:
    """Give back the times away that last, and end the pauses that only the merge made."""
    for absence_id in moved.get("absences", []):
        row = db.get(Absence, absence_id)
        if row is not None and row.ended_at is None and row.account_id == source:
            _away(db, row, target, by=by)
    for grant_id in moved.get("rested", []):
        pause = db.get(Grant, grant_id)
        if pause is not None:
            grants.end(db, pause, by=by, reason="merge_undone")


def _away(db: Db, row: Absence, account_id: str, *, by: str) -> str:
    made = Absence(**row.model_dump(exclude={"id", "account_id", "created_at"}), account_id=account_id)
    made.id = entropy.new_id("abs")
    row.ended_at, row.ended_by = clock.now(), by
    db.add_all([row, made])
    db.flush()
    pauses.record_absence(db, "wam.absence.ended", row, by)
    pauses.record_absence(db, "wam.absence.set", made, by)
    return made.id


def _rest(db: Db, account_id: str) -> list[str]:
    """Pause whatever the account holds where it is away or paused by the desk, and is not paused for that yet."""
    rows = grant_rows.not_ended(db, account_id, None)
    desk = {row.provider_id for row in rows if pauses.is_desk_pause(row)}
    made: list[Grant] = []
    for provider_id in desk:
        here = [row for row in rows if row.provider_id == provider_id]
        for line, left in pauses.by_line(db, account_id, provider_id, now_held=here).items():
            place = Place(account_id, provider_id, line)
            made += pauses.suspend(db, place, sorted(left), by="system", reason=pauses.DESK)
    held: dict[Place, set[str]] = {}
    for row in rows:
        if row.effect == "allow":
            held.setdefault(Place(account_id, row.provider_id, row.line_of_business), set()).add(row.entitlement)
    for place, keys in held.items():
        here = [r for r in rows if (r.provider_id, r.line_of_business) == (place.provider_id, place.line)]
        for away in pauses.absences(db, place):
            known = [r for r in here if (r.effect, r.reason, r.expires_at) == ("deny", pauses.AWAY, away.ends_at)]
            left = keys - {row.entitlement for row in known}
            starts = max(away.starts_at, clock.now())
            made += pauses.suspend(
                db, place, sorted(left), by="system", reason=pauses.AWAY, starts_at=starts, until=away.ends_at
            )
    return [row.id for row in made]
