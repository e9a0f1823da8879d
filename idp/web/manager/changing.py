"""Change a person's access: choose, check, confirm, receipt (ui.md 3.9, 4.9)."""

# ruff: noqa: FAST003 - the guard in the signature takes `p`

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from sqlmodel import Session, select

from idp.accounts.tables import Account
from idp.database import of
from idp.entitlements import bundles
from idp.entitlements.tables import Entitlement
from idp.errors import Invalid, NotFound
from idp.wam import authority, granting, holdings, receipts, removing, roster
from idp.wam.difference import Wish
from idp.wam.tables import Receipt
from idp.web import dates, pages
from idp.web.boundary import Transaction
from idp.web.forms import TheForm
from idp.web.guards import Acting
from idp.web.manager import ends, views
from idp.web.manager.guard import Manages, Sees, lines_of, lines_seen

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
    line = line_of(request, db, acting)
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
    receipt = receipts.find(db, acting.provider.id, r, "change", lines_seen(db, acting))
    zone = of(db).settings.time_zone
    names = names_of(db)
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
        joined=words(facts.get("joined", []), ""),
        held=[names[key][0] for key in facts.get("held", [])],
        count=sum(len(facts.get(key, [])) for key in ("added", "changed", "removed", "joined")),
        line=facts["line"],
        job=_job_name(db, facts.get("bundle")),
        **receipt_facts(db, acting, receipt),
    )


def line_of(request: Request, db: Session, acting: Acting) -> str:
    """Return the line the address names, if this manager has it, else their first; NotFound for a foreign one."""
    lines = lines_of(db, acting)
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
    line = line_of(request, db, acting)
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
        "has_jobs": _jobs_of(db, acting, a, line),
        "jobs": holdings.jobs(db, functions),
        "functions": views.choices(functions, held, by, a, zone),
        "chosen": chosen,
        "year": ends.year(zone),
        "problem": problem.detail if problem else None,
        "fields": problem.fields if problem else {},
        **views.frame(db, acting.provider, by),
    }


def _check_facts(request: Request, db: Session, acting: Acting, a: str) -> dict[str, Any]:
    line = line_of(request, db, acting)
    by, provider_id = acting.visitor.account.id, acting.provider.id
    wish, lacking = _wish(request, db, acting, line)
    preview = granting.preview(
        db, by=by, provider_id=provider_id, account_id=a, line=line, wish=wish, lacking=_function_names(db, lacking)
    )
    query = urlencode(request.query_params.multi_items())
    has_jobs = _jobs_of(db, acting, a, line)
    job = _job_name(db, wish.bundle)
    gone = {entry.key for entry in preview.difference.removed}
    return {
        "job": job,
        "leaves": sorted(name for name, keys in has_jobs.items() if name != job and (job or keys & gone)),
        "besides": sorted(
            preview.functions[entry.key].name
            for entry in preview.difference.stay
            if job and entry.key in preview.functions and entry.key not in wish.bundle_functions
        ),
        "keeps": sorted(name for name, keys in has_jobs.items() if not job and not keys & gone),
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


def _jobs_of(db: Session, acting: Acting, account_id: str, line: str) -> dict[str, set[str]]:
    """Return the jobs a person has in a line, by name, each with the functions that came by it."""
    found: dict[str, set[str]] = {}
    for one in roster.functions_of(db, acting.provider.id, account_id, line):
        if one.job:
            found.setdefault(one.job, set()).add(one.function.key)
    return found


def _job_name(db: Session, bundle: str | None) -> str | None:
    return next((one.name for one in bundles.current(db) if one.key == bundle), bundle) if bundle else None


def receipt_facts(db: Session, acting: Acting, receipt: Receipt) -> dict[str, Any]:
    """Return what the page of any receipt shows: for whom, by whom, when and why."""
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


def names_of(db: Session) -> dict[str, tuple[str, str]]:
    """Return key -> (name, kind of data in words) of the whole catalogue."""
    return {e.key: (e.name, holdings.WORDS[e.sensitivity]) for e in db.exec(select(Entitlement)).all()}


def _function_names(db: Session, keys: tuple[str, ...]) -> tuple[str, ...]:
    names = names_of(db)
    return tuple(names[key][0] for key in keys)
