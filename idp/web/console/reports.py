"""Reports over the API: who has what as of any moment, what changed, who is idle, people by functions."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

from fastapi import Query
from pydantic import AwareDatetime

from idp import clock
from idp.errors import Invalid
from idp.wam import reports
from idp.web.boundary import Transaction
from idp.web.console.bodies import Rows
from idp.web.console.caller import Sees
from idp.web.console.paging import After, Cursor, Limit
from idp.web.console.routing import part
from idp.web.manager.guard import lines_seen
from idp.web.manager.reports import HISTORY, MOST

router = part()
On = Annotated[AwareDatetime | None, Query(description="A past moment with zone; now when left out.")]


@router.get("/reports/access")
def access(db: Transaction, acting: Sees, *, on: On = None, limit: Limit = 100, after: After = "") -> Rows:
    """List who has, or at a past moment had, what; looking is recorded."""
    at = _at(on)
    had = reports.as_of(db, acting.provider.id, lines_seen(db, acting), at)
    reports.looked(db, acting.provider.id, "wam.report.viewed", at=clock.iso(at), rows=len(had))
    cursor = Cursor(db, acting, "access", on=clock.iso(on) if on else "")
    rows, further = cursor.cut(
        had, lambda h: [h.name.lower(), h.account_id, h.line, h.function, h.grant_id], after, limit
    )
    return Rows(total=len(had), rows=[asdict(row) for row in rows], next=further)


@router.get("/reports/history")
def history(db: Transaction, acting: Sees, *, limit: Limit = 100, after: After = "") -> Rows:
    """List what began and ended in the last twelve months, newest first; looking is recorded."""
    steps = reports.history(
        db,
        acting.provider.id,
        lines_seen(db, acting),
        since=clock.now() - HISTORY,
        most=MOST,
    )
    reports.looked(db, acting.provider.id, "wam.report.viewed", kind="history", rows=len(steps))
    cursor = Cursor(db, acting, "history")
    rows, further = cursor.cut(steps, lambda s: [-clock.micros(s.at), s.grant_id, s.what], after, limit)
    return Rows(total=len(steps), rows=[asdict(row) for row in rows], next=further)


@router.get("/reports/idle")
def idle(db: Transaction, acting: Sees) -> dict[str, Any]:
    """List who works here and was not seen for 60 days."""
    found = reports.idle(db, acting.provider.id)
    return {
        "days": reports.IDLE.days,
        "more": len(found) >= reports.IDLE_SHOWN,
        "people": [{"account": who.id, "name": who.display_name, "last_seen_at": seen} for who, seen in found],
    }


@router.get("/reports/matrix")
def matrix(
    db: Transaction,
    acting: Sees,
    *,
    on: On = None,
    page: Annotated[int, Query(ge=1, le=1000)] = 1,
) -> dict[str, Any]:
    """Show people by functions as of a moment, 25 people and 12 functions a page; looking is recorded."""
    at = _at(on)
    had = reports.as_of(db, acting.provider.id, lines_seen(db, acting), at)
    reports.looked(db, acting.provider.id, "wam.report.viewed", at=clock.iso(at), rows=len(had), kind="matrix")
    found = reports.matrix(had, page=page)
    return {
        "functions": list(found.functions),
        "people": [
            {"account": row.account_id, "name": row.name, "has": list(row.has), "paused": list(row.paused)}
            for row in found.rows
        ],
        "page": found.page,
        "pages": found.pages,
    }


def _at(on: datetime | None) -> datetime:
    now = clock.now()
    if on is not None and on > now:
        raise Invalid(fields={"on": "Ask about a moment that is not to come."})
    return on or now
