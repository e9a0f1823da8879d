"""The security desk: what was taken away, newest first, and who heard of it when."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from idp.audit import log
from idp.audit.events import Event
from idp.errors import NotFound
from idp.transmitter import heard
from idp.web import pages
from idp.web.boundary import Transaction
from idp.web.guards import Acting, insurer_staff

router = APIRouter()
PATH = "/security/revocations"
PAGE = 50
MayLook = Annotated[Acting, Depends(insurer_staff("audit.search"))]


@router.get(PATH, include_in_schema=False)
def listed(
    request: Request, staff: MayLook, db: Transaction, before: Annotated[int | None, Query(ge=1, le=2**62)] = None
) -> Response:
    """List the newest revocations; looking is recorded."""
    found = heard.newest(db, before, PAGE + 1)
    log.record(db, Event("signals.receipts.viewed", details={"before": before}))
    more = found[PAGE - 1].seq if len(found) > PAGE else None
    return pages.page(request, "audit/revocations.html", found=found[:PAGE], more=more, acting=_acting(staff))


@router.get(PATH + "/{seq}", include_in_schema=False)
def one(request: Request, staff: MayLook, db: Transaction, seq: int) -> Response:
    """Show who heard of one revocation; looking is recorded."""
    found = heard.revoked(db, seq, seq) if 0 < seq < 2**62 else []
    if not found:
        raise NotFound("There is no revocation with this number.")
    log.record(db, Event("signals.receipts.viewed", account=found[0].account_id, details={"seq": seq}))
    told = heard.who_heard(db, found)
    return pages.page(request, "audit/revocation.html", one=found[0], told=told, acting=_acting(staff))


def _acting(staff: Acting) -> dict[str, str | None]:
    return {"name": staff.provider.name, "tin_last4": None, "id": staff.provider.id}
