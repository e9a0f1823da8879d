"""What happened at a practice, from the log: for its access managers, in their lines (issue 5, W-8)."""

# ruff: noqa: FAST003 - the guard in the signature takes `p`

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from sqlmodel import Session as Db

from idp import clock
from idp.audit import log, search
from idp.audit.events import Event
from idp.database import of
from idp.errors import Invalid
from idp.wam import happened
from idp.wam.happened import Here
from idp.web import dates, pages
from idp.web.boundary import Transaction
from idp.web.guards import Acting
from idp.web.manager import views
from idp.web.manager.guard import Sees
from idp.web.manager.reports import sheet

router = APIRouter()
MOST = 5_000
"""Records of one export."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address asks for, as it was typed."""

    who: str = ""
    kind: str = ""
    outcome: str = ""
    since: str = ""
    until: str = ""

    def query(self, **more: str) -> str:
        """Return it as the query of an address."""
        fields = {name: getattr(self, name) for name in self.__slots__} | more
        return urlencode({name: value for name, value in fields.items() if value})


@router.get("/p/{p}/log")
def shown(request: Request, db: Transaction, acting: Sees, cursor: str | None = None) -> Response:
    """Show a page of it; looking is recorded."""
    asked, frame = _asked(request), views.frame(db, acting.provider, acting.visitor.account.id)
    facts = {"asked": asked, "fields": {}, "listed": None, **_choices(db, acting, asked.who), **frame}
    try:
        filters = _filters(db, acting, asked)
        listed = happened.page(db, filters, _lines(frame), cursor)
    except Invalid as problem:
        problem.page, problem.context = "wam/log.html", facts | {"fields": problem.fields}
        raise
    _recorded(db, filters, "wam.log.viewed", len(listed.rows))
    for name, place in (("newer", listed.found.newer), ("older", listed.found.older)):
        facts[name] = f"?{asked.query(cursor=place)}" if place else None
    return pages.page(request, "wam/log.html", **facts | {"listed": listed})


@router.get("/p/{p}/log.csv", include_in_schema=False)
def exported(request: Request, db: Transaction, acting: Sees) -> Response:
    """Export what the address asks for; exporting is recorded."""
    filters = _filters(db, acting, _asked(request))
    lines = _lines(views.frame(db, acting.provider, acting.visitor.account.id))
    rows = list(happened.every(db, filters, lines, MOST))
    _recorded(db, filters, "wam.log.exported", len(rows))
    head = ["Record", "When", "What", "Who did it", "About", "Function", "Outcome", "Reason", "App"]
    told = [[str(r.seq), clock.iso(r.at), r.what, r.by, r.about, r.function, r.outcome, r.reason, r.app] for r in rows]
    cut = [[f"Not all: the newest {MOST:,} records. Ask for earlier ones by dates."]]
    return sheet("log", [head, *told, *(cut if len(rows) >= MOST else [])])


def _recorded(db: Db, filters: Here, event: str, rows: int) -> None:
    log.record(db, Event(event, provider=filters.provider, details={"filters": filters.given(), "rows": rows}))


def _asked(request: Request) -> Asked:
    query = request.query_params
    return Asked(**{name: query.get(name, "").strip()[:80] for name in Asked.__slots__})


def _filters(db: Db, acting: Acting, asked: Asked) -> Here:
    """Return the filters, within this practice whatever is asked; raise Invalid."""
    zone = of(db).settings.time_zone
    problems: dict[str, str] = {}
    if asked.kind and asked.kind not in happened.KINDS:
        problems["kind"] = "Choose one of these."
    if asked.outcome and asked.outcome not in search.KNOWN:
        problems["outcome"] = "Choose one of these."
    if asked.who and not (asked.who.startswith("acc_") and asked.who.isascii() and asked.who.isprintable()):
        problems["who"] = "Choose one of these people."
    if problems:
        raise Invalid(fields=problems)
    return Here(
        provider=acting.provider.id,
        person=asked.who or None,
        event=asked.kind or None,
        outcome=asked.outcome or None,
        since=dates.start_of(dates.typed_day(asked.since, "since"), zone) if asked.since else None,
        until=dates.end_of(dates.typed_day(asked.until, "until"), zone) if asked.until else None,
    )


def _lines(frame: dict[str, Any]) -> list[str]:
    seen: list[str] = frame["seen_lines"]
    return seen


def _choices(db: Db, acting: Acting, who: str = "") -> dict[str, Any]:
    people = happened.people(db, acting.provider.id)
    known = {one for one, _ in people}
    return {
        "people": [*happened.named(db, acting.provider.id, who), *people] if who and who not in known else people,
        "people_more": len(people) >= happened.PEOPLE,
        "topics": happened.KINDS,
        "outcome_words": [(name, name.replace("_", " ")) for name in search.KNOWN],
        "newer": None,
        "older": None,
    }
