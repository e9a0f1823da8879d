"""The stored report of a review that is signed: who was kept, changed, removed, and what they held then and before."""

from collections.abc import Sequence
from typing import Any

from sqlmodel import Session, col, or_, select

from idp import clock
from idp.entitlements.tables import Grant
from idp.wam import authority
from idp.wam.tables import ANSWERS, Review, ReviewItem

WORD = "I looked at each person. What is kept, they need for their work."
"""What a manager signs: the words beside the box, kept with the report as they stood."""


def made(db: Session, review: Review, people: Sequence[ReviewItem], *, by: str) -> dict[str, Any]:
    """Return what was decided about whom, as it stood before the removals; `by` signs."""
    lines = []
    for item in sorted(people, key=lambda i: i.account_id):
        rows = authority.not_ended(db, review.provider_id, item.account_id, review.line)
        line = {
            "account": item.account_id,
            "answer": item.answer or ("not_answered_only_manager" if item.account_id == by else "nothing_held"),
            "by": item.answered_by,
            "at": clock.iso(item.answered_at) if item.answered_at else None,
            "paused": item.paused,
            "grants": [held(row) for row in rows if row.effect == "allow"],
        }
        if item.answer == "change":
            line["before"] = _before(db, review, item.account_id)
        lines.append(line)
    counts = {name: sum(1 for i in people if i.answer == name) for name in ANSWERS}
    return {"people": lines, "counts": counts, "word": WORD, "signed_by": by, "signed_at": clock.iso(clock.now())}


def held(row: Grant) -> dict[str, Any]:
    """Return one grant as a report keeps it."""
    return {
        "grant": row.id,
        "function": row.entitlement,
        "from": clock.iso(row.not_before),
        "until": clock.iso(row.expires_at) if row.expires_at else None,
        "by": row.granted_by,
    }


def _before(db: Session, review: Review, account_id: str) -> list[dict[str, Any]]:
    """Return what a person held when the review began, so that a report can say from what to what."""
    opened = review.created_at
    rows = db.exec(
        select(Grant)
        .where(
            col(Grant.account_id) == account_id,
            col(Grant.provider_id) == review.provider_id,
            col(Grant.line_of_business) == review.line,
            col(Grant.effect) == "allow",
            col(Grant.not_before) <= opened,
            or_(col(Grant.ended_at).is_(None), col(Grant.ended_at) > opened),
            or_(col(Grant.expires_at).is_(None), col(Grant.expires_at) > opened),
        )
        .order_by(col(Grant.entitlement), col(Grant.id))
    ).all()
    return [
        {"grant": row.id, "function": row.entitlement, "until": clock.iso(row.expires_at) if row.expires_at else None}
        for row in rows
    ]
