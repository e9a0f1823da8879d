"""The security desk asks who could do something for a practice on a day, and why or why not (SE-6)."""

import csv
import io
from collections.abc import Iterator
from datetime import date, datetime
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock
from idp.database import of
from idp.entitlements.question import LINES
from idp.entitlements.sentences import sentence
from idp.entitlements.tables import Entitlement
from idp.errors import Invalid
from idp.providers.tables import Provider
from idp.web import dates, givers, said_of
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
_NEEDED = {"provider": "Enter a practice.", "day": "Enter a day such as 11/21/2026."}


@router.get(PATH, include_in_schema=False)
def who_page(request: Request, staff: MayLook, db: Transaction) -> Response:
    """Show everybody who could, as the address asks; the question itself is recorded."""
    given = _query(request, {*NAMES, "after"})
    if not given:
        return page(request, "audit/who.html", **_frame(staff, db), given={}, typed={}, fields={}, found=None)
    asked, starts, ends = _asked(given, of(db).settings.time_zone)
    found = who_table.find(db, asked, starts, ends, given.get("after", ""))
    both = (*found.could, *found.held)
    names = who_table.people_of(db, found)
    practice = db.get(Provider, asked.provider)
    rest = {name: given[name] for name in NAMES if given.get(name)}
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
        asked=asked,
        names=names,
        function=db.get(Entitlement, asked.function) if asked.function else None,
        practice=practice,
        by=givers.names(db, [one for row in both for one in row.period.sources]),
        agreements=said_of.named(db, [row.period.decision.agreement or "" for row in both]),
        people=len({row.period.account_id for row in found.could}),
        rows=[(row, _why(rest, row)) for row in _by_name(found.could, names)],
        held=[(row, _why(rest, row)) for row in _by_name(found.held, names)],
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
        given = typed | {"provider": reading.practice(db, typed["provider"])}
        _day(typed["day"])
    except Invalid as refusal:
        refusal.page = "audit/who.html"
        fit = reading.practices(db, typed["provider"]) if "provider" in refusal.fields and "provider" in typed else []
        choices = [(label, f"{PATH}?{urlencode(typed | {'provider': place})}") for place, label in fit]
        refusal.context = _frame(staff, db) | {"given": {}, "typed": typed, "found": None, "choices": choices}
        raise
    return go(request, f"{PATH}?{urlencode(given)}")


@router.get(f"{PATH}.csv", include_in_schema=False)
def who_csv(request: Request, staff: MayExport, db: Transaction) -> Response:
    """Export the whole answer as a table."""
    asked, starts, ends = _asked(_query(request, set(NAMES)), of(db).settings.time_zone)
    who_table.exporting(db, asked, starts, ends)
    lines = _lines(who_table.exported(service_of(request).database, asked, starts, ends))
    headers = {"Content-Disposition": f'attachment; filename="who-{starts:%Y%m%d}.csv"'}
    return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=headers)


def _why(rest: dict[str, str], row: who_table.Row) -> str:
    asked = {"account": row.period.account_id, "at": clock.from_micros(row.period.starts_at).isoformat()}
    asked |= {"function": row.function, "provider": rest["provider"], "line": row.line}
    return "/security/why?" + urlencode(asked)


def _by_name(rows: tuple[who_table.Row, ...], names: dict[str, str]) -> list[who_table.Row]:
    """Sort a page's rows as people read them: a person's together."""
    return sorted(rows, key=lambda row: (names.get(row.period.account_id, "").lower(), row.period.account_id))


def _asked(given: dict[str, str], zone: str) -> tuple[who_table.Asked, datetime, datetime]:
    _complete(given)
    line = given.get("line") or None
    if line is not None and line not in LINES:
        raise Invalid(fields={"line": "Choose a line of business."})
    day = _day(given["day"])
    asked = who_table.Asked(given["provider"], given.get("function") or None, line)
    return asked, dates.start_of(day, zone), dates.end_of(day, zone)


def _complete(given: dict[str, str]) -> None:
    missing = {name: words for name, words in _NEEDED.items() if not given.get(name)}
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
        "function_names": {one.key: one.name for one in functions},
        "reasons": givers.REASONS,
        "line_names": LINE_NAMES,
    }


def _lines(rows: Iterator[list[str]]) -> Iterator[str]:
    for row in rows:
        text = io.StringIO()
        csv.writer(text).writerow(row)
        yield text.getvalue()
