"""One practice from the person's own side: what I may do, who controls it, ask for more, give back (RU-5, T-18)."""

from typing import Any

from fastapi import APIRouter, Request, Response
from sqlmodel import Session as Db

from idp.entitlements.tables import Entitlement
from idp.errors import Conflict, Invalid, NotFound, TooMany
from idp.wam import receipts, requests
from idp.web import pages, promised, saved
from idp.web.boundary import Transaction
from idp.web.forms import TheForm
from idp.web.guards import SignedIn
from idp.web.manager import views
from idp.web.me import access

router = APIRouter()
ANSWERS = 10
"""Answers the page shows, the newest."""


@router.get("/account/access/{p}")
def mine(request: Request, db: Transaction, by: SignedIn, p: str, ask: str = "") -> Response:
    """Show my access at one practice: from whom, since, until, who controls it, and what I asked for.

    `ask` is the line and function that an app refused, `medical:claim.status.view`: the form has it chosen.
    """
    facts = _facts(db, by.account.id, p)
    return pages.page(request, "account/access.html", **facts | {"chosen": ask, "refused": _refused(db, facts, ask)})


def _refused(db: Db, facts: dict[str, Any], asked: str) -> dict[str, Any] | None:
    """Return what to say of the function an app refused; None where it is none of this practice, or is held."""
    line, _, key = asked.partition(":")
    name = {e.key: e.name for e in access.catalogue(db)}.get(key)
    held = [f.line for f in facts["practice"].functions if f.name == name]
    if name is None or line not in views.LINE_NAMES or views.LINE_NAMES[line] in held:
        return None
    managers = dict(facts["controls"]).get(views.LINE_NAMES[line], [])
    askable = any(line == of and f.key == key for of, found in facts["choices"] for f in found)
    return {"name": name, "line": views.LINE_NAMES[line], "held": held, "managers": managers, "askable": askable}


@router.get("/account/access/{p}/receipt")
def read(request: Request, db: Transaction, by: SignedIn, p: str) -> Response:
    """Show the signed receipt of what taking up the invitation gave me, in plain words."""
    made = receipts.joined(db, p, by.account.id)
    if made is None:
        raise NotFound
    here = f"/account/access/{p}"
    told = promised.of_practice(made, save=f"{here}/receipt.json", back=(here, "Back to my access"))
    return promised.page(request, db, made.promise, told, area="account", current="Home")


@router.get("/account/access/{p}/receipt.json", include_in_schema=False)
def receipt(db: Transaction, by: SignedIn, p: str) -> Response:
    """Give out the log's signed promise of what taking up the invitation gave me."""
    made = receipts.joined(db, p, by.account.id)
    if made is None:
        raise NotFound
    return saved.signed(made.id, made.promise)


@router.post("/account/access/{p}/ask")
def ask(request: Request, db: Transaction, by: SignedIn, p: str, form: TheForm) -> Response:
    """Ask an access manager for a function."""
    line, _, entitlement = form.get("function", "").partition(":")
    note = form.get("note", "")
    try:
        requests.ask(db, account_id=by.account.id, provider_id=p, line=line, entitlement=entitlement, note=note)
    except (Invalid, Conflict, TooMany) as problem:
        facts = _facts(db, by.account.id, p) | {"problem": problem.detail, "note": note[:200]}
        problem.page, problem.context = "account/access.html", facts | {"chosen": form.get("function", "")}
        raise
    return pages.go(request, f"/account/access/{p}")


@router.post("/account/access/{p}/give-back")
def give_back(request: Request, db: Transaction, by: SignedIn, p: str, form: TheForm) -> Response:
    """Give a function back, at once."""
    line, _, entitlement = form.get("function", "").partition(":")
    requests.give_up(db, account_id=by.account.id, provider_id=p, line=line, entitlement=entitlement)
    return pages.go(request, f"/account/access/{p}")


@router.post("/account/access/{p}/take-back/{x}")
def take_back(request: Request, db: Transaction, by: SignedIn, form: TheForm, *, p: str, x: str) -> Response:
    """Take my request back; somebody else's looks like one that is not there."""
    if not requests.withdraw(db, x, by.account.id):
        raise NotFound
    return pages.go(request, f"/account/access/{p}")


def _facts(db: Db, account_id: str, p: str) -> dict[str, Any]:
    practice = next((one for one in access.practices(db, account_id) if one.provider.id == p), None)
    if practice is None:
        raise NotFound
    names = {e.key: e.name for e in access.catalogue(db)}
    lines = access.open_lines(db, p)
    choices: list[tuple[str, list[Entitlement]]] = [(line, requests.askable(db, account_id, p, line)) for line in lines]
    waiting = requests.of_person(db, account_id, p, waiting=True)
    answered = requests.of_person(db, account_id, p, waiting=False)
    return {
        "practice": practice,
        "receipt": receipts.joined(db, p, account_id),
        "controls": access.controls(db, p, practice.affiliation.partner_id),
        "choices": [(line, found) for line, found in choices if found],
        "waiting": [(one, names.get(one.entitlement, "")) for one in waiting],
        "answered": [(one, names.get(one.entitlement, "")) for one in answered[:ANSWERS]],
        "more_answered": len(answered) > ANSWERS,
        "problem": None,
        "note": "",
        "chosen": "",
        "refused": None,
        "line_names": views.LINE_NAMES,
    }
