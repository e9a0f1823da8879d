"""A session or device drawn over time, and a map of who acted for whom; each beside the same facts as a table."""

from collections import Counter
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from idp import clock
from idp.accounts import humans
from idp.audit import log, search
from idp.audit.events import VOCABULARY, Event
from idp.audit.search import Filters
from idp.database import of
from idp.errors import Invalid
from idp.notices import saying
from idp.web.boundary import Transaction
from idp.web.desk import drawing, shown
from idp.web.guards import Acting, insurer_staff
from idp.web.pages import page

router = APIRouter()
MaySearch = Annotated[Acting, Depends(insurer_staff("audit.search"))]
MARKS = 300
"""Records on one drawing: the newest."""
_LOOKED_AT = 5000
"""Records behind a map: the newest of `SPAN`."""
_DRAWN = 40
SPAN = timedelta(days=90)


@router.get("/security/timeline", include_in_schema=False)
def over_time(request: Request, staff: MaySearch, db: Transaction, *, session: str = "", device: str = "") -> Response:
    """Draw a session, or everything on a device with a lane for each session; looking is recorded."""
    if bool(session) == bool(device):
        raise Invalid(fields={"session": "Name a session or a device."})
    kind, value = ("session", session) if session else ("device", device)
    filters = search.read({kind: value}, reader=humans.same(db, staff.visitor.account.id))
    rows = search.newest(db, filters, MARKS)
    log.record(db, Event("audit.timeline.viewed", details=filters.given()))
    names = shown.names(db, rows)

    def lane(row: Any) -> str:
        who = row.actor_id or row.account_id or "nobody"
        label = names.get(who, who)
        return f"{label}, {row.session_id or 'no session'}" if device else label

    return page(
        request,
        "audit/timeline.html",
        acting=shown.acting(staff),
        kind=kind,
        value=value,
        rows=rows,
        drawn=drawing.timeline(rows, lane) if rows else None,
        slim=drawing.timeline(rows, lane, drawing.SLIM) if rows else None,
        zone_now=saying.zone_name(clock.now(), of(db).settings.time_zone),
        names=names,
        events=VOCABULARY,
        search=shown.address(filters),
        most=MARKS,
    )


@router.get("/security/acting", include_in_schema=False)
def who_for_whom(request: Request, staff: MaySearch, db: Transaction, *, of: str = "") -> Response:
    """Draw for whom a person acted, or who acted for a practice, in the last 90 days; looking is recorded."""
    if not of.startswith(("acc_", "prv_")):
        raise Invalid(fields={"of": "Name a person's or a practice's id."})
    kind = "person" if of.startswith("acc_") else "provider"
    filters = search.read(
        {kind: of, "since": clock.iso(clock.now() - SPAN)}, reader=humans.same(db, staff.visitor.account.id)
    )
    rows = search.newest(db, filters, _LOOKED_AT)
    log.record(db, Event("audit.acting.viewed", details=filters.given()))
    pairs: Counter[tuple[str, str]] = Counter()
    for row in rows:
        if row.actor_id and (row.provider_id or row.account_id):
            if row.provider_id:
                pairs[row.actor_id, row.provider_id] += 1
            if row.account_id and row.account_id != row.actor_id:
                pairs[row.actor_id, row.account_id] += 1
    counts = [(who, whom, count) for (who, whom), count in pairs.most_common(_DRAWN)]
    return page(
        request,
        "audit/acting.html",
        acting=shown.acting(staff),
        of=of,
        drawn=drawing.who_for_whom(counts),
        width=drawing.WIDTH,
        counts=counts,
        names=shown.names(db, rows),
        looked_at=len(rows),
        cut=len(rows) == _LOOKED_AT,
        days=SPAN.days,
        search=lambda who, whom: shown.address(Filters(person=who, provider=whom if whom.startswith("prv_") else None)),
        map_of=lambda one: f"/security/acting?of={one}" if one.startswith(("acc_", "prv_")) else None,
    )
