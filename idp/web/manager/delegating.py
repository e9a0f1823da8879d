"""Outside companies that work for a practice: let one, look, end with a preview of who loses what (W-6)."""

# ruff: noqa: FAST003 - the guard in the signature takes `p`

from typing import Any

from fastapi import APIRouter, Request, Response
from sqlmodel import Session as Db

from idp.audit import log
from idp.audit.events import Event
from idp.entitlements import catalog
from idp.entitlements.tables import Delegation
from idp.errors import Conflict, Invalid, NotEntitled, NotFound
from idp.partners.standing import in_good_standing
from idp.partners.tables import Partner
from idp.wam import company, delegating, receipts, roster
from idp.wam.tables import Receipt
from idp.web import pages, scopes
from idp.web.boundary import Transaction
from idp.web.forms import Form, TheForm
from idp.web.guards import Acting
from idp.web.manager import views
from idp.web.manager.guard import Approves, Sees, seen_lines

router = APIRouter()


@router.get("/p/{p}/delegations")
def delegations(request: Request, db: Transaction, acting: Sees) -> Response:
    """List who may work for the practice, through whom, and who could once."""
    frame = views.frame(db, acting.provider, acting.visitor.account.id)
    entries = [_entry(db, acting.provider.id, one) for one in delegating.all_of(db, acting.provider.id)]
    live = [one for one in entries if one["row"].ended_at is None]
    past = [one for one in entries if one["row"].ended_at is not None]
    return pages.page(request, "wam/delegations.html", live=live, past=past, **frame)


@router.get("/p/{p}/delegations/new")
def choose(request: Request, db: Transaction, acting: Approves) -> Response:
    """Ask which company, for what, where and until when."""
    return pages.page(request, "wam/delegation_new.html", **_new_facts(db, acting, None))


@router.post("/p/{p}/delegations/new")
def delegate(request: Request, db: Transaction, acting: Approves, form: TheForm) -> Response:
    """Let the company work for the practice; both sides are told."""
    facts = _new_facts(db, acting, form)
    with pages.shown_again("wam/delegation_new.html", facts, Invalid, NotEntitled):
        made = delegating.delegate(
            db,
            by=acting.visitor.account.id,
            provider_id=acting.provider.id,
            partner_id=form.get("company", ""),
            scope=scopes.read(db, form, places=bool(facts["places"])),
            redelegable=form.get("redelegable") == "yes",
            form_id=form.get("form_id", ""),
        )
    receipt = receipts.earlier(db, acting.visitor.account.id, form.get("form_id", ""))
    return pages.go(
        request, f"/p/{acting.provider.id}/delegations/{made.id}" + (f"?receipt={receipt.id}" if receipt else "")
    )


@router.get("/p/{p}/delegations/{d}")
def one(request: Request, db: Transaction, acting: Sees, d: str, receipt: str = "") -> Response:
    """Show a delegation: its chain, its people, what hangs on it; with its receipt, that it is made. It is recorded."""
    found = delegating.of_practice(db, acting.provider.id, d)
    made = _receipt(db, acting, found, receipt) if receipt else None
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


def _receipt(db: Db, acting: Acting, found: Delegation, receipt_id: str) -> Receipt:
    """Return the committed receipt of this delegation, or raise NotFound: an address alone confirms nothing."""
    receipt = receipts.find(db, acting.provider.id, receipt_id, "delegation", seen_lines(db, acting))
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
    children = [row for row in delegating.all_of(db, provider_id) if row.parent_id == found.id]
    people = roster.names_of(db, {i for i in (found.approved_by, found.ended_by) if i and i.startswith("acc_")})
    return {
        "one": _entry(db, provider_id, found),
        "workers": workers,
        "children": [_entry(db, provider_id, row) for row in children],
        "by": people.get(found.approved_by, "the insurer"),
        "ended_by": people.get(found.ended_by or "", "the insurer"),
        "reasons": delegating.ENDINGS,
        **views.frame(db, acting.provider, acting.visitor.account.id),
    }


def _new_facts(db: Db, acting: Acting, form: Form | None) -> dict[str, Any]:
    frame = views.frame(db, acting.provider, acting.visitor.account.id)
    lines = [line for line in frame["lines"] if delegating.functions(db, acting.provider, [line])]
    functions = {key: e for line in lines for key, e in delegating.functions(db, acting.provider, [line]).items()}
    places = delegating.places(db, acting.provider.id)
    return {
        **frame,
        "companies": delegating.companies(db),
        "company": form.get("company", "") if form is not None else "",
        "redelegable": form is not None and form.get("redelegable") == "yes",
        "form_id": receipts.new_form_id(),
        "problem": None,
        **scopes.choices(db, functions, lines, places, form),
    }


def _end_facts(db: Db, acting: Acting, d: str) -> dict[str, Any]:
    found = delegating.of_practice(db, acting.provider.id, d)
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
