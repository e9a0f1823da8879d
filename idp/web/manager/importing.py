"""Invite many people from a file: look at every line first, then all or none (W-3)."""

# ruff: noqa: FAST003 - the guard in the signature takes `p`

from typing import Any

from fastapi import APIRouter, Request, Response
from sqlmodel import Session as Db

from idp.errors import Invalid, NotFound
from idp.wam import importing, receipts
from idp.web import pages
from idp.web.boundary import Transaction
from idp.web.forms import Form, TheForm
from idp.web.guards import Acting
from idp.web.manager import inviting, views
from idp.web.manager.guard import Manages

router = APIRouter()
SHOWN = 200
"""Lines a page shows, those to mend first; the counts are of all."""


@router.get("/p/{p}/people/import")
def choose(request: Request, db: Transaction, acting: Manages) -> Response:
    """Ask for the file."""
    return pages.page(request, "wam/import.html", **_facts(request, db, acting))


@router.post("/p/{p}/people/import")
def check(request: Request, db: Transaction, acting: Manages, form: TheForm) -> Response:
    """Read the file and show what each line would do; nothing is done."""
    facts, text = _facts(request, db, acting), _text(form)
    try:
        lines = inviting.read(db, acting, text, facts["line"])
    except Invalid as problem:
        problem.page, problem.context = "wam/import.html", facts
        raise
    shown = sorted(lines, key=lambda one: not one.problem)[:SHOWN]
    return pages.page(
        request,
        "wam/import_check.html",
        rows=sorted(shown, key=lambda one: one.number),
        total=len(lines),
        wrong=sum(1 for one in lines if one.problem),
        text=text,
        form_id=receipts.new_form_id(),
        **facts,
    )


@router.post("/p/{p}/people/import/confirm")
def invite(request: Request, db: Transaction, acting: Manages, form: TheForm) -> Response:
    """Invite everybody of the file, or nobody; the same form again does nothing more."""
    facts = _facts(request, db, acting)
    try:
        inviting.invite_all(db, acting, _text(form), facts["line"], form.get("form_id", ""))
    except Invalid as problem:
        problem.page, problem.context = "wam/import.html", facts
        raise
    return pages.go(request, f"/p/{acting.provider.id}/people")


def _text(form: Form) -> str:
    return form.get("file") or form.get("pasted") or ""


def _facts(request: Request, db: Db, acting: Acting) -> dict[str, Any]:
    frame = views.frame(db, acting.provider, acting.visitor.account.id)
    line = request.query_params.get("line") or next(iter(frame["lines"]), "")
    if line not in frame["lines"]:
        raise NotFound
    jobs = inviting.jobs(db, acting, line)
    return {"line": line, "jobs": jobs, "columns": importing.COLUMNS, "most": importing.MOST, **frame}
