"""Support and security ask why one person may or may not do something for a practice, and what would change it."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from sqlmodel import Session as Db

from idp.database import of
from idp.errors import Invalid
from idp.web import whatif
from idp.web.boundary import Transaction
from idp.web.guards import Acting, insurer_staff
from idp.web.manager.views import LINE_NAMES
from idp.web.pages import page

router = APIRouter()
MayLook = Annotated[Acting, Depends(insurer_staff("audit.search"))]
MaySupport = Annotated[Acting, Depends(insurer_staff("support.view"))]


@router.get("/security/why", include_in_schema=False)
def security_asks(request: Request, staff: MayLook, db: Transaction) -> Response:
    """Show what each check says of one person at a moment, and under hypothetical changes; recorded as a decision."""
    return _why(request, staff, db, area="security", back="/security/who", called="Who could")


@router.get("/support/why", include_in_schema=False)
def support_asks(request: Request, staff: MaySupport, db: Transaction) -> Response:
    """Show the same to the support desk."""
    return _why(request, staff, db, area="support", back="/support", called="Look up a person")


def _why(request: Request, staff: Acting, db: Db, *, area: str, back: str, called: str) -> Response:
    given = whatif.query(request.query_params.multi_items(), whatif.NAMES | {"account", "provider"})
    if not all(given.get(name) for name in ("account", "function", "provider")):
        raise Invalid(fields={"account": "Come here from a person, or from the list of who could."})
    known = whatif.choices(db, given["account"], given["provider"], given.get("line") or "medical")
    zone = of(db).settings.time_zone
    question = whatif.asked(given["account"], given["provider"], given, known, zone)
    return page(
        request,
        "audit/why.html",
        acting={"name": staff.provider.name, "tin_last4": None, "id": staff.provider.id},
        line_names=LINE_NAMES,
        of_area=area,
        back=back,
        called=called,
        **whatif.shown(db, question, given, known),
    )
