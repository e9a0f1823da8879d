"""The newest records of a search as they come: sent as they are written, or asked for again by a page without scripts.

That somebody watches is recorded once for each quarter of an hour and search, whichever worker answers; the records
that they are shown are not recorded one by one.
"""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock
from idp.accounts import humans
from idp.audit import log, search
from idp.audit.events import VOCABULARY, Event
from idp.audit.leaf import raw
from idp.audit.search import Filters
from idp.audit.tables import AuditRecord
from idp.errors import Invalid
from idp.web.boundary import TheService, Transaction
from idp.web.desk import shown, tailing
from idp.web.guards import Acting, insurer_staff
from idp.web.pages import page

router = APIRouter()
MayWatch = Annotated[Acting, Depends(insurer_staff("audit.search"))]
EVERY = 3
"""Seconds between two looks of a page without scripts."""
TIMES = 100
"""Its looks without a click, five minutes: asking counts as being there, so a page left alone must fall silent."""
_QUARTER = timedelta(minutes=15)


@router.get("/security/tail", include_in_schema=False)
def tail(request: Request, staff: MayWatch, db: Transaction) -> Response:
    """Show the newest 50 matches; they change by themselves, by a script or because the page asks again."""
    query = dict(request.query_params.multi_items())
    looked = query.pop("looked", "0")
    if not (looked.isascii() and looked.isdigit() and len(looked) < 8):
        raise Invalid(fields={"looked": "Open the page again."})
    more = int(looked) < TIMES
    filters = _endless(db, staff, query)
    found = search.newest(db, filters)
    _watched(db, staff, filters)
    return page(
        request,
        "audit/tail.html",
        acting=shown.acting(staff),
        rows=found,
        names=shown.names(db, found),
        events=VOCABULARY,
        most=search.PAGE,
        every=EVERY if more else None,
        events_at=shown.address(filters, "/security/tail/events"),
        again=shown.address(filters, "/security/tail", looked=str(int(looked) + 1)),
        onward=shown.address(filters, "/security/tail"),
        stop=shown.address(filters, "/security/tail", looked=str(TIMES)),
        search=shown.address(filters),
        asked_at=clock.now(),
    )


@router.get("/security/tail/events", include_in_schema=False)
def events(request: Request, staff: MayWatch, service: TheService, db: Transaction) -> Response:
    """Send the newest matches whenever they change (server-sent events), for five minutes."""
    filters = _endless(db, staff, dict(request.query_params.multi_items()))
    who = tailing.Watcher(staff.visitor.account.id, staff.visitor.session.id, staff.provider.id)
    tailing.room(service, who)
    _watched(db, staff, filters)
    return StreamingResponse(
        _told(tailing.rows(service, who, filters)),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _told(changes: AsyncIterator[str | None]) -> AsyncIterator[bytes]:
    """Write each change as an event; a line that is none where nothing changed, which finds out who has left."""
    async for rows in changes:
        yield b": nothing new\n\n" if rows is None else b"event: rows\ndata: %b\n\n" % orjson.dumps(rows)
    yield b"event: over\ndata: {}\n\n"


def _endless(db: Db, staff: Acting, query: dict[str, str]) -> Filters:
    filters = search.read(query, reader=humans.same(db, staff.visitor.account.id))
    if filters.until is not None:
        raise Invalid(fields={"until": "What comes has no end: leave it out."})
    return filters


def _watched(db: Db, staff: Acting, filters: Filters) -> None:
    """Record that somebody watches, unless their session's last quarter of an hour says so."""
    details: dict[str, Any] = {"filters": filters.given()}
    before = select(AuditRecord.leaf).where(
        col(AuditRecord.session_id) == staff.visitor.session.id,
        col(AuditRecord.event) == "audit.log.watched",
        col(AuditRecord.at) > clock.now() - _QUARTER,
    )
    if not any(orjson.loads(raw(leaf)).get("details") == details for leaf in db.execute(before).scalars()):
        log.record(db, Event("audit.log.watched", details=details))
