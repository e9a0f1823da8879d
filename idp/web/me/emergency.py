"""Emergency access from the person's own side: say why, start, give it back (break glass)."""

from typing import Any

from fastapi import APIRouter, Request, Response
from sqlmodel import Session as Db

from idp import clock, configuration
from idp.accounts.assurance import AAL2, meets
from idp.entitlements import catalog
from idp.errors import Conflict, Invalid, NotEntitled, NotFound, StepUp
from idp.wam import emergency, emergency_bars
from idp.web import pages
from idp.web.boundary import Transaction
from idp.web.forms import TheForm
from idp.web.guards import SignedIn, Visitor
from idp.web.me import access
from idp.web.scopes import LINE_NAMES

router = APIRouter()
_TEMPLATE = "account/emergency.html"


@router.get("/account/access/{p}/emergency")
def page(request: Request, db: Transaction, by: SignedIn, p: str) -> Response:
    """Say what it is for and what it brings; show the one that runs."""
    _fresh(db, by)
    return pages.page(request, _TEMPLATE, **_facts(db, by, p))


@router.post("/account/access/{p}/emergency")
def start(request: Request, db: Transaction, by: SignedIn, p: str, form: TheForm) -> Response:
    """Take it, for four hours at most; every access manager is told."""
    _fresh(db, by)
    facts = _facts(db, by, p)
    line, reason = form.of("line", "reason")
    try:
        if form.get("what") == "end":
            _give_back(db, by, p)
        else:
            if line not in facts["offered"]:
                _wrong_line()
            emergency.start(db, account_id=by.account.id, provider_id=p, line=line, reason=reason)
    except (Invalid, Conflict, NotEntitled) as problem:
        problem.page, problem.context = _TEMPLATE, facts | {"problem": problem.detail, "reason": reason[:300]}
        raise
    return pages.go(request, f"/account/access/{p}/emergency")


def _give_back(db: Db, by: Visitor, p: str) -> None:
    use = emergency.running(db, by.account.id, p)
    if use is None:
        raise Conflict("It is over already.")
    emergency.end(db, use, by=by.account.id)


def _wrong_line() -> None:
    raise Invalid(fields={"line": "Choose one of the lines of business on this page."})


def _fresh(db: Db, by: Visitor) -> None:
    """Require a second step just used: whoever finds an open browser gets nothing by this."""
    age, proved = configuration.current(db).clocks.factor_fresh, by.session.factor_time
    if not meets(by.session.acr, AAL2) or proved is None or clock.now() >= proved + age:
        seconds = int(age.total_seconds())
        raise StepUp("Confirm it's you. You come straight back to this page.", acr=AAL2, max_age=seconds)


def _facts(db: Db, by: Visitor, p: str) -> dict[str, Any]:
    practice = next((one for one in access.practices(db, by.account.id) if one.provider.id == p), None)
    if practice is None:
        raise NotFound
    offered = {}
    for line in access.open_lines(db, p):
        found = emergency.functions(db, by.account.id, p, line)
        if found:
            offered[line] = [function.name for function in found.values()]
    use, bar = emergency.running(db, by.account.id, p), emergency_bars.standing(db, by.account.id, p)
    names = {e.key: e.name for e in catalog.everything(db, insurer_side=False)}
    return {
        "practice": practice.provider,
        "outside": practice.affiliation.partner_id is not None,
        "managers": practice.managers,
        "offered": offered,
        "line_names": LINE_NAMES,
        "use": use,
        "barred": emergency_bars.sentence(db, bar) if bar else None,
        "taken": [names.get(str(key), str(key)) for key in use.functions] if use else [],
        "hours": int(configuration.current(db).clocks.emergency.total_seconds() // 3600),
        "problem": None,
        "reason": "",
    }
