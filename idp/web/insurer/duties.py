"""Which functions don't go together, and exceptions: asked for by one of the staff, confirmed by another."""

from typing import Any

from fastapi import APIRouter, Request, Response
from sqlmodel import Session as Db

from idp.catalogue import exceptions
from idp.database import of
from idp.entitlements import duties
from idp.errors import Conflict, Invalid, NotEntitled, NotFound
from idp.wam import roster
from idp.web import dates, pages
from idp.web.boundary import Transaction
from idp.web.forms import Form, TheForm
from idp.web.guards import Acting
from idp.web.insurer import shared
from idp.web.insurer.shared import MayEdit, MayExcept

router = APIRouter()
PATH = "/insurer/duties"


@router.get(PATH, include_in_schema=False)
def listed(request: Request, staff: MayExcept, db: Transaction) -> Response:
    """Show the pairs, and the exceptions that hold or wait for a second word."""
    return pages.page(request, "insurer/duties.html", **_facts(db, staff))


@router.post(f"{PATH}/pairs", include_in_schema=False)
def pair(request: Request, staff: MayEdit, db: Transaction, form: TheForm) -> Response:
    """Add a pair that may not be in one person's hands, or end one."""
    by = staff.visitor.account.id
    with pages.shown_again("insurer/duties.html", lambda: _facts(db, staff, form), Invalid, Conflict):
        if form.get("end"):
            exceptions.end_pair(db, form["end"][:64], by=by)
        else:
            first, second, why = form.of("first", "second", "why")
            exceptions.add_pair(db, first, second, why=why, by=by)
    return pages.go(request, PATH)


@router.post(PATH, include_in_schema=False)
def exception(request: Request, staff: MayExcept, db: Transaction, form: TheForm) -> Response:
    """Ask for an exception, confirm one that a colleague asked for, or take one back."""
    by = staff.visitor.account.id
    with pages.shown_again("insurer/duties.html", lambda: _facts(db, staff, form), Invalid, Conflict, NotEntitled):
        if form.get("confirm"):
            exceptions.confirm(db, exceptions.find(db, form["confirm"][:64]), by=by)
        elif form.get("end"):
            exceptions.end(db, exceptions.find(db, form["end"][:64]), by=by)
        else:
            _ask(db, form, by)
    return pages.go(request, PATH)


def _ask(db: Db, form: Form, by: str) -> None:
    pair_id, account, provider, line, reason, until = form.of("pair", "account", "provider", "line", "reason", "until")
    ends_at = dates.end_of(dates.typed_day(until, "until"), of(db).settings.time_zone)
    try:
        exceptions.ask(
            db,
            pair_id=pair_id,
            account_id=account,
            provider_id=provider,
            line=line,
            reason=reason,
            ends_at=ends_at,
            by=by,
        )
    except NotFound:
        raise Invalid(fields={"account": "Nobody with this id works at a practice with that id."}) from None


def _facts(db: Db, staff: Acting, form: Form | None = None) -> dict[str, Any]:
    typed = form or Form()
    rows = exceptions.listed(db)
    return {
        "pairs": duties.pairs(db),
        "exceptions": rows,
        "names": shared.names(db),
        "staff_names": roster.names_of(
            db, {e.asked_by for e, _, _ in rows} | {e.confirmed_by or "" for e, _, _ in rows}
        ),
        "me": staff.visitor.account.id,
        "typed": {name: typed.get(name, "") for name in ("account", "provider", "line", "reason", "until", "why")},
        **shared.frame(db, staff),
    }
