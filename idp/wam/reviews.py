"""Reviews of who has what: opened, answered person by person, signed (W-7).

An answer is kept until the signature, which does the removals and stores the report, all or nothing. Nobody
answers about themselves. A review after a manager's departure looks at what that manager gave (domain.md 7).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import CursorResult, or_, update
from sqlmodel import Session, col, func, select

from idp import clock
from idp.accounts.tables import Account
from idp.audit import log
from idp.audit.events import Event
from idp.database.inserting import insert_unless_there
from idp.entitlements import grants
from idp.entitlements.tables import Grant
from idp.errors import Conflict, Invalid, NotEntitled, NotFound
from idp.wam import appointments, authority, receipts, removing, review_report
from idp.wam.tables import ANSWERS, Receipt, Review, ReviewItem

PAUSED = "review_missed"
"""The reason of pauses made because nobody answered."""
SUCCESSION = timedelta(days=30)
UNDER_WAY = ("open", "missed")
MOST_SHOWN = 100
"""Reviews a list holds, the newest; it says so where there may be more."""


class NotAllAnswered(Conflict):
    """A review is signed when everybody in it has an answer."""

    code = "not_all_answered"
    title = "Some people have no answer yet"
    advice = ""


def open_review(
    db: Session,
    provider_id: str,
    line: str,
    people: Sequence[str],
    *,
    due_at: datetime,
    kind: str = "regular",
    by: str = "system",
) -> Review | None:
    """Open a review of these people; None when one of the kind is under way (a succession's gets them added)."""
    if not people:
        return None
    made = Review(provider_id=provider_id, line=line, kind=kind, due_at=due_at, opened_by=by)
    fresh = insert_unless_there(db, Review, made.model_dump())
    if not fresh and kind == "regular":
        return None
    found = db.exec(
        select(Review).where(
            col(Review.provider_id) == provider_id,
            col(Review.line) == line,
            col(Review.kind) == kind,
            col(Review.status).in_(UNDER_WAY),
        )
    ).one_or_none()
    if found is None:
        return None
    added = 0
    for account_id in people:
        item = ReviewItem(review_id=found.id, account_id=account_id)
        added += insert_unless_there(db, ReviewItem, item.model_dump())
    details = {"review": found.id, "line": line, "kind": kind, "people": added, "due": clock.iso(found.due_at)}
    log.record(db, Event("wam.review.opened", provider=provider_id, details=details))
    return found


def after_departure(db: Session, provider_id: str, line: str, manager: str, *, by: str) -> Review | None:
    """Flag what a departed manager gave: a review of the people who hold it; nothing ends by itself (domain.md 7)."""
    given = db.exec(
        select(Grant.account_id)
        .where(
            col(Grant.provider_id) == provider_id,
            col(Grant.line_of_business) == line,
            col(Grant.granted_by) == manager,
            col(Grant.ended_at).is_(None),
            col(Grant.effect) == "allow",
        )
        .distinct()
    ).all()
    people = sorted(set(given) - {manager})
    return open_review(db, provider_id, line, people, due_at=clock.now() + SUCCESSION, kind="succession", by=by)


def find(db: Session, review_id: str, provider_id: str, lines: Sequence[str]) -> Review:
    """Return a review of this practice and these lines; anything else is NotFound."""
    found = db.get(Review, review_id)
    if found is None or found.provider_id != provider_id or found.line not in lines:
        raise NotFound
    return found


def of_practice(db: Session, provider_id: str, lines: Sequence[str]) -> list[tuple[Review, int, int]]:
    """Return the reviews of a practice, newest first: each with its people and how many are answered."""
    found = db.exec(
        select(Review, func.count(col(ReviewItem.account_id)), func.count(col(ReviewItem.answer)))
        .join(ReviewItem, col(ReviewItem.review_id) == col(Review.id))
        .where(col(Review.provider_id) == provider_id, col(Review.line).in_(lines))
        .group_by(col(Review.id))
        .order_by(col(Review.created_at).desc())
        .limit(MOST_SHOWN)
    ).all()
    return [(review, total, answered) for review, total, answered in found]


def items(db: Session, review_id: str) -> list[ReviewItem]:
    """Return the people of a review."""
    return list(db.exec(select(ReviewItem).where(col(ReviewItem.review_id) == review_id)).all())


def to_answer(db: Session, review: Review) -> list[ReviewItem]:
    """Return the people of a review who hold something, by name."""
    found = db.exec(
        select(ReviewItem, Account.display_name)
        .join(Account, col(Account.id) == col(ReviewItem.account_id))
        .where(
            col(ReviewItem.review_id) == review.id,
            select(Grant.id)
            .where(
                col(Grant.account_id) == col(ReviewItem.account_id),
                col(Grant.provider_id) == review.provider_id,
                col(Grant.line_of_business) == review.line,
                col(Grant.ended_at).is_(None),
                col(Grant.effect) == "allow",
                or_(col(Grant.expires_at).is_(None), col(Grant.expires_at) > clock.now()),
            )
            .exists(),
        )
    ).all()
    return [item for item, _ in sorted(found, key=lambda f: (f[1].lower(), f[0].account_id))]


def answer(db: Session, review: Review, answers: dict[str, str], *, by: str) -> int:
    """Keep the answers about people of a review; return how many differ from before.

    Raises NotYourLine, Conflict for a review that is over, NotFound for somebody outside it, NotEntitled for
    oneself, Invalid for `change` where nothing was changed since the review began.
    """
    authority.must_manage(db, by, review.provider_id, review.line)
    hold(db, review)
    by_account = {item.account_id: item for item in items(db, review.id)}
    count = 0
    for account_id, said in sorted(answers.items()):
        item = by_account.get(account_id)
        if item is None:
            raise NotFound
        if said not in ANSWERS:
            raise Invalid("Choose keep, change or remove.")
        if account_id == by:
            raise NotEntitled("Nobody answers about themselves. Another access manager does.", code="may_not_give")
        if said == item.answer:
            continue
        if said == "change" and not _changed_since(db, review, account_id):
            raise Invalid(fields={f"a-{account_id}": "Change the access of this person first, then choose it here."})
        item.answer, item.answered_by, item.answered_at = said, by, clock.now()
        db.add(item)
        count += 1
        details = {"review": review.id, "answer": said, "by": by}
        log.record(db, Event("wam.review.answered", account=account_id, provider=review.provider_id, details=details))
    db.flush()
    return count


def sign(db: Session, review: Review, *, by: str, word: bool) -> Review:
    """Sign a review: do the removals, let go on what was paused and is kept, store the report, once.

    `word`: the signer says to have looked at each person. Raises NotYourLine, Invalid without that word,
    Conflict for a review that is over, NotAllAnswered. Only where somebody is the one
    manager may their own line stay without an answer; the report says so.
    """
    if not word:
        raise Invalid(fields={"word": "Check the box to sign."})
    appointments.hold(db, review.provider_id)  # the first lock of every removal of a whole person
    authority.must_manage(db, by, review.provider_id, review.line)
    hold(db, review)
    people = items(db, review.id)
    alone = appointments.is_last(db, by, review.provider_id, review.line)
    waiting = [i for i in people if i.answer is None and _holds(db, review, i.account_id)]
    waiting = [i for i in waiting if not (alone and i.account_id == by)]
    if waiting:
        raise NotAllAnswered(f"{len(waiting)} of {len(people)} people have no answer yet.")
    kept = {"review": review.id, "line": review.line}
    receipts.begin(
        db, kind="review", provider_id=review.provider_id, made_by=by, form_id=receipts.new_form_id()
    ).facts = kept
    report = review_report.made(db, review, people, by=by)
    for item in people:
        if item.answer == "remove" and _holds(db, review, item.account_id):
            removing.remove(
                db,
                by=by,
                provider_id=review.provider_id,
                account_id=item.account_id,
                function=None,
                lines=[review.line],
                reason="other",
                note="not confirmed in a review",
                form_id=receipts.new_form_id(),
            )
        elif item.paused:
            let_go_on(db, review, item.account_id, by=by)
    signed = db.execute(
        update(Review)
        .where(col(Review.id) == review.id, col(Review.status).in_(UNDER_WAY))
        .values(status="signed", signed_by=by, signed_at=clock.now(), report=report)
        .execution_options(synchronize_session=False)
    )
    assert isinstance(signed, CursorResult)
    if signed.rowcount != 1:
        raise _over()
    db.refresh(review)
    details = {"review": review.id, "line": review.line, "by": by, **report["counts"]}
    log.record(db, Event("wam.review.signed", provider=review.provider_id, details=details))
    return review


def let_go_on(db: Session, review: Review, account_id: str, *, by: str) -> None:
    """End the pauses that a missed review made."""
    for row in pauses(db, review, account_id):
        grants.end(db, row, by=by, reason="review_answered")


def pauses(db: Session, review: Review, account_id: str) -> list[Grant]:
    """Return the pauses a missed review made for a person, not yet ended."""
    rows = authority.not_ended(db, review.provider_id, account_id, review.line)
    return [row for row in rows if row.effect == "deny" and row.reason == PAUSED]


def hold(db: Session, review: Review) -> None:
    """Keep other changes of this review waiting, read it anew, and require that it is under way."""
    held = db.exec(
        select(Review).where(col(Review.id) == review.id).with_for_update().execution_options(populate_existing=True)
    ).one()
    if held.status not in UNDER_WAY:
        raise _over()


def _over() -> Conflict:
    return Conflict("This review is over: somebody signed it, or its time ran out. Nothing of yours was done.")


def _holds(db: Session, review: Review, account_id: str) -> bool:
    rows = authority.not_ended(db, review.provider_id, account_id, review.line)
    return any(row.effect == "allow" for row in rows)


def _changed_since(db: Session, review: Review, account_id: str) -> bool:
    return (
        db.exec(
            select(Receipt.id).where(
                col(Receipt.provider_id) == review.provider_id,
                col(Receipt.account_id) == account_id,
                col(Receipt.kind).in_(("change", "removal")),
                col(Receipt.at) >= review.created_at,
            )
        ).first()
        is not None
    )
