"""Reviews of who has what over the API: listed, answered, signed, and their evidence."""

from typing import Any

from fastapi import Response
from sqlmodel import Session as Db

from idp.wam import receipts, reviews
from idp.wam.tables import Review
from idp.web.boundary import Transaction
from idp.web.console.bodies import Answers, Signature
from idp.web.console.caller import Manages, Sees
from idp.web.console.once import TheOnce
from idp.web.console.routing import part
from idp.web.guards import Acting
from idp.web.manager import evidence, workload
from idp.web.manager.guard import lines_of

router = part()


@router.get("/reviews")
def listed(db: Transaction, acting: Sees) -> dict[str, Any]:
    """List the reviews of the lines this person manages, newest first; `more` where the newest 100 are not all."""
    rows = reviews.of_practice(db, acting.provider.id, lines_of(db, acting))
    return {
        "more": len(rows) >= reviews.MOST_SHOWN,
        "reviews": [_told(review) | {"people": total, "answered": done} for review, total, done in rows],
    }


@router.get("/reviews/{x}")
def one(db: Transaction, acting: Sees, x: str) -> dict[str, Any]:
    """Show a review: under way with what there is to look at for each person, over with its report."""
    found = _found(db, acting, x)
    if found.status not in reviews.UNDER_WAY:
        return _told(found) | {"report": found.report, "people": []}
    rows = workload.rows(db, found, reviews.to_answer(db, found), by=acting.visitor.account.id)
    return _told(found) | {"report": None, "people": [_person(row) for row in rows]}


@router.get("/reviews/{x}/evidence.json", responses={200: {"content": {"application/json": {}}}})
def evidence_data(db: Transaction, acting: Sees, x: str) -> Response:
    """Return the signed evidence of a review that is over (409 before)."""
    return evidence.data(db, acting, x)


@router.get(
    "/reviews/{x}/evidence.pdf",
    responses={200: {"content": {"application/pdf": {}}}},
    response_class=Response,
)
def evidence_document(db: Transaction, acting: Sees, x: str) -> Response:
    """Return it as a document, with the signed data attached inside."""
    return evidence.document(db, acting, x)


@router.post("/reviews/{x}/answers")
def answer(db: Transaction, acting: Manages, once: TheOnce, x: str, body: Answers) -> Response:
    """Keep answers about people; nothing ends before the signature."""

    def work() -> dict[str, Any]:
        changed = reviews.answer(db, _found(db, acting, x), dict(body.answers), by=acting.visitor.account.id)
        return {"changed": changed}

    return once.answer(db, acting, work)


@router.post("/reviews/{x}/signature")
def sign(db: Transaction, acting: Manages, once: TheOnce, x: str, body: Signature) -> Response:
    """Sign: the removals happen, the report is stored, all or nothing."""

    def work() -> dict[str, Any]:
        signed = reviews.sign(db, _found(db, acting, x), by=acting.visitor.account.id, word=body.word)
        made = receipts.about(db, signed.provider_id, "review", "review", signed.id)
        return _told(signed) | {
            "report": signed.report,
            "receipt": made.id if made else None,
        }

    return once.answer(db, acting, work)


def _found(db: Db, acting: Acting, x: str) -> Review:
    return reviews.find(db, x[:64], acting.provider.id, lines_of(db, acting))


def _told(review: Review) -> dict[str, Any]:
    return {
        "review": review.id,
        "line": review.line,
        "kind": review.kind,
        "status": review.status,
        "due_at": review.due_at,
        "signed_at": review.signed_at,
        "signed_by": review.signed_by,
    }


def _person(row: workload.Row) -> dict[str, Any]:
    return {
        "account": row.item.account_id,
        "name": row.entry.account.display_name,
        "functions": row.functions,
        "sensitive": row.sensitive,
        "since": row.since,
        "last_used_at": row.last_used_at,
        "last_seen_at": row.entry.last_seen_at,
        "conflicts": [{"first": c.first, "second": c.second, "why": c.why} for c in row.conflicts],
        "suggestion": row.suggestion,
        "answer": row.item.answer,
        "own": row.own,
    }
