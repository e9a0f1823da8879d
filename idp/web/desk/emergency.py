"""Security staff: uses of emergency access nobody has looked at yet, those due first (SE-4)."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from sqlmodel import Session as Db

from idp.errors import Conflict, Invalid, NotEntitled
from idp.providers.tables import Provider
from idp.wam import emergency
from idp.wam.tables import EmergencyUse
from idp.web import pages
from idp.web.boundary import Transaction
from idp.web.forms import TheForm
from idp.web.guards import Acting, insurer_staff
from idp.web.manager.emergency import entry

router = APIRouter()
PATH = "/security/emergency"
Staff = Annotated[Acting, Depends(insurer_staff("security.case.work"))]


@router.get(PATH, include_in_schema=False)
def listed(request: Request, staff: Staff, db: Transaction) -> Response:
    """List what waits to be looked at, and what was."""
    waiting = [_entry(db, use) for use in emergency.to_review(db)]
    done = [_entry(db, use) for use in emergency.reviewed(db)]
    return pages.page(request, "audit/emergency.html", waiting=waiting, done=done, **_frame(staff))


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
        else:
            emergency.review(db, use, by=by, verdict=form.get("verdict", ""), note=form.get("note", ""))
    return pages.go(request, PATH)


def _frame(staff: Acting) -> dict[str, Any]:
    return {"acting": {"name": staff.provider.name, "tin_last4": None, "id": staff.provider.id}}


def _entry(db: Db, use: EmergencyUse) -> dict[str, Any]:
    provider = db.get(Provider, use.provider_id)
    return entry(db, use) | {"practice": provider.name if provider else ""}


def _one(staff: Acting, db: Db, x: str) -> dict[str, Any]:
    use = emergency.find(db, x[:64])
    return {
        "one": _entry(db, use),
        "own": use.account_id == staff.visitor.account.id,
        "verdicts": emergency.VERDICTS,
        "action": f"{PATH}/{use.id}",
        "problem": None,
        **_frame(staff),
    }
