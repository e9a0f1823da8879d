"""When reviews are due: opened ahead by sensitivity and time, announced, and what silence does (W-7, domain.md 7).

Each practice and line is looked at when its calendar says so, at the latest after 30 days; nothing walks all grants.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import CursorResult, update
from sqlmodel import Session, col, func, or_, select

from idp import clock, configuration
from idp.accounts.tables import Account
from idp.audit import log
from idp.audit.events import Event
from idp.database import of
from idp.database.inserting import insert_unless_there
from idp.entitlements import grants, pauses
from idp.entitlements.grant_rows import Place
from idp.entitlements.tables import Entitlement, Grant
from idp.notices import outbox
from idp.providers.tables import Affiliation, PortalAccess, Provider
from idp.wam import appointments, authority, review_report, reviews
from idp.wam.tables import Review, ReviewCalendar, ReviewItem

BATCH = 50
AGAIN = timedelta(days=30)
"""A practice is looked at this often at least: shorter than any period less its notice (configuration.Clocks)."""


def note_new_places(db: Session) -> int:
    """Give a place in the calendar to practices and lines that have none; return how many."""
    missing = db.exec(
        select(PortalAccess.provider_id, PortalAccess.line)
        .outerjoin(
            ReviewCalendar,
            (col(ReviewCalendar.provider_id) == col(PortalAccess.provider_id))
            & (col(ReviewCalendar.line) == col(PortalAccess.line)),
        )
        .where(col(ReviewCalendar.provider_id).is_(None), col(PortalAccess.ended_at).is_(None))
        .distinct()
        .limit(BATCH)
    ).all()
    for provider_id, line in missing:
        row = ReviewCalendar(provider_id=provider_id, line=line, next_at=clock.now())
        insert_unless_there(db, ReviewCalendar, row.model_dump())
    return len(missing)


def open_due(db: Session) -> int:
    """Open the reviews whose time has come; return how many places were looked at."""
    now = clock.now()
    places = db.exec(
        select(ReviewCalendar)
        .where(col(ReviewCalendar.next_at) <= now)
        .order_by(col(ReviewCalendar.next_at))
        .limit(BATCH)
    ).all()
    ahead = max(configuration.current(db).clocks.review_notices)
    for place in places:
        due = due_of_people(db, place.provider_id, place.line)
        first = min(due.values(), default=None)
        if first is not None and first <= now + ahead:
            # Who is due soon after is asked about at once, so that a practice has few reviews, not one for each person.
            people = [account_id for account_id, at in sorted(due.items()) if at <= max(first, now) + 2 * ahead]
            reviews.open_review(db, place.provider_id, place.line, people, due_at=max(first, now + ahead))
        place.next_at = now + AGAIN if first is None else min(now + AGAIN, max(first - ahead, now + timedelta(days=1)))
        db.add(place)
    return len(places)


def next_of(db: Session, provider_id: str, line: str) -> tuple[datetime, datetime] | None:
    """Return when the next regular review of a line opens and is due, as things stand; None if nobody has functions."""
    first = min(due_of_people(db, provider_id, line).values(), default=None)
    if first is None:
        return None
    ahead = max(configuration.current(db).clocks.review_notices)
    opens = max(first - ahead, clock.now())
    return opens, max(first, opens + ahead)


def due_of_people(db: Session, provider_id: str, line: str) -> dict[str, datetime]:
    """Return when each person with functions here is due: after their last confirmation, or since they have them."""
    clocks = configuration.current(db).clocks
    since: dict[str, datetime] = {}
    sharp: set[str] = set()
    sensitive = set(db.exec(select(Entitlement.key).where(col(Entitlement.sensitivity) >= 5)).all())
    now = clock.now()
    for account_id, key, begun in db.exec(
        select(Grant.account_id, Grant.entitlement, func.min(col(Grant.not_before)))
        .where(
            col(Grant.provider_id) == provider_id,
            col(Grant.line_of_business) == line,
            col(Grant.ended_at).is_(None),
            col(Grant.effect) == "allow",
            or_(col(Grant.expires_at).is_(None), col(Grant.expires_at) > now),
        )
        .group_by(col(Grant.account_id), col(Grant.entitlement))
    ).all():
        since[account_id] = min(begun, since.get(account_id, begun))
        if key in sensitive:
            sharp.add(account_id)
    sharp |= set(
        db.exec(
            select(Affiliation.account_id).where(
                col(Affiliation.provider_id) == provider_id,
                col(Affiliation.ended_at).is_(None),
                col(Affiliation.partner_id).is_not(None),
            )
        ).all()
    )
    for account_id, at in _confirmed(db, provider_id, line).items():
        if account_id in since:
            since[account_id] = max(at, since[account_id])
    return {a: at + (clocks.review_sensitive if a in sharp else clocks.review) for a, at in since.items()}


def _confirmed(db: Session, provider_id: str, line: str) -> Mapping[str, datetime]:
    """Return when each person was last kept or changed in a review that was signed."""
    rows = db.exec(
        select(ReviewItem.account_id, func.max(col(ReviewItem.answered_at)))
        .join(Review, col(Review.id) == col(ReviewItem.review_id))
        .where(
            col(Review.provider_id) == provider_id,
            col(Review.line) == line,
            col(Review.status) == "signed",
            col(ReviewItem.answer).in_(("keep", "change")),
        )
        .group_by(col(ReviewItem.account_id))
    ).all()
    return {account_id: at for account_id, at in rows if at is not None}


def remind(db: Session) -> int:
    """Send the notices of reviews that come due; each is taken by one conditional update."""
    now = clock.now()
    notices = sorted(configuration.current(db).clocks.review_notices, reverse=True)
    sent = 0
    for number, before in enumerate(notices, 1):
        due = db.exec(
            select(Review)
            .where(
                col(Review.status) == "open",
                col(Review.reminded) < number,
                col(Review.due_at) <= now + before,
                col(Review.due_at) > now,
            )
            .limit(BATCH)
        ).all()
        for review in due:
            if _take(db, review, reminded=number) and number == _latest(notices, review.due_at - now):
                sent += _tell(db, review, "review_due", _unanswered(db, review))
    return sent


def _latest(notices: list[timedelta], left: timedelta) -> int:
    """Return the number of the last notice whose time has come: of several missed, one mail is enough."""
    return max((number for number, before in enumerate(notices, 1) if left <= before), default=0)


def miss(db: Session) -> int:
    """Pause who was not confirmed by the due date, by no answer or by one to remove; return how many reviews."""
    now = clock.now()
    due = db.exec(
        select(Review)
        .where(col(Review.status) == "open", col(Review.due_at) <= now)
        .order_by(col(Review.due_at))
        .limit(BATCH)
    ).all()
    for review in due:
        if not _take(db, review, status="missed"):
            continue
        paused = 0
        for item in _not_kept(db, review) if review.kind == "regular" else []:
            rows = authority.not_ended(db, review.provider_id, item.account_id, review.line)
            held = sorted({row.entitlement for row in rows if row.effect == "allow"})
            place = Place(item.account_id, review.provider_id, review.line)
            if pauses.suspend(db, place, held, by="system", reason=reviews.PAUSED):
                item.paused = True
                paused += 1
                db.add(item)
        db.flush()
        details = {"review": review.id, "line": review.line, "paused": paused}
        log.record(db, Event("wam.review.missed", provider=review.provider_id, details=details))
        _tell(db, review, "review_missed", [i for i in reviews.items(db, review.id) if i.paused])
    return len(due)


def finish(db: Session) -> int:
    """End what stayed paused after the time of grace, and close the review; return how many reviews."""
    now = clock.now()
    late = now - configuration.current(db).clocks.review_ends
    due = db.exec(
        select(Review)
        .where(col(Review.status) == "missed", col(Review.due_at) <= late)
        .order_by(col(Review.due_at))
        .limit(BATCH)
    ).all()
    for review in due:
        report: dict[str, Any] = {"people": [], "counts": {"ended": 0}, "ended_at": clock.iso(now)}
        if not _take(db, review, status="ended", report=report):
            continue
        ended = [_end(db, review, item) for item in _unanswered(db, review) if item.paused]
        answered = [i for i in reviews.items(db, review.id) if i.paused and i.answer is not None]
        for item in answered:  # somebody answered and nobody signed: their answer keeps the person
            if item.answer != "remove":
                reviews.let_go_on(db, review, item.account_id, by="system")
            else:
                ended.append(_end(db, review, item))
        review.report = report | {"people": ended, "counts": {"ended": len(ended)}}
        db.add(review)
        db.flush()
        details = {"review": review.id, "line": review.line, "people": len(ended)}
        log.record(db, Event("wam.review.ended", provider=review.provider_id, details=details))
    return len(due)


def _end(db: Session, review: Review, item: ReviewItem) -> dict[str, object]:
    rows = authority.not_ended(db, review.provider_id, item.account_id, review.line)
    mine = [row for row in rows if row.effect == "allow" or row.reason == reviews.PAUSED]
    for row in sorted(mine, key=lambda g: g.effect):  # the allow first, so that nothing opens in between
        grants.end(db, row, by="system", reason="review_missed")
    return {"account": item.account_id, "grants": [review_report.held(row) for row in mine if row.effect == "allow"]}


def _unanswered(db: Session, review: Review) -> list[ReviewItem]:
    return [item for item in reviews.items(db, review.id) if item.answer is None]


def _not_kept(db: Session, review: Review) -> list[ReviewItem]:
    return [item for item in reviews.items(db, review.id) if item.answer in (None, "remove")]


def _take(db: Session, review: Review, **values: object) -> bool:
    """Move a review on from the state it was read in; False when another worker or a signature was first."""
    taken = db.execute(
        update(Review)
        .where(
            col(Review.id) == review.id, col(Review.status) == review.status, col(Review.reminded) == review.reminded
        )
        .values(**values)
        .execution_options(synchronize_session=False)
    )
    assert isinstance(taken, CursorResult)
    db.refresh(review)
    return taken.rowcount == 1


def _tell(db: Session, review: Review, template: str, waiting: list[ReviewItem]) -> int:
    if not waiting:
        return 0
    provider = db.get(Provider, review.provider_id)
    settings = of(db).settings
    facts = {
        "provider": provider.name if provider else "",
        "line": review.line.replace("_", " "),
        "people": f"{len(waiting)} {'person' if len(waiting) == 1 else 'people'}",
        "day": clock.day_in_words(review.due_at, settings.time_zone),
        "days": configuration.current(db).clocks.review_ends.days,
        "reviews": f"{settings.issuer}/p/{review.provider_id}/reviews/{review.id}",
    }
    sent = 0
    for appointment in appointments.in_force(db, review.provider_id, review.line, clock.now()):
        account = db.get(Account, appointment.account_id)
        if account is not None and account.status == "active":
            sent += outbox.send(db, account.id, template, facts)
    return sent
