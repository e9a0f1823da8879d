"""A company asks to work for the practice: what it wants, and the answer, within it (W-6)."""

# ruff: noqa: FAST003 - the guard in the signature takes `p`

from typing import Any

from fastapi import APIRouter, Request, Response
from sqlmodel import Session as Db

from idp import clock
from idp.accounts.tables import Account
from idp.audit import log
from idp.audit.events import Event
from idp.entitlements import catalog
from idp.errors import Conflict, Invalid, NotEntitled
from idp.partners.standing import in_good_standing
from idp.partners.tables import Partner
from idp.wam import delegating, delegation_requests, receipts
from idp.wam.tables import DelegationRequest
from idp.web import pages, scopes
from idp.web.boundary import Transaction
from idp.web.forms import Form, TheForm
from idp.web.guards import Acting
from idp.web.manager import views
from idp.web.manager.guard import Approves, Sees, lines_of

router = APIRouter()


@router.get("/p/{p}/delegation-requests/{x}")
def one(request: Request, db: Transaction, acting: Sees, x: str) -> Response:
    """Show what a company asks for, beside what the practice could give; looking is recorded."""
    found = _found(db, acting, x)
    log.record(db, Event("wam.delegation.viewed", provider=acting.provider.id, details={"request": found.id}))
    return pages.page(request, "wam/delegation_request.html", **_facts(db, acting, found, None))


@router.post("/p/{p}/delegation-requests/{x}")
def answer(request: Request, db: Transaction, acting: Approves, x: str, form: TheForm) -> Response:
    """Accept it, whole or less of it, or deny it with a reason; the first answer holds."""
    found, by = _found(db, acting, x), acting.visitor.account.id
    facts = _facts(db, acting, found, form)
    with pages.shown_again("wam/delegation_request.html", facts, Invalid, Conflict, NotEntitled):
        if form.get("answer") != "accept":  # nothing but the accepting button gives anything
            delegation_requests.deny(db, found, acting.provider, by=by, reason=form.get("reason", ""))
            return pages.go(request, f"/p/{acting.provider.id}/delegation-requests/{found.id}")
        made = delegation_requests.accept(
            db,
            found,
            acting.provider,
            by=by,
            scope=scopes.read(db, form, places=bool(facts["places"])),
            redelegable=form.get("redelegable") == "yes",
            form_id=form.get("form_id", ""),
        )
    return pages.go(request, f"/p/{acting.provider.id}/delegations/{made.id}")


def entries(db: Db, acting: Acting, lines: list[str]) -> list[delegation_requests.Asked]:
    """Return the companies that wait for an answer, for the inbox."""
    return delegation_requests.named(db, delegation_requests.waiting_at(db, acting.provider, lines))


def _found(db: Db, acting: Acting, x: str) -> DelegationRequest:
    lines = lines_of(db, acting)
    return delegation_requests.find(db, x[:64], acting.provider, lines)


def _facts(db: Db, acting: Acting, found: DelegationRequest, form: Form | None) -> dict[str, Any]:
    frame = views.frame(db, acting.provider, acting.visitor.account.id)
    lines = [line for line in frame["lines"] if line in found.lines]
    held = {key: e for line in lines for key, e in delegating.functions(db, acting.provider, [line]).items()}
    wanted = set(map(str, found.entitlements))
    names = {e.key: e.name for e in catalog.everything(db, insurer_side=False)}
    decided = db.get(Account, found.decided_by) if found.decided_by else None
    partner, asker = db.get(Partner, found.partner_id), db.get(Account, found.asked_by)
    offered = {key: e for key, e in held.items() if key in wanted}
    places = delegating.places(db, acting.provider.id)
    return {
        "asked": found,
        "company": partner.name if partner else "",
        "asker": asker.display_name if asker else "",
        "stands": in_good_standing(db, found.partner_id),
        "lacking": sorted(names.get(key, key) for key in wanted - held.keys()),
        "wanted_lines": [scopes.LINE_NAMES[str(line)] for line in found.lines],
        "open": found.status == "requested" and found.expires_at > clock.now(),
        "decided_by": decided.display_name if decided else "",
        "redelegable": form is not None and form.get("redelegable") == "yes",
        "typed_reason": form.get("reason", "")[:200] if form is not None else "",
        "form_id": receipts.new_form_id(),
        "problem": None,
        **frame,
        **scopes.choices(db, offered, lines, places, form, most=found.ends_at, chosen=offered),
    }
