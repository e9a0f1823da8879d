"""What practices let a company do, and which of its people do it; passing it on to another company (W-6)."""

# ruff: noqa: FAST003 - the guard in the signature takes `c`

from typing import Any

from fastapi import APIRouter, Request, Response
from sqlmodel import Session as Db

from idp.accounts.tables import Account
from idp.entitlements import catalog, chains
from idp.entitlements.tables import Delegation
from idp.errors import Conflict, Invalid, NotEntitled, NotFound
from idp.leaving import delegations as ending
from idp.partners.standing import in_good_standing
from idp.partners.tables import Partner
from idp.providers.tables import Provider
from idp.wam import company, delegating, delegation_lost, delegation_requests, handing_on, receipts, roster
from idp.wam.tables import Receipt
from idp.web import pages, promised, saved, scopes
from idp.web.boundary import Transaction
from idp.web.company import asking, people
from idp.web.company.guard import Decides, For, Looks
from idp.web.forms import Form, TheForm

router = APIRouter()
router.include_router(people.router)
router.include_router(asking.router)


@router.get("/company/{c}")
def received(request: Request, db: Transaction, at: Looks) -> Response:
    """List the practices that let this company work for them, and those that did."""
    entries = [_entry(db, one) for one in company.received(db, at.company.id)]
    live = [one for one in entries if one["row"].ended_at is None]
    past = [one for one in entries if one["row"].ended_at is not None]
    asked = delegation_requests.of_company(db, at.company.id)
    names = {e.key: e.name for e in catalog.everything(db, insurer_side=False)}
    facts: dict[str, Any] = {
        "live": live,
        "past": past,
        "asked": asked,
        "more_asked": len(asked) >= delegation_requests.MOST_SHOWN,
        "names": names,
        "line_names": scopes.LINE_NAMES,
    }
    return pages.page(request, "company/delegations.html", **facts, **_frame(at, db))


@router.get("/company/{c}/delegations/{d}")
def one(request: Request, db: Transaction, at: Looks, d: str) -> Response:
    """Show one delegation: its chain, who of the company works by it, to whom it was passed on."""
    return pages.page(request, "company/delegation.html", **_one_facts(db, at, d))


@router.get("/company/{c}/delegations/{d}/assign")
def choose(request: Request, db: Transaction, at: Decides, d: str, who: str = "") -> Response:
    """Ask who of the company shall work for the practice, for what, where and until when."""
    return pages.page(request, "company/assign.html", **_assign_facts(db, at, d, None, who))


@router.post("/company/{c}/delegations/{d}/assign")
def assign(request: Request, db: Transaction, at: Decides, d: str, form: TheForm) -> Response:
    """Let the person work for the practice, within the delegation."""
    facts = _assign_facts(db, at, d, form, form.get("who", ""))
    if not form.get("who"):
        problem = Invalid(fields={"who": "Choose a person."}, page="company/assign.html", context=facts)
        raise problem
    try:
        company.assign(
            db,
            by=at.visitor.account.id,
            partner_id=at.company.id,
            delegation_id=d,
            account_id=form.get("who", ""),
            scope=scopes.read(db, form, places=bool(facts["places"])),
            form_id=form.get("form_id", ""),
        )
    except (Invalid, NotEntitled, Conflict) as refusal:
        refusal.page, refusal.context = "company/assign.html", facts | {"problem": refusal.detail}
        raise
    return pages.go(request, f"/company/{at.company.id}/delegations/{d}")


@router.post("/company/{c}/delegations/{d}/withdraw")
def withdraw(request: Request, db: Transaction, at: Decides, d: str, form: TheForm) -> Response:
    """Take the practice from one of the company's people, at once."""
    who = form.get("who", "")
    company.withdraw(db, by=at.visitor.account.id, partner_id=at.company.id, delegation_id=d, account_id=who)
    return pages.go(request, f"/company/{at.company.id}/delegations/{d}")


@router.get("/company/{c}/delegations/{d}/pass-on")
def ask(request: Request, db: Transaction, at: Decides, d: str) -> Response:
    """Ask to which company it shall be passed on, and how much of it."""
    return pages.page(request, "company/pass_on.html", **_pass_facts(db, at, d, None))


@router.post("/company/{c}/delegations/{d}/pass-on")
def pass_on(request: Request, db: Transaction, at: Decides, d: str, form: TheForm) -> Response:
    """Pass it on, within it; the practice and the other company are told."""
    facts = _pass_facts(db, at, d, form)
    try:
        handing_on.pass_on(
            db,
            by=at.visitor.account.id,
            partner_id=at.company.id,
            delegation_id=d,
            to=form.get("company", ""),
            scope=scopes.read(db, form, places=bool(facts["places"])),
            redelegable=form.get("redelegable") == "yes",
            form_id=form.get("form_id", ""),
        )
    except (Invalid, NotEntitled, Conflict) as refusal:
        refusal.page, refusal.context = "company/pass_on.html", facts | {"problem": refusal.detail}
        raise
    return pages.go(request, f"/company/{at.company.id}/delegations/{d}")


@router.get("/company/{c}/delegations/{d}/receipt")
def read(request: Request, db: Transaction, at: Looks, d: str, child: str = "") -> Response:
    """Show the signed receipt of giving back, or taking back, in plain words."""
    made = _receipt(db, at, d, child)
    here = f"/company/{at.company.id}/delegations/{d}"
    save = f"{here}/receipt.json" + (f"?child={child}" if child else "")
    own = frozenset(one.id for one in company.people(db, at.company.id))
    told = promised.of_practice(made, save=save, back=(here, "Back to the delegation"), only=own)
    return promised.page(request, db, made.promise, told, area="company", current="Practices", **_frame(at, db))


@router.get("/company/{c}/delegations/{d}/receipt.json", include_in_schema=False)
def receipt(db: Transaction, at: Looks, d: str, child: str = "") -> Response:
    """Give out the log's signed promise of what giving back, or taking back, recorded."""
    made = _receipt(db, at, d, child)
    return saved.signed(made.id, made.promise)


def _receipt(db: Db, at: For, d: str, child: str) -> Receipt:
    """Return the receipt of an end from the companies' side; raise NotFound."""
    found = company.of_company(db, at.company.id, d)
    row = db.get(Delegation, child[:64]) if child else found
    if row is None or (child and row.parent_id != found.id):
        raise NotFound
    made = _ended(db, row)
    if made is None:
        raise NotFound
    return made


@router.get("/company/{c}/delegations/{d}/end")
def ask_end(request: Request, db: Transaction, at: Decides, d: str, child: str = "") -> Response:
    """Show who would lose what when it is given back, or taken back from the company it was passed on to."""
    return pages.page(request, "company/end.html", **_end_facts(db, at, d, child))


@router.post("/company/{c}/delegations/{d}/end")
def end(request: Request, db: Transaction, at: Decides, d: str, form: TheForm) -> Response:
    """Give it back, or take it back; at once, with all that hang on it."""
    child, by, company_id = form.get("child", ""), at.visitor.account.id, at.company.id
    if child:
        company.take_back(db, by=by, partner_id=company_id, delegation_id=d, child_id=child)
    else:
        company.give_back(db, by=by, partner_id=company_id, delegation_id=d)
    return pages.go(request, f"/company/{company_id}/delegations/{d}")


def _ended(db: Db, row: Delegation) -> Receipt | None:
    """Return the receipt of an end that came from the companies' side; the practice's own is the practice's."""
    if row.end_reason not in ("given_back", "taken_back"):
        return None
    return receipts.about(db, row.provider_id, "delegation_end", "delegation", row.id)


def _frame(at: For, db: Db) -> dict[str, Any]:
    return at.frame | {"paused": not in_good_standing(db, at.company.id)}


def _entry(db: Db, row: Delegation) -> dict[str, Any]:
    provider, receiver = db.get(Provider, row.provider_id), db.get(Partner, row.partner_id)
    functions = {e.key: e.name for e in catalog.everything(db, insurer_side=False)}
    places = {place.id: place.name for place in delegating.places(db, row.provider_id)}
    chain = delegating.chain_of(db, row)
    return scopes.shown(db, row, functions, places) | {
        "practice": provider.name if provider else "",
        "company": receiver.name if receiver else "",
        "chain": [name for _, name in chain],
        "stands": all(chains.stands(link) and in_good_standing(db, link.partner_id) for link, _ in chain),
        "people": len(company.workers(db, row)),
    }


def _one_facts(db: Db, at: For, d: str) -> dict[str, Any]:
    found = company.of_company(db, at.company.id, d)
    names = {e.key: e.name for e in catalog.everything(db, insurer_side=False)}
    places = {place.id: place.name for place in delegating.places(db, found.provider_id)}
    workers = [
        {
            "who": w.account,
            "functions": sorted({names.get(g.entitlement, g.entitlement) for g in w.functions}),
            "places": None if w.places is None else [places.get(p, "a place") for p in w.places],
            "until": max((g.expires_at for g in w.functions if g.expires_at), default=None),
        }
        for w in company.workers(db, found)
    ]
    below = [row for row in chains.below(db, found) if row.parent_id == found.id]
    return {
        "one": _entry(db, found),
        "workers": workers,
        "children": [_entry(db, row) | {"receipt": _ended(db, row)} for row in below],
        "receipt": _ended(db, found),
        "may_pass_on": all(link.redelegable for link in chains.of(db, found)),
        "lost": delegation_lost.told(db, found),
        "ended_by": roster.names_of(db, {found.ended_by or ""})[found.ended_by or ""],
        "reasons": delegating.ENDINGS,
        **_frame(at, db),
    }


def _assign_facts(db: Db, at: For, d: str, form: Form | None, who: str) -> dict[str, Any]:
    facts = _scope_facts(db, at, d, form)
    held = next((w for w in company.workers(db, facts["one"]["row"]) if w.account.id == who), None)
    if held is not None and form is None:
        facts["chosen"]["f"] = {g.entitlement for g in held.functions}
        facts["chosen"]["line"] = {g.line_of_business for g in held.functions}
        facts["chosen"]["place"] = set(held.places or ())
        facts["chosen"]["where"] = "all" if held.places is None else "some"
    staff = [one for one in company.people(db, at.company.id) if one.id != at.visitor.account.id]
    return facts | {"staff": staff, "who": who, "person_known": db.get(Account, who) if held else None}


def _pass_facts(db: Db, at: For, d: str, form: Form | None) -> dict[str, Any]:
    facts = _scope_facts(db, at, d, form)
    if not all(link.redelegable for link in chains.of(db, facts["one"]["row"])):
        raise handing_on.NotPassedOn("The practice did not allow passing this on to another company.")
    return facts | {
        "companies": handing_on.choosable(db, facts["one"]["row"]),
        "receiver": form.get("company", "") if form is not None else "",
        "redelegable": form is not None and form.get("redelegable") == "yes",
    }


def _scope_facts(db: Db, at: For, d: str, form: Form | None) -> dict[str, Any]:
    found = company.of_company(db, at.company.id, d)
    if found.ended_at is not None:
        raise NotFound("This delegation has ended.")
    most, functions = company.ceiling(db, found)
    offered = [p for p in delegating.places(db, found.provider_id) if most.locations is None or p.id in most.locations]
    return {
        "one": _entry(db, found),
        "form_id": receipts.new_form_id(),
        "problem": None,
        **_frame(at, db),
        **scopes.choices(db, functions, most.lines, offered, form, most=most.ends_at),
    }


def _end_facts(db: Db, at: For, d: str, child: str) -> dict[str, Any]:
    found = company.of_company(db, at.company.id, d)
    ended = found
    if child:
        below = [row for row in chains.below(db, found) if row.parent_id == found.id and row.id == child]
        if not below:
            raise NotFound
        ended = below[0]
    if ended.ended_at is not None:
        raise NotFound("This delegation has ended already.")
    facts = {"one": _entry(db, ended), "lost": ending.losses(db, ended), "child": child, "delegation_id": d}
    return facts | _frame(at, db)
