"""The catalogue: functions, what each asks, and new versions: edit, see who gains and loses, publish for a day."""

from typing import Any

from fastapi import APIRouter, Request, Response
from sqlmodel import Session as Db
from sqlmodel import select

from idp.catalogue import functions
from idp.catalogue.tables import CatalogueChange
from idp.entitlements import catalog, gives
from idp.entitlements.tables import Entitlement
from idp.errors import Conflict, Invalid
from idp.web import pages
from idp.web.boundary import Transaction
from idp.web.forms import Form, TheForm
from idp.web.guards import Acting
from idp.web.insurer import shared
from idp.web.insurer.shared import MayEdit

router = APIRouter()
PATH = "/insurer/catalogue"
NEEDS = {
    "licence": "A licensed clinician at the practice",
    "credentialed": "A credentialed clinician at the practice",
    "capitation": "Capitation as the practice's payment",
}


@router.get(PATH, include_in_schema=False)
def listed(request: Request, staff: MayEdit, db: Transaction) -> Response:
    """List every function with what it asks and what waits for its day."""
    waits = {
        row.entitlement: row
        for row in db.exec(select(CatalogueChange)).all()
        if row.applied_at is None and row.withdrawn_at is None
    }
    return pages.page(request, "insurer/catalogue.html", waits=waits, **shared.frame(db, staff))


@router.get(f"{PATH}/{{key}}", include_in_schema=False)
def one(request: Request, staff: MayEdit, db: Transaction, key: str) -> Response:
    """Show a function with its versions, to change it."""
    found = functions.find(db, key)
    return pages.page(request, "insurer/function.html", **_facts(db, staff, found, functions.facts(found)))


@router.post(f"{PATH}/{{key}}/check", include_in_schema=False)
def check(request: Request, staff: MayEdit, db: Transaction, key: str, form: TheForm) -> Response:
    """Show what would change for whom; nothing is published."""
    found, wanted = functions.find(db, key), _wanted(form)
    try:
        change = functions.check(db, key, wanted)
        effective = shared.first_moment(db, form.get("effective", ""))
    except Invalid as problem:
        problem.page = "insurer/function.html"
        problem.context = _facts(db, staff, found, wanted, form)
        raise
    facts = shared.told(db, functions.impact(db, key, change))
    return pages.page(
        request,
        "insurer/function_check.html",
        function=found,
        change=_words(functions.facts(found), change),
        effective=effective,
        fields_sent=form.many,
        **(facts | shared.frame(db, staff)),
    )


@router.post(f"{PATH}/{{key}}", include_in_schema=False)
def publish(request: Request, staff: MayEdit, db: Transaction, key: str, form: TheForm) -> Response:
    """Publish the version that was previewed, for its day; or take back the one that waits."""
    found, by = functions.find(db, key), staff.visitor.account.id
    try:
        if form.get("do") == "withdraw":
            functions.withdraw(db, key, by=by)
        else:
            effective = shared.first_moment(db, form.get("effective", ""))
            functions.publish(db, key, _wanted(form), effective_at=effective, reason=form.get("reason", ""), by=by)
    except (Invalid, Conflict) as problem:
        problem.page = "insurer/function.html"
        problem.context = _facts(db, staff, found, functions.facts(found), form) | {"problem": problem.detail}
        raise
    return pages.go(request, f"{PATH}/{key}")


def _wanted(form: Form) -> dict[str, Any]:
    """Return the wished values of a form, of the types the catalogue keeps."""

    def number(name: str) -> int:
        text = form.get(name, "")
        return int(text) if text.isascii() and text.isdigit() and len(text) < 3 else 0

    return {
        "name": form.get("name", ""),
        "sensitivity": number("sensitivity"),
        "fresh": form.get("fresh") == "yes",
        "ial": number("ial"),
        "non_participating": form.get("non_participating") == "yes",
        "shared": form.get("shared", ""),
        "purposes": form.list_of("purposes"),
        "needs": form.list_of("needs"),
    }


def _words(now: dict[str, Any], change: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return what changes, from what, to what."""
    labels = {
        "name": "Name",
        "sensitivity": "Shows or moves",
        "fresh": "Second step within 15 minutes",
        "ial": "Identity proven to level",
        "non_participating": "Also for practices outside the network",
        "shared": "On shared accounts handled by",
        "purposes": "Asks for a purpose",
        "needs": "Needs",
    }

    def said(value: Any) -> str:
        if isinstance(value, bool):
            return "yes" if value else "no"
        return ", ".join(value) or "nothing" if isinstance(value, list) else str(value)

    return [(labels[name], said(now[name]), said(value)) for name, value in change.items()]


def _facts(
    db: Db, staff: Acting, found: Entitlement, values: dict[str, Any], form: Form | None = None
) -> dict[str, Any]:
    return {
        "function": found,
        "values": values,
        "typed": {
            "effective": form.get("effective", "") if form else "",
            "reason": form.get("reason", "") if form else "",
        },
        "versions": functions.versions(db, found.key),
        "waits": functions.waiting(db, found.key),
        "purposes": gives.PURPOSES if found.purposes else {},
        "needs": NEEDS,
        "handled": functions.HANDLED,
        "all_functions": catalog.everything(db),
        **shared.frame(db, staff),
    }
