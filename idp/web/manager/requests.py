"""What the inbox holds besides applications: requests for a function, and changes that need a second word (W-2)."""

# ruff: noqa: FAST003 - the guard in the signature takes `p`

from typing import Any

from fastapi import APIRouter, Request, Response
from sqlmodel import Session as Db

from idp import clock
from idp.accounts.tables import Account
from idp.database import of
from idp.entitlements import catalog, duties
from idp.errors import Conflict, Invalid, NotEntitled
from idp.wam import authority, dual_control, holdings, receipts, requests, roster
from idp.wam.tables import AccessRequest, HeldChange
from idp.web import dates, pages
from idp.web.boundary import Transaction
from idp.web.forms import TheForm
from idp.web.guards import Acting
from idp.web.manager import views
from idp.web.manager.guard import Manages, Sees, lines_of

router = APIRouter()


@router.get("/p/{p}/requests/{x}")
def request_page(request: Request, db: Transaction, acting: Sees, x: str) -> Response:
    """Show one request for a function and who asks."""
    return pages.page(request, "wam/request.html", **_facts(db, acting, _found(db, acting, x), {}))


@router.post("/p/{p}/requests/{x}")
def decide(request: Request, db: Transaction, acting: Manages, x: str, form: TheForm) -> Response:
    """Approve until a date, or deny with a reason; the first decision holds."""
    found = _found(db, acting, x)
    by, zone = acting.visitor.account.id, of(db).settings.time_zone
    answer, ends, reason, form_id = form.of("answer", "ends", "reason", "form_id")
    try:
        if answer == "approve":
            ends_at = dates.end_of(dates.typed_day(ends, "ends"), zone) if ends else None
            requests.approve(db, found, by=by, ends_at=ends_at, form_id=form_id)
        else:  # nothing but the approving button gives anything
            requests.deny(db, found, by=by, reason=reason)
    except (Invalid, Conflict, NotEntitled) as problem:
        facts = _facts(db, acting, found, {"ends": ends, "reason": reason[:200]})
        problem.page, problem.context = "wam/request.html", facts | {"problem": problem.detail}
        raise
    return pages.go(request, f"/p/{acting.provider.id}/requests/{found.id}")


@router.get("/p/{p}/held/{x}")
def held_page(request: Request, db: Transaction, acting: Sees, x: str) -> Response:
    """Show a change that waits for a second manager."""
    return pages.page(request, "wam/held.html", **_held_facts(db, acting, _held(db, acting, x)))


@router.post("/p/{p}/held/{x}")
def confirm(request: Request, db: Transaction, acting: Manages, x: str, form: TheForm) -> Response:
    """Confirm it as the second manager, or refuse it."""
    found, by = _held(db, acting, x), acting.visitor.account.id
    with pages.shown_again("wam/held.html", lambda: _held_facts(db, acting, found), Invalid, Conflict, NotEntitled):
        if form.get("answer") == "confirm":
            dual_control.confirm(db, found, by=by)
        else:
            dual_control.refuse(db, found, by=by)
    return pages.go(request, f"/p/{acting.provider.id}/held/{found.id}")


def entries(db: Db, acting: Acting, lines: list[str]) -> dict[str, Any]:
    """Return what the inbox lists of both kinds."""
    asked = requests.waiting_at(db, acting.provider.id, lines)
    held = dual_control.waiting(db, acting.provider.id, lines)
    ids = {one.account_id for one in asked} | {one.account_id for one in held} | {one.asked_by for one in held}
    keys = {one.entitlement for one in asked} | {one.entitlement for one in held}
    functions = {key: found.name for key in keys if (found := catalog.find(db, key))}
    return {"asked": asked, "held": held, "names": roster.names_of(db, ids), "functions": functions}


def _found(db: Db, acting: Acting, x: str) -> AccessRequest:
    lines = lines_of(db, acting)
    return requests.find(db, x[:64], acting.provider.id, lines)


def _held(db: Db, acting: Acting, x: str) -> HeldChange:
    lines = lines_of(db, acting)
    return dual_control.find(db, x[:64], acting.provider.id, lines)


def _facts(db: Db, acting: Acting, found: AccessRequest, typed: dict[str, str]) -> dict[str, Any]:
    function = catalog.find(db, found.entitlement)
    rows = authority.not_ended(db, acting.provider.id, found.account_id, found.line)
    keys = {g.entitlement for g in rows if g.effect == "allow"} | {found.entitlement}
    entry = roster.entries_of(db, acting.provider.id, [found.account_id]).get(found.account_id)
    if entry is not None and entry.manages:
        keys.add("access.manage")
    decided_by = db.get(Account, found.decided_by) if found.decided_by else None
    return {
        "asked": found,
        "who": db.get(Account, found.account_id),
        "entry": entry,
        "function": function,
        "kind": holdings.WORDS[function.sensitivity] if function else "",
        "conflict": any(
            found.entitlement in (clash.first, clash.second) and clash.exception is None
            for clash in duties.clashes(
                db, keys, account_id=found.account_id, provider_id=found.provider_id, line=found.line
            )
        ),
        "decided_by": decided_by.display_name if decided_by else "",
        "open": found.status == "submitted" and found.expires_at > clock.now(),
        "own": found.account_id == acting.visitor.account.id,
        "receipt": receipts.of(db, acting.provider.id, found.account_id, "request", found.id),
        "typed": {"ends": "", "reason": "", **typed},
        "form_id": receipts.new_form_id(),
        "problem": None,
        **views.frame(db, acting.provider, acting.visitor.account.id),
    }


def _held_facts(db: Db, acting: Acting, found: HeldChange) -> dict[str, Any]:
    names = roster.names_of(db, {found.account_id, found.asked_by, found.decided_by or ""})
    function = catalog.find(db, found.entitlement)
    by = acting.visitor.account.id
    return {
        "held": found,
        "function": function.name if function else found.entitlement,
        "names": names,
        "begins": dual_control.begins(db, found),
        "open": found.status == "waiting" and found.expires_at > clock.now(),
        "may_confirm": by not in (found.asked_by, found.account_id),
        "receipt": receipts.of(db, acting.provider.id, found.account_id, "confirmed", found.id),
        "problem": None,
        **views.frame(db, acting.provider, by),
    }
