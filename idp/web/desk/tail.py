"""The newest records of a search as they come: the page asks for itself again every few seconds, without a script.

Opening it is recorded once for each quarter of an hour somebody watches, not for each time it asks.
"""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from idp import clock
from idp.audit import log, search
from idp.audit.events import VOCABULARY, Event
from idp.errors import Invalid
from idp.web.boundary import Transaction, service_of
from idp.web.desk import shown
from idp.web.guards import Acting, insurer_staff
from idp.web.pages import page

router = APIRouter()
EVERY = 3
"""Seconds between two looks."""
TIMES = 100
"""Looks without a click, five minutes: asking counts as being there, so a page left alone must fall silent."""
_QUARTER = timedelta(minutes=15)


@router.get("/security/tail", include_in_schema=False)
def tail(
    request: Request, staff: Annotated[Acting, Depends(insurer_staff("audit.search"))], db: Transaction
) -> Response:
    """Show the newest 50 matches and ask again soon; `looked` counts how often it did."""
    query = dict(request.query_params.multi_items())
    looked = query.pop("looked", "0")
    if not (looked.isascii() and looked.isdigit() and len(looked) < 8):
        raise Invalid(fields={"looked": "Open the page again."})
    more = int(looked) < TIMES
    filters = search.read(query, reader=staff.visitor.account.id)
    if filters.until is not None:
        raise Invalid(fields={"until": "What comes has no end: leave it out."})
    found = search.newest(db, filters)
    watched = service_of(request).parts.setdefault("watched", {})
    key, now = (staff.visitor.session.id, shown.address(filters)), clock.now()
    for old in [one for one, at in watched.items() if now - at >= _QUARTER]:
        del watched[old]
    if key not in watched:
        watched[key] = now
        log.record(db, Event("audit.log.watched", details={"filters": filters.given()}))
    return page(
        request,
        "audit/tail.html",
        acting=shown.acting(staff),
        rows=found,
        names=shown.names(db, found),
        events=VOCABULARY,
        every=EVERY if more else None,
        again=shown.address(filters, "/security/tail", looked=str(int(looked) + 1)),
        onward=shown.address(filters, "/security/tail"),
        stop=shown.address(filters, "/security/tail", looked=str(TIMES)),
        search=shown.address(filters),
        asked_at=now,
    )
