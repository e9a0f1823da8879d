"""Security staff: reports of misuse, one by one; close them, lift a lock after the owner was recognized."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from idp.errors import Conflict, Invalid
from idp.security import reports
from idp.web import pages
from idp.web.boundary import Transaction
from idp.web.forms import TheForm
from idp.web.guards import Acting, insurer_staff

router = APIRouter()
PATH = "/security/reports"
Staff = Annotated[Acting, Depends(insurer_staff("security.case.work"))]
Unlocker = Annotated[Acting, Depends(insurer_staff("security.access.revoke"))]


@router.get(PATH, include_in_schema=False)
def listed(request: Request, staff: Staff, db: Transaction) -> Response:
    """List what waits, the oldest first, and what was closed."""
    me = staff.visitor.account.id
    open_ones, closed = reports.listed(db, "open", by=me), reports.listed(db, "closed", by=me, limit=50)
    return pages.page(request, "report/listed.html", acting=_acting(staff), open_ones=open_ones, closed=closed)


@router.get(PATH + "/{report_id}", include_in_schema=False)
def one(request: Request, staff: Staff, db: Transaction, report_id: str) -> Response:
    """Open a report; looking is recorded."""
    return pages.page(request, "report/one.html", **_facts(staff, db, report_id))


@router.post(PATH + "/{report_id}/close", include_in_schema=False)
def close(request: Request, staff: Staff, db: Transaction, report_id: str, form: TheForm) -> Response:
    """Close a report with a sentence."""
    [outcome] = form.of("outcome")
    try:
        reports.close(db, report_id, by=staff.visitor.account.id, outcome=outcome)
    except (Invalid, Conflict) as refusal:
        refusal.page, refusal.context = "report/one.html", _facts(staff, db, report_id)
        raise
    return pages.go(request, PATH)


@router.post(PATH + "/{report_id}/unlock", include_in_schema=False)
def unlock(request: Request, staff: Unlocker, db: Transaction, report_id: str, form: TheForm) -> Response:
    """Lift the lock; sessions do not come back, signing in does."""
    [because] = form.of("because")
    try:
        reports.unlock(db, report_id, by=staff.visitor.account.id, because=because)
    except (Invalid, Conflict) as refusal:
        refusal.page, refusal.context = "report/one.html", _facts(staff, db, report_id)
        raise
    return pages.go(request, f"{PATH}/{report_id}")


def _facts(staff: Acting, db: Transaction, report_id: str) -> dict[str, Any]:
    return {"acting": _acting(staff), "opened": reports.view(db, report_id, by=staff.visitor.account.id)}


def _acting(staff: Acting) -> dict[str, Any]:
    return {"name": staff.provider.name, "tin_last4": None, "id": staff.provider.id}
