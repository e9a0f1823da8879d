"""Outside companies that work for a practice: let one, look, end with a preview of who loses what (W-6)."""

# ruff: noqa: FAST003 - the guard in the signature takes `p`

from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from sqlmodel import Session as Db

from idp.audit import log
from idp.audit.events import Event
from idp.entitlements import catalog
from idp.entitlements.tables import Delegation
from idp.errors import Conflict, Invalid, NotEntitled, NotFound
from idp.partners import members
from idp.partners.standing import in_good_standing
from idp.partners.tables import Partner
from idp.wam import company, delegating, delegation_lost, receipts, roster
from idp.wam.tables import Receipt
from idp.web import pages, scopes
from idp.web.boundary import Transaction
from idp.web.forms import Form, TheForm, in_address
from idp.web.guards import Acting
from idp.web.manager import views
from idp.web.manager.guard import Approves, Sees, lines_seen

router = APIRouter()
COMPANIES = {"third_party": "Billing and other service companies", "administrator": "Benefit administrators"}
"""How the kinds of companies are called."""


@router.get("/p/{p}/delegations")
def delegations(request: Request, db: Transaction, acting: Sees) -> Response:
    """List who may work for the practice, through whom, and who could once."""
    frame = views.frame(db, acting.provider, acting.visitor.account.id)
    entries = [_entry(db, acting.provider.id, one) for one in _listed(db, acting)]
    live = [one for one in entries if one["row"].ended_at is None]
    past = [one for one in entries if one["row"].ended_at is not None]
    return pages.page(request, "wam/delegations.html", live=live, past=past, **frame)


@router.get("/p/{p}/delegations/new")
def choose(request: Request, db: Transaction, acting: Approves) -> Response:
    """Step 1: which company, for what, where and until when. Choices live in the address, so back keeps them."""
    return pages.page(request, "wam/delegation_new.html", **_new_facts(db, acting, _chosen(request)))


@router.get("/p/{p}/delegations/new/check")
def check(request: Request, db: Transaction, acting: Approves) -> Response:
    """Step 2: who could do what from then on, before anything happens."""
    form = in_address(request)
    facts = _new_facts(db, acting, form)
    with pages.shown_again("wam/delegation_new.html", facts, Invalid, NotEntitled):
        shown = _check_facts(request, db, acting, form, places=bool(facts["places"]))
    return pages.page(request, "wam/delegation_check.html", **shown)


@router.post("/p/{p}/delegations/new/check")
def delegate(request: Request, db: Transaction, acting: Approves, form: TheForm) -> Response:
    """Step 3: let the company work for the practice; both sides are told."""
    chosen = in_address(request)
    facts = _new_facts(db, acting, chosen)
    with pages.shown_again("wam/delegation_new.html", facts, Invalid, NotEntitled):
        made = delegating.delegate(
            db,
            by=acting.visitor.account.id,
            provider_id=acting.provider.id,
            partner_id=chosen.get("company", ""),
            scope=scopes.read(db, chosen, places=bool(facts["places"])),
            redelegable=chosen.get("redelegable") == "yes",
            form_id=form.get("form_id", ""),
        )
    receipt = receipts.earlier(db, acting.visitor.account.id, form.get("form_id", ""))
    return pages.go(
        request, f"/p/{acting.provider.id}/delegations/{made.id}" + (f"?receipt={receipt.id}" if receipt else "")
    )


@router.get("/p/{p}/delegations/{d}")
def one(request: Request, db: Transaction, acting: Sees, d: str, receipt: str = "") -> Response:
    """Show a delegation: its chain, its people, what hangs on it; with its receipt, that it is made. It is recorded."""
    found = delegating.of_practice(db, acting.provider.id, d, lines_seen(db, acting))
    made = _receipt(db, acting, found, receipt) if receipt else None
    if found.ended_at is not None:
        made = receipts.about(db, acting.provider.id, "delegation_end", "delegation", found.id)
    log.record(db, Event("wam.delegation.viewed", provider=acting.provider.id, details={"delegation": found.id}))
    return pages.page(request, "wam/delegation.html", receipt=made, **_one_facts(db, acting, found))


@router.get("/p/{p}/delegations/{d}/end")
def ask(request: Request, db: Transaction, acting: Approves, d: str) -> Response:
    """Show who would lose what, and ask why."""
    return pages.page(request, "wam/delegation_end.html", **_end_facts(db, acting, d))


@router.post("/p/{p}/delegations/{d}/end")
def end(request: Request, db: Transaction, acting: Approves, d: str, form: TheForm) -> Response:
    """End it with all that hang on it, at once."""
    facts = _end_facts(db, acting, d)
    with pages.shown_again("wam/delegation_end.html", facts, Invalid, Conflict):
        delegating.end(
            db,
            by=acting.visitor.account.id,
            provider_id=acting.provider.id,
            delegation_id=d,
            reason=form.get("reason", ""),
        )
    return pages.go(request, f"/p/{acting.provider.id}/delegations/{d}")


def _listed(db: Db, acting: Acting) -> list[Delegation]:
    return delegating.all_of(db, acting.provider.id, lines_seen(db, acting))


def _receipt(db: Db, acting: Acting, found: Delegation, receipt_id: str) -> Receipt:
    """Return the committed receipt of this delegation, or raise NotFound: an address alone confirms nothing."""
    receipt = receipts.find(db, acting.provider.id, receipt_id, "delegation", lines_seen(db, acting))
    if receipt.facts.get("delegation") != found.id:
        raise NotFound
    return receipt


def _entry(db: Db, provider_id: str, row: Delegation) -> dict[str, Any]:
    functions = {e.key: e.name for e in catalog.everything(db, insurer_side=False)}
    places = {place.id: place.name for place in delegating.places(db, provider_id)}
    partner = db.get(Partner, row.partner_id)
    chain = delegating.chain_of(db, row)
    return scopes.shown(db, row, functions, places) | {
        "company": partner.name if partner else "",
        "chain": [name for _, name in chain],
        "paused": [link for link, _ in chain if not in_good_standing(db, link.partner_id)],
        "people": len(company.workers(db, row)),
    }


def _one_facts(db: Db, acting: Acting, found: Delegation) -> dict[str, Any]:
    provider_id = acting.provider.id
    names = {e.key: e.name for e in catalog.everything(db, insurer_side=False)}
    workers = [
        {"who": w.account, "functions": sorted({names.get(g.entitlement, g.entitlement) for g in w.functions}),
         "until": max((g.expires_at for g in w.functions if g.expires_at), default=None)}
        for w in company.workers(db, found)
    ]  # fmt: skip
    children = [row for row in _listed(db, acting) if row.parent_id == found.id]
    people = roster.names_of(db, {i for i in (found.approved_by, found.ended_by) if i and i.startswith("acc_")})
    return {
        "one": _entry(db, provider_id, found),
        "workers": workers,
        "children": [_entry(db, provider_id, row) for row in children],
        "by": people.get(found.approved_by, "the insurer"),
        "ended_by": people.get(found.ended_by or "", "the insurer"),
        "lost": delegation_lost.told(db, found),
        "reasons": delegating.ENDINGS,
        "again": _again(provider_id, found) if found.parent_id is None else None,
        **views.frame(db, acting.provider, acting.visitor.account.id),
    }


def _chosen(request: Request) -> Form | None:
    """Return the choices of the address, None where it has none: then the form proposes."""
    return in_address(request) if request.query_params else None


def _new_facts(db: Db, acting: Acting, form: Form | None) -> dict[str, Any]:
    frame = views.frame(db, acting.provider, acting.visitor.account.id)
    lines = [line for line in frame["lines"] if delegating.functions(db, acting.provider, [line])]
    functions = {key: e for line in lines for key, e in delegating.functions(db, acting.provider, [line]).items()}
    places = delegating.places(db, acting.provider.id)
    companies = delegating.companies(db)
    return {
        **frame,
        "companies": [(words, [one for one in companies if one.kind == kind]) for kind, words in COMPANIES.items()],
        "paused": delegating.paused(db),
        "company": form.get("company", "") if form is not None else "",
        "redelegable": form is not None and form.get("redelegable") == "yes",
        "problem": None,
        "no_places": f"For all of {acting.provider.name}: our records name no separate places of it.",
        **scopes.choices(db, functions, lines, places, form),
    }


def _check_facts(request: Request, db: Db, acting: Acting, form: Form, *, places: bool) -> dict[str, Any]:
    """Return what a delegation would mean, in words; raises as delegating does for choices that can't be."""
    provider_id, scope = acting.provider.id, scopes.read(db, form, places=places)
    partner = delegating.proposed(
        db, by=acting.visitor.account.id, provider_id=provider_id, partner_id=form.get("company", ""), scope=scope
    )
    names = {e.key: e.name for e in catalog.everything(db, insurer_side=False)}
    named = {place.id: place.name for place in delegating.places(db, provider_id)}
    known = delegating.in_force_with(db, provider_id, partner.id, lines_seen(db, acting))
    workers = {worker.account.id: worker.account for row in known for worker in company.workers(db, row)}
    query = urlencode(request.query_params.multi_items())
    return {
        "partner": partner,
        "functions": sorted(names[key] for key in set(scope.entitlements)),
        "wanted_lines": [name for key, name in scopes.LINE_NAMES.items() if key in scope.lines],
        "wanted_places": sorted(named[key] for key in scope.locations) if scope.locations is not None else None,
        "ends_at": scope.ends_at,
        "redelegable": form.get("redelegable") == "yes",
        "administrators": len(members.in_force(db, partner.id, administrators=True)),
        "known": [_entry(db, provider_id, row) for row in known],
        "workers": sorted(account.display_name for account in workers.values()),
        "action": f"{request.url.path}?{query}",
        "back": f"/p/{provider_id}/delegations/new?{query}",
        "form_id": receipts.new_form_id(),
        **views.frame(db, acting.provider, acting.visitor.account.id),
    }


def _again(provider_id: str, row: Delegation) -> str:
    """Return where the same choices stand in a new form, to be changed there."""
    asked = [("company", row.partner_id), *(("f", str(key)) for key in row.entitlements)]
    asked += [("line", str(line)) for line in row.lines]
    asked += [("where", "all" if row.locations is None else "some")]
    asked += [("place", str(place)) for place in row.locations or []]
    asked += [("redelegable", "yes")] if row.redelegable else []
    return f"/p/{provider_id}/delegations/new?{urlencode(asked)}"


def _end_facts(db: Db, acting: Acting, d: str) -> dict[str, Any]:
    found = delegating.of_practice(db, acting.provider.id, d, lines_seen(db, acting))
    if found.ended_at is not None:
        raise NotFound("This delegation has ended already.")
    lost = delegating.preview(db, by=acting.visitor.account.id, provider_id=acting.provider.id, delegation_id=d)
    return {
        "one": _entry(db, acting.provider.id, found),
        "lost": lost,
        "reasons": delegating.REASONS,
        "problem": None,
        **views.frame(db, acting.provider, acting.visitor.account.id),
    }
