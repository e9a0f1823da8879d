"""Remove a person's access: what it would end, why, and the proof (ui.md 3.10)."""

# ruff: noqa: FAST003 - the guard in the signature takes `p`

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from sqlmodel import Session, col, func, select

from idp import clock
from idp.accounts.tables import TokenFamily
from idp.database import of
from idp.errors import Conflict, Invalid, NotFound
from idp.wam import appointments, authority, receipts, removing
from idp.web import dates, pages
from idp.web.boundary import Transaction
from idp.web.forms import TheForm
from idp.web.guards import Acting
from idp.web.manager import changing, views
from idp.web.manager.guard import Manages, Sees, lines_of, lines_seen

router = APIRouter()


@router.get("/p/{p}/people/{a}/remove")
def ask(request: Request, db: Transaction, acting: Manages, a: str) -> Response:
    """Show what removing would end, and ask why."""
    return pages.page(request, "wam/remove.html", **_remove_facts(request, db, acting, a, {}))


@router.post("/p/{p}/people/{a}/remove")
def remove(request: Request, db: Transaction, acting: Manages, a: str, form: TheForm) -> Response:
    """End it, at once, and answer with the proof."""
    reason, note, left = form.of("reason", "note", "left")
    function, lines = _removed(request, db, acting)
    typed = {"reason": reason, "note": note, "left": left}
    with pages.shown_again("wam/remove.html", lambda: _remove_facts(request, db, acting, a, typed), Invalid, Conflict):
        left_at = None
        if left:
            left_at = dates.start_of(dates.typed_day(left, "left"), of(db).settings.time_zone) + timedelta(hours=17)
            left_at = min(left_at, clock.now()) if left_at - timedelta(hours=17) <= clock.now() else left_at
        receipt = removing.remove(
            db,
            by=acting.visitor.account.id,
            provider_id=acting.provider.id,
            account_id=a,
            function=function,
            lines=lines,
            reason=reason,
            note=note,
            left_at=left_at,
            form_id=form.get("form_id", ""),
        )
    return pages.go(request, views.href(receipt))


@router.get("/p/{p}/removals/{r}")
def removal(request: Request, db: Transaction, acting: Sees, r: str) -> Response:
    """Show the proof of a removal, from the committed receipt."""
    receipt = receipts.find(db, acting.provider.id, r, "removal", lines_seen(db, acting))
    facts, names = receipt.facts, changing.names_of(db)
    late = None
    if facts["left_at"]:
        minutes = int((receipt.at - datetime.fromisoformat(facts["left_at"])).total_seconds() // 60)
        if minutes > 60:
            span = f"{minutes // 60} hours" if minutes < 2880 else f"{minutes // 1440} days"
            late = f"Access ended {span} after the day this person left. The target is one hour."
    return pages.page(
        request,
        "wam/removal.html",
        function_name=names[facts["function"]][0] if facts["function"] else None,
        whole=facts["whole"],
        functions=[names[key][0] for key in facts["functions"]],
        sessions=facts["sessions"],
        families=facts["families"],
        late=late,
        exact=clock.iso(receipt.at),
        **(changing.receipt_facts(db, acting, receipt) | {"lines": [views.LINE_NAMES[x] for x in facts["lines"]]}),
    )


def _removed(request: Request, db: Session, acting: Acting) -> tuple[str | None, list[str]]:
    """Return which function (None: everything) and in which lines the address means."""
    lines = lines_of(db, acting)
    function = request.query_params.get("function")
    if function is None:
        return None, lines
    return function, [changing.line_of(request, db, acting)]


def _remove_facts(request: Request, db: Session, acting: Acting, a: str, typed: dict[str, str]) -> dict[str, Any]:
    provider_id, by = acting.provider.id, acting.visitor.account.id
    person = authority.person(db, provider_id, a)
    function, lines = _removed(request, db, acting)
    rows = [g for g in authority.not_ended(db, provider_id, a) if g.effect == "allow"]
    names = changing.names_of(db)
    held = {g.entitlement for g in rows if g.line_of_business in lines}
    if function is not None and function not in held:
        raise NotFound
    mine = sorted(names[key][0] for key in held)
    managed = [x.line for x in appointments.in_force(db, provider_id, None, clock.now()) if x.account_id == a]
    elsewhere = sorted(({g.line_of_business for g in rows} | set(managed)) - set(lines))
    barred = None
    if function is None and a == by:
        barred = "You can't remove yourself. Ask another access manager, or us."
    elif function is None and any(appointments.is_last(db, a, provider_id, line) for line in lines):
        barred = f"{person.account.display_name} is the only access manager. Name a successor first."
    families = db.exec(
        select(func.count()).where(
            col(TokenFamily.account_id) == a,
            col(TokenFamily.provider_id) == provider_id,
            col(TokenFamily.ended_at).is_(None),
        )
    ).one()
    query = urlencode(request.query_params.multi_items())
    return {
        "who": person.account,
        "function_name": names[function][0] if function else None,
        "functions": mine,
        "others": len(mine) - 1,
        "whole": not elsewhere,
        "elsewhere": [views.LINE_NAMES[line] for line in elsewhere],
        "manages": bool(set(managed) & set(lines)),
        "families": families,
        "barred": barred,
        "reasons": removing.REASONS,
        "chosen": {"reason": "", "note": "", "left": "", **typed},
        "form_id": receipts.new_form_id(),
        "action": request.url.path + (f"?{query}" if query else ""),
        "problem": None,
        **views.frame(db, acting.provider, by),
    }
