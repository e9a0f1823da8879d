"""Invitations that wait for their person: look at one, send it again, take it back (W-3)."""

# ruff: noqa: FAST003 - the guard in the signature takes `p`

from typing import Any

from fastapi import APIRouter, Request, Response
from sqlmodel import Session as Db

from idp import clock
from idp.database import of
from idp.entitlements import bundles
from idp.errors import Conflict, Invalid
from idp.registration import invitations
from idp.registration.tables import Invitation
from idp.wam import holdings, receipts, roster
from idp.web import pages
from idp.web.boundary import Transaction
from idp.web.forms import TheForm
from idp.web.guards import Acting
from idp.web.manager import inviting, views
from idp.web.manager.guard import Manages, Sees, lines_of, lines_seen

router = APIRouter()


@router.get("/p/{p}/invitations/{i}")
def one(request: Request, db: Transaction, acting: Sees, i: str) -> Response:
    """Show whom it is for, what taking it up gives and until when, and how long the link works."""
    return pages.page(request, "wam/invitation.html", **_facts(db, acting, i))


@router.post("/p/{p}/invitations/{i}/again")
def again(request: Request, db: Transaction, acting: Manages, i: str, form: TheForm) -> Response:
    """Make a new link, shown once; the old one leads nowhere from now on."""
    with pages.shown_again("wam/invitation.html", lambda: _facts(db, acting, i), Conflict):
        made = inviting.again(db, acting, i, form.get("form_id", ""))
    return _sent(request, db, acting, made, i)


@router.post("/p/{p}/invitations/{i}/mend")
def mend(request: Request, db: Transaction, acting: Manages, i: str, form: TheForm) -> Response:
    """Mend a misspelt name, or the address with a new link; the old link then leads nowhere from now on."""
    name, email = form.get("name", "").strip(), form.get("email", "").strip()
    typed = {"name": name[:120], "email": email[:254]}
    with pages.shown_again("wam/invitation.html", lambda: _facts(db, acting, i) | {"typed": typed}, Conflict, Invalid):
        made = inviting.mend(db, acting, i, form.get("form_id", ""), name=name, email=email)
    if made is None:
        return pages.go(request, f"/p/{acting.provider.id}/invitations/{i}")
    return _sent(request, db, acting, made, i)


def _sent(request: Request, db: Db, acting: Acting, made: tuple[Invitation, str] | None, i: str) -> Response:
    """Show the new link, once."""
    shown = made[0] if made else inviting.found(db, acting, i)
    link = f"{of(db).settings.issuer}/invitations/{made[1]}" if made else None
    return pages.page(
        request,
        "wam/invited.html",
        link=link,
        name=shown.display_name,
        email=shown.email,
        until=shown.expires_at,
        replaced=True,
        **given(db, acting, shown),
        **views.frame(db, acting.provider, acting.visitor.account.id),
    )


@router.post("/p/{p}/invitations/{i}/withdraw")
def withdraw(request: Request, db: Transaction, acting: Manages, i: str, form: TheForm) -> Response:
    """Take it back; the page then says so."""
    with pages.shown_again("wam/invitation.html", lambda: _facts(db, acting, i), Conflict):
        inviting.withdraw(db, acting, i)
    return pages.go(request, f"/p/{acting.provider.id}/invitations/{i}")


def listed(db: Db, acting: Acting) -> list[dict[str, Any]]:
    """Return the invitations nobody took up yet, as the list of people shows them."""
    rows, now = invitations.unanswered(db, acting.provider.id, lines_seen(db, acting)), clock.now()
    inviters = roster.names_of(db, {one.invited_by for one in rows})
    jobs = {one.key: one.name for one in bundles.current(db)} if rows else {}
    zone = of(db).settings.time_zone
    return [
        {
            "row": row,
            "email": views.masked(row.email),
            "by": inviters[row.invited_by],
            "late": row.expires_at <= now,
            "job": jobs.get(row.bundle or ""),
            "ends": views.until(row.access_ends_at, zone),
        }
        for row in rows
    ]


def given(db: Db, acting: Acting, row: Invitation) -> dict[str, Any]:
    """Return what taking it up gives, in words: the job, until when, and the functions the practice can give of it."""
    if not row.bundle:
        return {"job": None, "ends": None, "functions": []}
    held = holdings.functions(db, acting.provider, row.line)
    job = next((one for one in holdings.jobs(db, held) if one.bundle.key == row.bundle), None)
    return {
        "job": job.bundle.name if job else None,
        "ends": views.until(row.access_ends_at, of(db).settings.time_zone),
        "functions": sorted(held[key].name for key in job.functions) if job else [],
    }


def _facts(db: Db, acting: Acting, i: str) -> dict[str, Any]:
    row = inviting.found(db, acting, i)
    names = roster.names_of(db, {one for one in (row.invited_by, row.spent_by) if one})
    return {
        "row": row,
        "state": inviting.state(row),
        "email": views.masked(row.email),
        "by": names.get(row.invited_by, ""),
        "taken_by": names.get(row.spent_by or "", ""),
        "typed": {"name": row.display_name, "email": ""},
        "may": row.line in lines_of(db, acting),
        "receipt": receipts.about(db, acting.provider.id, "invitation", "invitation", row.id),
        "form_id": receipts.new_form_id(),
        "problem": None,
        **given(db, acting, row),
        **views.frame(db, acting.provider, acting.visitor.account.id),
    }
