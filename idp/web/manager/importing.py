"""Invite many people from a file: look at every line first, then all or none (W-3)."""

# ruff: noqa: FAST003 - the guard in the signature takes `p`

from typing import Any

from fastapi import APIRouter, Request, Response
from sqlmodel import Session as Db

from idp.audit import log
from idp.audit.events import Event
from idp.errors import Invalid, NotFound
from idp.registration import invitations
from idp.wam import authority, holdings, importing, receipts
from idp.web import pages
from idp.web.boundary import Transaction
from idp.web.forms import Form, TheForm
from idp.web.guards import Acting
from idp.web.manager import views
from idp.web.manager.guard import Manages

router = APIRouter()


@router.get("/p/{p}/people/import")
def choose(request: Request, db: Transaction, acting: Manages) -> Response:
    """Ask for the file."""
    return pages.page(request, "wam/import.html", **_facts(request, db, acting))


@router.post("/p/{p}/people/import")
def check(request: Request, db: Transaction, acting: Manages, form: TheForm) -> Response:
    """Read the file and show what each line would do; nothing is done."""
    facts = _facts(request, db, acting)
    try:
        text, lines = _read(db, acting, facts, form)
    except Invalid as problem:
        problem.page, problem.context = "wam/import.html", facts
        raise
    wrong = sum(1 for line in lines if line.problem)
    return pages.page(
        request, "wam/import_check.html", rows=lines, wrong=wrong, text=text, form_id=receipts.new_form_id(), **facts
    )


@router.post("/p/{p}/people/import/confirm")
def invite(request: Request, db: Transaction, acting: Manages, form: TheForm) -> Response:
    """Invite everybody of the file, or nobody; the same form again does nothing more."""
    facts, by, provider_id = _facts(request, db, acting), acting.visitor.account.id, acting.provider.id
    form_id = form.get("form_id", "")
    if receipts.earlier(db, by, form_id) is not None:
        return pages.go(request, f"/p/{provider_id}/people")
    try:
        _, lines = _read(db, acting, facts, form)
        authority.must_manage(db, by, provider_id, facts["line"])
        _all_right(lines)
    except Invalid as problem:
        problem.page, problem.context = "wam/import.html", facts
        raise
    try:
        receipt = receipts.begin(db, kind="invitation", provider_id=provider_id, made_by=by, form_id=form_id)
    except receipts.AlreadyDone:
        return pages.go(request, f"/p/{provider_id}/people")
    made = [
        invitations.invite(
            db,
            invited_by=by,
            display_name=line.name,
            email=line.email,
            provider_id=provider_id,
            line=facts["line"],
            capacity=line.works_as,
            bundle=line.job,
        )[0].id
        for line in lines
    ]
    receipt.facts = {"invitations": made, "line": facts["line"]}
    db.add(receipt)
    log.record(db, Event("wam.people.imported", provider=provider_id, details={"people": len(made), "by": by}))
    return pages.go(request, f"/p/{provider_id}/people")


def _read(db: Db, acting: Acting, facts: dict[str, Any], form: Form) -> tuple[str, list[importing.Line]]:
    text = form.get("file") or form.get("pasted") or ""
    lines = importing.read(
        text,
        jobs=facts["jobs"],
        capacities=views.CAPACITIES,
        known=frozenset(one.email for one in invitations.open_at(db, acting.provider.id)),
    )
    return text, lines


def _all_right(lines: list[importing.Line]) -> None:
    wrong = [line.number for line in lines if line.problem]
    if wrong:
        raise Invalid(fields={"file": f"Nobody was invited: line {', '.join(map(str, wrong[:5]))} has to be mended."})


def _facts(request: Request, db: Db, acting: Acting) -> dict[str, Any]:
    frame = views.frame(db, acting.provider, acting.visitor.account.id)
    line = request.query_params.get("line") or next(iter(frame["lines"]), "")
    if line not in frame["lines"]:
        raise NotFound
    held = holdings.functions(db, acting.provider, line)
    jobs = {job.bundle.key: job.bundle.name for job in holdings.jobs(db, held)}
    return {"line": line, "jobs": jobs, "columns": importing.COLUMNS, "most": importing.MOST, **frame}
