"""The security desk asks who could do something for a practice on a day, and why or why not (SE-6)."""

import csv
import io
from collections.abc import Iterator
from datetime import date, datetime
from typing import Annotated, Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Request, Response
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock
from idp.audit import log
from idp.audit.events import Event
from idp.database import of
from idp.entitlements.decision import Question
from idp.entitlements.question import LINES
from idp.entitlements.sentences import sentence
from idp.entitlements.tables import Entitlement
from idp.errors import Invalid
from idp.providers.tables import Provider
from idp.web import dates, givers
from idp.web.boundary import Transaction, service_of
from idp.web.desk import reading, who_table
from idp.web.forms import TheForm
from idp.web.guards import Acting, insurer_staff
from idp.web.manager.views import LINE_NAMES
from idp.web.pages import go, page

router = APIRouter()
MayLook = Annotated[Acting, Depends(insurer_staff("audit.search"))]
MayExport = Annotated[Acting, Depends(insurer_staff("audit.export"))]
PATH = "/security/who"
NAMES = ("function", "provider", "line", "day")


@router.get(PATH, include_in_schema=False)
def who_page(request: Request, staff: MayLook, db: Transaction) -> Response:
    """Show everybody who could, as the address asks; the question itself is recorded."""
    given = _query(request, {*NAMES, "after"})
    if not given:
        return page(request, "audit/who.html", **_frame(staff, db), given={}, typed={}, fields={}, found=None)
    question, starts, ends = _asked(given, of(db).settings.time_zone)
    found = who_table.find(db, question, starts, ends, given.get("after", ""))
    both = (*found.found, *found.held)
    names = who_table.names_of(db, [name for name, _ in both])
    practice = db.get(Provider, question.provider_id)
    rest = {name: given[name] for name in NAMES if name in given}
    return page(
        request,
        "audit/who.html",
        **_frame(staff, db),
        given=given | ({"provider": practice.name} if practice else {}),
        typed={},
        fields={},
        found=found,
        starts=starts,
        ends=ends,
        now=clock.now(),
        line=question.asked_line,
        names=names,
        function=db.get(Entitlement, question.entitlement),
        practice=practice,
        by=givers.names(db, [one for _, all_of in both for period in all_of for one in period.sources]),
        rows=[(name, period, _why(rest, name, period.starts_at)) for name, all_of in found.found for period in all_of],
        held=[(name, period, _why(rest, name, period.starts_at)) for name, all_of in found.held for period in all_of],
        said=sentence,
        moment=clock.from_micros,
        further=f"{PATH}?{urlencode({**rest, 'after': found.goes_on})}" if found.goes_on else None,
        csv=f"{PATH}.csv?{urlencode(rest)}",
    )


@router.post(PATH, include_in_schema=False)
def who_form(request: Request, staff: MayLook, db: Transaction, form: TheForm) -> Response:
    """Turn what was typed into ids, so that no name stands in an address, and go there."""
    typed = {name: form[name].strip() for name in NAMES if name in form and form[name].strip()}
    try:
        _complete(typed)
        zone = ZoneInfo(service_of(request).settings.time_zone)
        given = typed | reading.understood(db, {"provider": typed["provider"]}, zone)
        _day(typed["day"])
    except Invalid as refusal:
        refusal.page = "audit/who.html"
        refusal.context = _frame(staff, db) | {"given": {}, "typed": typed, "found": None}
        raise
    return go(request, f"{PATH}?{urlencode(given)}")


@router.get(f"{PATH}.csv", include_in_schema=False)
def who_csv(request: Request, staff: MayExport, db: Transaction) -> Response:
    """Export the whole answer as a table."""
    question, starts, ends = _asked(_query(request, set(NAMES)), of(db).settings.time_zone)
    log.record(db, Event("audit.log.exported", details={"form": "who", "day": clock.iso(starts)}))
    text = "".join(_lines(who_table.rows(db, question, starts, ends)))
    headers = {"Content-Disposition": f'attachment; filename="who-{starts:%Y%m%d}.csv"'}
    return Response(text, media_type="text/csv; charset=utf-8", headers=headers)


def _why(rest: dict[str, str], account: str, at: int) -> str:
    asked = {"account": account, "at": clock.from_micros(at).isoformat()}
    asked |= {name: rest[name] for name in ("function", "provider", "line") if name in rest}
    return "/security/why?" + urlencode(asked)


def _asked(given: dict[str, str], zone: str) -> tuple[Question, datetime, datetime]:
    _complete(given)
    line = given.get("line", "medical")
    if line not in LINES:
        raise Invalid(fields={"line": "Choose a line of business."})
    day = _day(given["day"])
    question = who_table.asked(given["function"], given["provider"], line)
    return question, dates.start_of(day, zone), dates.end_of(day, zone)


def _complete(given: dict[str, str]) -> None:
    missing = {name: "Fill this in." for name in ("function", "provider", "day") if not given.get(name)}
    if missing:
        raise Invalid(fields=missing)


def _day(typed: str) -> date:
    """Read a day as the desk's people count it: in the zone of the pages, as all their times."""
    for form in ("%Y-%m-%d", "%m/%d/%Y"):
        try:
            day = datetime.strptime(typed, form).date()  # noqa: DTZ007 - a day has no zone
        except ValueError:
            continue
        if 1990 <= day.year <= 2100:
            return day
    raise Invalid(fields={"day": "Enter a day such as 11/21/2026."})


def _query(request: Request, known: set[str]) -> dict[str, str]:
    given: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name in given or name not in known or len(value) > 256:
            raise Invalid(fields={name: "This can't be asked."})
        given[name] = value
    return given


def _frame(staff: Acting, db: Db) -> dict[str, Any]:
    functions = db.exec(select(Entitlement).order_by(col(Entitlement.app), col(Entitlement.name))).all()
    return {
        "acting": {"name": staff.provider.name, "tin_last4": None, "id": staff.provider.id},
        "functions": functions,
        "line_names": LINE_NAMES,
    }


def _lines(rows: Iterator[list[str]]) -> Iterator[str]:
    for row in rows:
        text = io.StringIO()
        csv.writer(text).writerow(row)
        yield text.getvalue()
