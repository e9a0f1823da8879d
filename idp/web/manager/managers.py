"""Who manages access here: listed, appointed and ended by access managers (W-9)."""

# ruff: noqa: FAST003 - the guard in the signature takes `p`

from typing import Any

from fastapi import APIRouter, Request, Response
from sqlmodel import Session as Db

from idp import clock
from idp.accounts.tables import Account
from idp.entitlements.tables import Appointment
from idp.errors import Conflict, Invalid, NotFound
from idp.wam import appointments, receipts, roster, succession
from idp.web import pages
from idp.web.boundary import Transaction
from idp.web.forms import TheForm
from idp.web.guards import Acting
from idp.web.manager import views
from idp.web.manager.guard import Manages, Sees, lines_seen

router = APIRouter()


@router.get("/p/{p}/managers")
def managers(request: Request, db: Transaction, acting: Sees, r: str = "") -> Response:
    """List the access managers of the lines this person manages; say what was just done."""
    done = receipts.find(db, acting.provider.id, r, "appointment", lines_seen(db, acting)) if r else None
    name = roster.names_of(db, {done.account_id})[done.account_id] if done and done.account_id else ""
    return pages.page(request, "wam/managers.html", done=done, done_name=name, **_facts(db, acting))


@router.get("/p/{p}/managers/new")
def choose(request: Request, db: Transaction, acting: Manages) -> Response:
    """Ask who shall become an access manager."""
    return pages.page(request, "wam/manager_new.html", **_new_facts(request, db, acting))


@router.post("/p/{p}/managers/new")
def appoint(request: Request, db: Transaction, acting: Manages, form: TheForm) -> Response:
    """Appoint the chosen person; every access manager is told."""
    facts = _new_facts(request, db, acting)
    with pages.shown_again("wam/manager_new.html", facts, Invalid, Conflict):
        made = succession.appoint(
            db,
            by=acting.visitor.account.id,
            provider_id=acting.provider.id,
            line=facts["line"],
            account_id=form.get("account", ""),
        )
    return pages.go(request, _done(db, made))


@router.get("/p/{p}/managers/{x}/end")
def ask(request: Request, db: Transaction, acting: Manages, x: str) -> Response:
    """Show what ending an appointment means, and ask why."""
    return pages.page(request, "wam/manager_end.html", **_end_facts(db, acting, x))


@router.post("/p/{p}/managers/{x}/end")
def end(request: Request, db: Transaction, acting: Manages, x: str, form: TheForm) -> Response:
    """End it; what the person gave is flagged for the others."""
    facts = _end_facts(db, acting, x)
    with pages.shown_again("wam/manager_end.html", facts, Invalid, Conflict):
        ended = succession.end(
            db,
            by=acting.visitor.account.id,
            provider_id=acting.provider.id,
            appointment_id=x,
            reason=form.get("reason", ""),
        )
    mine = facts["who"].id == acting.visitor.account.id
    return pages.go(request, "/account" if mine else _done(db, ended))


def _done(db: Db, row: Appointment) -> str:
    """Return where it is said that it is done, with the receipt."""
    made = receipts.of(db, row.provider_id, row.account_id, "appointment", row.id)
    assert made is not None
    return f"/p/{row.provider_id}/managers?r={made.id}"


def _facts(db: Db, acting: Acting) -> dict[str, Any]:
    frame = views.frame(db, acting.provider, acting.visitor.account.id)
    groups = []
    for line in frame["lines"]:
        rows = appointments.in_force(db, acting.provider.id, line, clock.now())
        able = appointments.able(db, acting.provider.id, line)
        names = roster.names_of(db, {r.account_id for r in rows} | {r.verified_by for r in rows})
        entries = [
            {
                "row": row,
                "name": names[row.account_id],
                "by": names.get(row.verified_by, ""),
                "on_hold": row.account_id not in able,
            }
            for row in rows
        ]
        groups.append(
            {
                "line": line,
                "entries": entries,
                "few": len(able) < appointments.WARN_BELOW,
                "full": len(entries) >= appointments.MOST,
            }
        )
    return {"groups": groups, "most": appointments.MOST, **frame}


def _new_facts(request: Request, db: Db, acting: Acting) -> dict[str, Any]:
    frame = views.frame(db, acting.provider, acting.visitor.account.id)
    line = request.query_params.get("line") or next(iter(frame["lines"]), "")
    if line not in frame["lines"]:
        raise NotFound
    people = succession.candidates(db, acting.provider.id, line, acting.visitor.account.id)
    return {"line": line, "people": people, "problem": None, **frame}


def _end_facts(db: Db, acting: Acting, x: str) -> dict[str, Any]:
    frame = views.frame(db, acting.provider, acting.visitor.account.id)
    rows = appointments.in_force(db, acting.provider.id, None, clock.now())
    row = next((r for r in rows if r.id == x and r.line in frame["lines"]), None)
    if row is None:
        raise NotFound
    who = db.get(Account, row.account_id)
    barred = appointments.is_last(db, row.account_id, acting.provider.id, row.line)
    others = len(appointments.able(db, acting.provider.id, row.line) - {row.account_id})
    return {
        "row": row,
        "who": who,
        "own": row.account_id == acting.visitor.account.id,
        "barred": barred,
        "others": others,
        "reasons": succession.REASONS,
        "problem": None,
        **frame,
    }
