"""Reports of a practice: who has what on any day, what changed, who is idle; as a page and as CSV (W-8)."""

# ruff: noqa: FAST003 - the guard in the signature takes `p`

import csv
import io
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response
from sqlmodel import Session as Db

from idp import clock
from idp.audit.forms.csv_line import safe
from idp.database import of
from idp.errors import Invalid
from idp.wam import reports
from idp.web import dates, pages
from idp.web.boundary import Transaction
from idp.web.guards import Acting
from idp.web.manager import jobs, views
from idp.web.manager.guard import Sees, lines_seen

router = APIRouter()
router.include_router(jobs.router)
PAGE = 100
HISTORY = timedelta(days=365)
MOST = 50_000
"""Lines of one export."""


@router.get("/p/{p}/reports")
def report(request: Request, db: Transaction, acting: Sees, *, day: str = "", page: int = 1) -> Response:
    """Show who has, or on a past day had, what; looking is recorded."""
    frame = views.frame(db, acting.provider, acting.visitor.account.id)
    lines = frame["seen_lines"]
    try:
        at = _moment(db, day)
    except Invalid as problem:
        problem.page, problem.context = "wam/reports.html", _facts(db, acting, [], clock.now(), day="", page=1) | frame
        raise
    had = reports.as_of(db, acting.provider.id, lines, at)
    reports.looked(db, acting.provider.id, "wam.report.viewed", at=clock.iso(at), rows=len(had))
    return pages.page(request, "wam/reports.html", **_facts(db, acting, had, at, day=day, page=page), **frame)


@router.get("/p/{p}/reports/matrix")
def matrix(request: Request, db: Transaction, acting: Sees, *, day: str = "", page: int = 1) -> Response:
    """Show people by functions, now or on a past day, as a picture and as a table; looking is recorded."""
    frame = views.frame(db, acting.provider, acting.visitor.account.id)
    at, shown = clock.now(), ""
    try:
        at, shown = _moment(db, day), day
    except Invalid as problem:
        empty = _drawn(reports.matrix([]))
        problem.page, problem.context = "wam/matrix.html", {"at": at, "day": day, **empty} | frame
        raise
    had = reports.as_of(db, acting.provider.id, frame["seen_lines"], at)
    reports.looked(db, acting.provider.id, "wam.report.viewed", at=clock.iso(at), rows=len(had), kind="matrix")
    facts = _drawn(reports.matrix(had, page=page))
    return pages.page(request, "wam/matrix.html", at=at, day=shown, **facts, **frame)


def _drawn(found: reports.Matrix) -> dict[str, Any]:
    """Return the picture's measures: 26 px cells on 42 px columns, heads at an angle above them."""
    left, top, across, down = 190, 150, 42, 26
    most = max((sum(row.has) for row in found.rows), default=0)
    widest = ", ".join(row.name for row in found.rows if sum(row.has) == most) if most else ""
    return {
        "matrix": found,
        "left": left,
        "top": top,
        "across": across,
        "down": down,
        "width": left + across * len(found.functions) + 90,
        "height": top + down * len(found.rows) + 8,
        "finding": f"Most here: {widest}, with {most} of these {len(found.functions)} functions."
        if most
        else "Nobody could do anything.",
    }


@router.get("/p/{p}/reports/access.csv", include_in_schema=False)
def access_csv(request: Request, db: Transaction, acting: Sees, *, day: str = "") -> Response:
    """Export who has what on a day; exporting is recorded."""
    lines = lines_seen(db, acting)
    zone, at = of(db).settings.time_zone, _moment(db, day)
    had = reports.as_of(db, acting.provider.id, lines, at)
    head = ["Name", "Line of business", "Function", "Given by", "Since", "Until", "Paused", "Id"]
    rows = [
        [
            h.name,
            views.LINE_NAMES[h.line],
            h.function,
            h.given_by,
            h.since.astimezone(ZoneInfo(zone)).date().isoformat(),
            dates.last_day(h.until, zone).isoformat() if h.until else "",
            "yes" if h.paused else "",
            h.grant_id,
        ]
        for h in had
    ]
    reports.looked(db, acting.provider.id, "wam.report.exported", kind="access", at=clock.iso(at), rows=len(rows))
    return sheet("access", [head, *rows])


@router.get("/p/{p}/reports/history.csv", include_in_schema=False)
def history_csv(request: Request, db: Transaction, acting: Sees) -> Response:
    """Export what was given and ended in the last year; exporting is recorded."""
    lines = lines_seen(db, acting)
    steps = reports.history(db, acting.provider.id, lines, since=clock.now() - HISTORY, most=MOST)
    head = ["When", "Name", "Line of business", "Function", "What", "By", "Reason", "Id"]
    rows = [
        [clock.iso(s.at), s.name, views.LINE_NAMES[s.line], s.function, s.what, s.by, s.reason, s.grant_id]
        for s in steps
    ]
    reports.looked(db, acting.provider.id, "wam.report.exported", kind="history", rows=len(rows))
    cut = [[f"Not all: the newest {MOST:,} changes. The practice's log has the others, by dates."]]
    return sheet("history", [head, *rows, *(cut if len(rows) >= MOST else [])])


@router.get("/p/{p}/reports/idle.csv", include_in_schema=False)
def idle_csv(request: Request, db: Transaction, acting: Sees) -> Response:
    """Export everybody who was not seen for long, the longest first; exporting is recorded."""
    zone = of(db).settings.time_zone
    found = reports.idle(db, acting.provider.id, most=None)
    rows = [
        [who.display_name, seen.astimezone(ZoneInfo(zone)).date().isoformat() if seen else "never", who.id]
        for who, seen in found
    ]
    reports.looked(db, acting.provider.id, "wam.report.exported", kind="idle", rows=len(rows))
    return sheet("idle", [["Name", "Last seen", "Id"], *rows])


def _facts(db: Db, acting: Acting, had: list[reports.Had], at: datetime, *, day: str, page: int) -> dict[str, Any]:
    pages_of = max(1, -(-len(had) // PAGE))
    page = min(max(1, page), pages_of)
    now, idle = clock.now(), reports.idle(db, acting.provider.id)
    return {
        "had": had[(page - 1) * PAGE : page * PAGE],
        "total": len(had),
        "people": len({h.account_id for h in had}),
        "at": at,
        "past": at < now - timedelta(minutes=1),
        "day": day,
        "page": page,
        "pages": pages_of,
        "address": f"?day={day}&" if day else "?",
        "steps": reports.history(
            db,
            acting.provider.id,
            lines_seen(db, acting),
            since=now - HISTORY,
            most=20,
        ),
        "idle": idle[:50],
        "idle_total": len(idle),
        "idle_more": len(idle) >= reports.IDLE_SHOWN,
        "idle_days": reports.IDLE.days,
        "problem": None,
    }


def _moment(db: Db, day: str) -> datetime:
    """Return the end of a past day as people mean it, or now; raise Invalid for one that is to come."""
    now = clock.now()
    if not day.strip():
        return now
    end = dates.end_of(dates.typed_day(day, "day"), of(db).settings.time_zone) - timedelta(microseconds=1)
    if end - timedelta(days=1) > now:
        raise Invalid(fields={"day": "Enter a day that is not to come."})
    return min(end, now)


def sheet(name: str, rows: list[list[str]]) -> Response:
    """Return rows as a CSV file of which no cell runs in a spreadsheet."""
    made = io.StringIO()
    writer = csv.writer(made)
    for row in rows:
        writer.writerow([safe(cell) for cell in row])
    return Response(
        made.getvalue(),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}.csv"', "Cache-Control": "no-store"},
    )
