"""What a practice may hold: functions kept from it, with who loses them shown before, and opened again."""

from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request, Response
from sqlmodel import Session as Db

from idp import clock
from idp.catalogue import gate
from idp.errors import Conflict, Invalid
from idp.providers import organisations
from idp.providers.tables import Provider
from idp.web import pages
from idp.web.boundary import Transaction
from idp.web.forms import Form, TheForm
from idp.web.guards import Acting
from idp.web.insurer import shared
from idp.web.insurer.shared import MayEdit

router = APIRouter()
PATH = "/insurer/organizations/{x}/functions"


@router.get(PATH, include_in_schema=False)
def listed(request: Request, staff: MayEdit, db: Transaction, x: str) -> Response:
    """Show what is kept from a practice."""
    return pages.page(request, "insurer/gate.html", **_facts(db, staff, organisations.find(db, x)))


@router.post(f"{PATH}/check", include_in_schema=False)
def check(request: Request, staff: MayEdit, db: Transaction, x: str, form: TheForm) -> Response:
    """Show who would lose the function; nothing is kept yet."""
    provider = organisations.find(db, x)
    line, key, reason, effective = form.of("line", "function", "reason", "effective")
    try:
        gate.check(db, provider.id, line, key, reason)
        _begins(db, effective)
    except Invalid as problem:
        problem.page, problem.context = "insurer/gate.html", _facts(db, staff, provider, form)
        raise
    told = shared.told(db, gate.impact(db, provider.id, line, [key]))
    facts = {
        "typed": {"line": line, "function": key, "reason": reason, "effective": effective},
        "name": shared.names(db)[key],
    }
    return pages.page(request, "insurer/gate_check.html", practice=provider, **(facts | told | shared.frame(db, staff)))


@router.post(PATH, include_in_schema=False)
def keep(request: Request, staff: MayEdit, db: Transaction, x: str, form: TheForm) -> Response:
    """Keep the function from the practice, at once or from a day; or open one again."""
    provider, by = organisations.find(db, x), staff.visitor.account.id
    try:
        if form.get("open"):
            gate.give_back(db, gate.find(db, provider.id, form["open"][:64]), by=by)
        else:
            line, key, reason, effective = form.of("line", "function", "reason", "effective")
            gate.withhold(db, provider.id, line, key, by=by, reason=reason, starts_at=_begins(db, effective))
    except (Invalid, Conflict) as problem:
        problem.page = "insurer/gate.html"
        problem.context = _facts(db, staff, provider, form) | {"problem": problem.detail}
        raise
    return pages.go(request, PATH.format(x=provider.id))


def _begins(db: Db, effective: str) -> datetime | None:
    """Return the typed day's first moment; None for at once. Raises Invalid for a day that has passed."""
    if not effective.strip():
        return None
    starts = shared.first_moment(db, effective)
    if starts <= clock.now():
        raise Invalid(fields={"effective": "Enter a day to come, or leave it empty for now."})
    return starts


def _facts(db: Db, staff: Acting, provider: Provider, form: Form | None = None) -> dict[str, Any]:
    typed = form or Form()
    return {
        "practice": provider,
        "withheld": gate.withheld(db, provider.id),
        "names": shared.names(db),
        "typed": {name: typed.get(name, "") for name in ("line", "function", "reason", "effective")},
        **shared.frame(db, staff),
    }
