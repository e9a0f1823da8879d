"""Security staff: uses of emergency access nobody has looked at yet, those due first (SE-4)."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp.accounts import humans
from idp.audit import search
from idp.errors import Conflict, Invalid, NotEntitled
from idp.providers.tables import Provider
from idp.wam import emergency, emergency_bars
from idp.wam.tables import EmergencyUse
from idp.web import pages
from idp.web.boundary import Transaction
from idp.web.desk import shown, then
from idp.web.forms import TheForm
from idp.web.guards import Acting, insurer_staff
from idp.web.manager.emergency import entries, looked_at

router = APIRouter()
PATH = "/security/emergency"
Staff = Annotated[Acting, Depends(insurer_staff("security.case.work"))]


@router.get(PATH, include_in_schema=False)
def listed(request: Request, staff: Staff, db: Transaction) -> Response:
    """List what waits to be looked at, and what was."""
    waiting, done = _entries(db, emergency.to_review(db)), _entries(db, emergency.reviewed(db))
    more = len(waiting) >= emergency.MOST_SHOWN
    return pages.page(request, "audit/emergency.html", waiting=waiting, more=more, done=done, **_frame(staff))


@router.get(f"{PATH}/{{x}}", include_in_schema=False)
def one(request: Request, staff: Staff, db: Transaction, x: str) -> Response:
    """Show one use and its review."""
    return pages.page(request, "audit/emergency_one.html", **_one(staff, db, x))


@router.post(f"{PATH}/{{x}}", include_in_schema=False)
def review(request: Request, staff: Staff, db: Transaction, x: str, form: TheForm) -> Response:
    """End it, or say whether it was justified."""
    facts, by, use = _one(staff, db, x), staff.visitor.account.id, emergency.find(db, x)
    with pages.shown_again("audit/emergency_one.html", facts, Invalid, Conflict, NotEntitled):
        if form.get("what") == "end":
            emergency.end(db, use, by=by)
        elif form.get("what") == "lift":
            emergency_bars.lift(db, use, by=by, why=form.get("why", ""), desk=True)
        else:
            emergency.review(db, use, by=by, verdict=form.get("verdict", ""), note=form.get("note", ""), desk=True)
    return pages.go(request, PATH)


def _frame(staff: Acting) -> dict[str, Any]:
    return {"acting": {"name": staff.provider.name, "tin_last4": None, "id": staff.provider.id}}


def _entries(db: Db, uses: Sequence[EmergencyUse]) -> list[dict[str, Any]]:
    ids = {use.provider_id for use in uses}
    practices = {one.id: one.name for one in db.exec(select(Provider).where(col(Provider.id).in_(ids)))}
    return [one | {"practice": practices.get(one["use"].provider_id, "")} for one in entries(db, uses)]


def _one(staff: Acting, db: Db, x: str) -> dict[str, Any]:
    use = emergency.find(db, x[:64])
    return {
        "one": _entries(db, [use])[0],
        "own": staff.visitor.account.id in humans.same(db, use.account_id),
        "liftable": emergency_bars.may_lift(db, use, by=staff.visitor.account.id, desk=True),
        "verdicts": emergency.VERDICTS,
        "log": shown.address(
            search.Filters(
                person=use.account_id,
                provider=use.provider_id,
                event=then.EVENT,
                since=use.starts_at,
                until=use.ended_at or use.ends_at,
            )
        ),
        **looked_at(db, use),
        "action": f"{PATH}/{use.id}",
        "problem": None,
        **_frame(staff),
    }
