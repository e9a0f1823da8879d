"""Change and remove a person's access: choose, check, confirm, receipt (ui.md 3.9, 3.10, 4.9)."""

# ruff: noqa: FAST003 - the guard in the signature takes `p`

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from sqlmodel import Session, col, func, select

from idp import clock
from idp.accounts.tables import Account, TokenFamily
from idp.database import of
from idp.entitlements.tables import Entitlement
from idp.errors import Conflict, Invalid, NotFound
from idp.wam import appointments, authority, granting, holdings, receipts, removing
from idp.wam.difference import Wish
from idp.web import dates, pages
from idp.web.boundary import Transaction
from idp.web.forms import TheForm
from idp.web.guards import Acting
from idp.web.manager import ends, views
from idp.web.manager.guard import Manages, Sees, seen_lines

router = APIRouter()


@router.get("/p/{p}/people/{a}/change")
def choose(request: Request, db: Transaction, acting: Manages, a: str) -> Response:
    """Step 1: a job or functions, and for how long. Choices live in the address, so back and reload keep them."""
    return pages.page(request, "wam/change.html", **_choose_facts(request, db, acting, a))


@router.get("/p/{p}/people/{a}/change/check")
def check(request: Request, db: Transaction, acting: Manages, a: str) -> Response:
    """Step 2: the difference, before anything happens."""
    try:
        facts = _check_facts(request, db, acting, a)
    except Invalid as problem:
        problem.page, problem.context = "wam/change.html", _choose_facts(request, db, acting, a, problem)
        raise
    return pages.page(request, "wam/check.html", **facts)


@router.post("/p/{p}/people/{a}/change/check")
def confirm(request: Request, db: Transaction, acting: Manages, a: str, form: TheForm) -> Response:
    """Step 3: do it once, all or nothing, if nobody changed the person meanwhile."""
    provider_id, by = acting.provider.id, acting.visitor.account.id
    line = _line(request, db, acting)
    wish, _ = _wish(request, db, acting, line)
    with pages.shown_again(
        "wam/check.html",
        lambda: _check_facts(request, db, acting, a) | {"reason": form.get("reason", "")},
        Invalid,
        granting.ChangedMeanwhile,
    ):
        receipt = granting.apply(
            db,
            by=by,
            provider_id=provider_id,
            account_id=a,
            line=line,
            wish=wish,
            seen=form.get("seen", ""),
            reason=form.get("reason", ""),
            form_id=form.get("form_id", ""),
        )
    return pages.go(request, views.href(receipt))


@router.get("/p/{p}/changes/{r}")
def done(request: Request, db: Transaction, acting: Sees, r: str) -> Response:
    """Show what a change did, from the committed receipt."""
    receipt = receipts.find(db, acting.provider.id, r, "change", seen_lines(db, acting))
    zone = of(db).settings.time_zone
    names = _names(db)
    facts = receipt.facts
    end = views.until(datetime.fromisoformat(facts["to"]) if facts["to"] else None, zone)

    def words(keys: list[str], until: str) -> list[dict[str, str]]:
        return [{"name": names[k][0], "kind": names[k][1], "until": until, "was": "", "start": ""} for k in keys]

    return pages.page(
        request,
        "wam/done.html",
        added=words(facts["added"], end),
        changed=words(facts["changed"], end),
        removed=words(facts["removed"], ""),
        held=[names[key][0] for key in facts.get("held", [])],
        count=sum(len(facts[key]) for key in ("added", "changed", "removed")),
        line=facts["line"],
        **_receipt_facts(db, acting, receipt),
    )


@router.get("/p/{p}/people/{a}/remove")
def ask(request: Request, db: Transaction, acting: Manages, a: str) -> Response:
    """Show what removing would end, and ask why."""
    return pages.page(request, "wam/remove.html", **_remove_facts(request, db, acting, a, {}))


@router.post("/p/{p}/people/{a}/remove")
def remove(request: Request, db: Transaction, acting: Manages, a: str, form: TheForm) -> Response:
    """End it, at once, and answer with the proof."""
    reason, note, left = form.of("reason", "note", "left")
    function, lines = _removed(request, db, acting)
    try:
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
    except (Invalid, Conflict) as problem:
        facts = _remove_facts(request, db, acting, a, {"reason": reason, "note": note, "left": left})
        problem.page, problem.context = "wam/remove.html", facts | {"problem": problem.detail}
        raise
    return pages.go(request, views.href(receipt))


@router.get("/p/{p}/removals/{r}")
def removal(request: Request, db: Transaction, acting: Sees, r: str) -> Response:
    """Show the proof of a removal, from the committed receipt."""
    receipt = receipts.find(db, acting.provider.id, r, "removal", seen_lines(db, acting))
    facts, names = receipt.facts, _names(db)
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
        **(_receipt_facts(db, acting, receipt) | {"lines": [views.LINE_NAMES[x] for x in facts["lines"]]}),
    )


def _line(request: Request, db: Session, acting: Acting) -> str:
    """Return the line the address names, if this manager has it, else their first; NotFound for a foreign one."""
    lines = authority.lines_of(db, acting.visitor.account.id, acting.provider.id)
    asked = request.query_params.get("line") or (lines[0] if lines else "")
    if asked not in lines:
        raise NotFound
    return asked


def _wish(request: Request, db: Session, acting: Acting, line: str) -> tuple[Wish, tuple[str, ...]]:
    chosen = _chosen(request)
    zone = of(db).settings.time_zone
    ends_at = ends.moment(ends.read(chosen["end"], chosen["until"], zone), zone)
    starts_at = dates.start_of(dates.typed_day(chosen["start"], "start"), zone) if chosen["start"] else None
    return granting.wish(
        db,
        acting.provider.id,
        line,
        functions=chosen["functions"],
        bundle=chosen["bundle"] or None,
        starts_at=starts_at,
        ends_at=ends_at,
        dates_for_all=chosen["all"],
    )


def _chosen(request: Request) -> dict[str, Any]:
    query = request.query_params
    return {
        "bundle": query.get("bundle", ""),
        "functions": query.getlist("f")[:200],
        "end": query.get("end", "year"),
        "until": query.get("until", "").strip(),
        "start": query.get("start", "").strip(),
        "all": query.get("all") == "yes",
    }


def _choose_facts(
    request: Request, db: Session, acting: Acting, a: str, problem: Invalid | None = None
) -> dict[str, Any]:
    person = authority.person(db, acting.provider.id, a)
    line = _line(request, db, acting)
    zone = of(db).settings.time_zone
    functions = holdings.functions(db, acting.provider, line)
    held = granting.held(authority.not_ended(db, acting.provider.id, a, line))
    chosen = _chosen(request)
    if "end" not in request.query_params:
        chosen["functions"] = list(held)
    if problem and ends.two(chosen["end"], chosen["until"]):
        chosen["end"] = "date"
    by = acting.visitor.account.id
    return {
        "who": person.account,
        "line": line,
        "jobs": holdings.jobs(db, functions),
        "functions": views.choices(functions, held, by, a, zone),
        "chosen": chosen,
        "year": ends.year(zone),
        "problem": problem.detail if problem else None,
        "fields": problem.fields if problem else {},
        **views.frame(db, acting.provider, by),
    }


def _check_facts(request: Request, db: Session, acting: Acting, a: str) -> dict[str, Any]:
    line = _line(request, db, acting)
    by, provider_id = acting.visitor.account.id, acting.provider.id
    wish, lacking = _wish(request, db, acting, line)
    preview = granting.preview(
        db, by=by, provider_id=provider_id, account_id=a, line=line, wish=wish, lacking=_function_names(db, lacking)
    )
    query = urlencode(request.query_params.multi_items())
    return {
        "who": authority.person(db, provider_id, a).account,
        "line": line,
        "action": f"{request.url.path}?{query}",
        "back": f"/p/{provider_id}/people/{a}/change?{query}",
        "form_id": receipts.new_form_id(),
        "reason": "",
        "problem": None,
        **views.difference(preview, wish, of(db).settings.time_zone),
        **views.frame(db, acting.provider, by),
    }


def _removed(request: Request, db: Session, acting: Acting) -> tuple[str | None, list[str]]:
    """Return which function (None: everything) and in which lines the address means."""
    lines = authority.lines_of(db, acting.visitor.account.id, acting.provider.id)
    function = request.query_params.get("function")
    if function is None:
        return None, lines
    return function, [_line(request, db, acting)]


def _remove_facts(request: Request, db: Session, acting: Acting, a: str, typed: dict[str, str]) -> dict[str, Any]:
    provider_id, by = acting.provider.id, acting.visitor.account.id
    person = authority.person(db, provider_id, a)
    function, lines = _removed(request, db, acting)
    rows = [g for g in authority.not_ended(db, provider_id, a) if g.effect == "allow"]
    names = _names(db)
    mine = sorted({names[g.entitlement][0] for g in rows if g.line_of_business in lines})
    if function is not None and function not in {g.entitlement for g in rows if g.line_of_business in lines}:
        raise NotFound
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


def _receipt_facts(db: Session, acting: Acting, receipt: Any) -> dict[str, Any]:
    by = db.get(Account, receipt.made_by)
    reason = removing.REASONS.get(receipt.reason, receipt.reason).partition(" (")[0]
    return {
        "who": db.get(Account, receipt.account_id),
        "by": by.display_name if by else "",
        "at": receipt.at,
        "reason": reason,
        "receipt_id": receipt.id,
        **views.frame(db, acting.provider, acting.visitor.account.id),
    }


def _names(db: Session) -> dict[str, tuple[str, str]]:
    """Return key -> (name, kind of data in words) of the whole catalogue."""
    return {e.key: (e.name, holdings.WORDS[e.sensitivity]) for e in db.exec(select(Entitlement)).all()}


def _function_names(db: Session, keys: tuple[str, ...]) -> tuple[str, ...]:
    names = _names(db)
    return tuple(names[key][0] for key in keys)
