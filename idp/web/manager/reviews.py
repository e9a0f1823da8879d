"""Reviews of who has what: the list, the answers, the signature, the stored report (W-7)."""

# ruff: noqa: FAST003 - the guard in the signature takes `p`

from typing import Any

from fastapi import APIRouter, Request, Response
from sqlmodel import Session as Db

from idp.database import of
from idp.entitlements import catalog
from idp.errors import Conflict, Invalid, NotEntitled
from idp.wam import receipts, review_calendar, review_report, reviews, roster
from idp.wam.tables import Review
from idp.web import pages
from idp.web.boundary import Transaction
from idp.web.forms import TheForm
from idp.web.guards import Acting
from idp.web.manager import evidence, reviewed, views, workload
from idp.web.manager.guard import Manages, Sees, lines_of

router = APIRouter()
router.include_router(evidence.router)
PAGE = 50
SAID = {
    "keep": "Keep",
    "change": "Changed",
    "remove": "Remove",
    "nothing_held": "Held nothing",
    "not_answered_only_manager": "Not answered: the only access manager",
}
STATES = {"open": "Open", "missed": "Overdue", "signed": "Signed", "ended": "Ended unanswered"}


@router.get("/p/{p}/reviews")
def listed(request: Request, db: Transaction, acting: Sees) -> Response:
    """List the reviews of the lines this person manages."""
    frame = views.frame(db, acting.provider, acting.visitor.account.id)
    found = reviews.of_practice(db, acting.provider.id, frame["lines"])
    under_way = {one.line for one, _, _ in found if one.kind == "regular" and one.status in reviews.UNDER_WAY}
    coming = [
        (line, review_calendar.next_of(db, acting.provider.id, line))
        for line in frame["lines"]
        if line not in under_way
    ]
    more = len(found) >= reviews.MOST_SHOWN
    return pages.page(request, "wam/reviews.html", reviews=found, more=more, states=STATES, coming=coming, **frame)


@router.get("/p/{p}/reviews/{x}")
def review_page(request: Request, db: Transaction, acting: Sees, x: str, page: int = 1) -> Response:
    """Show a review under way to answer it, one that is over as its report."""
    found = _found(db, acting, x)
    if found.status in reviews.UNDER_WAY:
        return pages.page(request, "wam/review.html", **_facts(db, acting, found, page))
    return pages.page(request, "wam/review_report.html", **_report(db, acting, found))


@router.post("/p/{p}/reviews/{x}")
def answer(request: Request, db: Transaction, acting: Manages, x: str, form: TheForm, *, page: int = 1) -> Response:
    """Keep the answers; with the signing button, sign."""
    found = _found(db, acting, x)
    by = acting.visitor.account.id
    answers = {name.removeprefix("a-"): said for name, said in form.items() if name.startswith("a-")}
    try:
        reviews.answer(db, found, answers, by=by)
        if form.get("do") == "sign":
            _whole(db, acting, found, page, word=form.get("word") == "yes")
            reviews.sign(db, found, by=by, word=form.get("word") == "yes")
    except (Invalid, Conflict, NotEntitled) as problem:
        if found.status in reviews.UNDER_WAY:
            problem.page = "wam/review.html"
            problem.context = _facts(db, acting, found, page, answers) | {"problem": problem.detail}
        raise
    return pages.go(request, f"/p/{acting.provider.id}/reviews/{found.id}?page={page}")


def _whole(db: Db, acting: Acting, found: Review, page: int, *, word: bool) -> None:
    """Raise Invalid with everything that is missing on this page, at once; what is missing elsewhere, signing says."""
    rows = [row for row in _facts(db, acting, found, page)["rows"] if not row.own and row.item.answer is None]
    missing = {f"a-{row.entry.account.id}": f"Answer about {row.entry.account.display_name}." for row in rows}
    if missing:
        raise Invalid(fields=missing | ({} if word else {"word": "Check the box to sign."}))


def _found(db: Db, acting: Acting, x: str) -> Review:
    lines = lines_of(db, acting)
    return reviews.find(db, x[:64], acting.provider.id, lines)


def _facts(db: Db, acting: Acting, found: Review, page: int, typed: dict[str, str] | None = None) -> dict[str, Any]:
    by = acting.visitor.account.id
    people = reviews.to_answer(db, found)
    pages_of = max(1, -(-len(people) // PAGE))
    page = min(max(1, page), pages_of)
    shown = people[(page - 1) * PAGE : page * PAGE]
    rows = workload.rows(db, found, shown, by=by, typed=typed)
    return {
        "review": found,
        "rows": rows,
        "total": len(people),
        "left": sum(1 for item in people if item.answer is None),
        "page": page,
        "pages": pages_of,
        "word": review_report.WORD,
        "problem": None,
        **views.frame(db, acting.provider, by),
    }


def _report(db: Db, acting: Acting, found: Review) -> dict[str, Any]:
    report = found.report or {"people": [], "counts": {}}
    ids = {line["account"] for line in report["people"]} | {line.get("by") or "" for line in report["people"]}
    functions = {e.key: e.name for side in (False, True) for e in catalog.everything(db, insurer_side=side)}
    return {
        "review": found,
        "receipt": receipts.about(db, acting.provider.id, "review", "review", found.id),
        "report": report,
        "people": reviewed.people(report, functions, of(db).settings.time_zone),
        "names": roster.names_of(db, ids | {found.signed_by or ""}),
        "said": SAID,
        "state": STATES[found.status],
        **views.frame(db, acting.provider, acting.visitor.account.id),
    }
