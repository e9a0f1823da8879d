"""A company's own people: who works for it here, who administers it; bringing somebody in, letting them go (W-6)."""

# ruff: noqa: FAST003 - the guard in the signature takes `c`

from typing import Any

from fastapi import APIRouter, Request, Response
from sqlmodel import Session as Db

from idp.accounts.tables import Account
from idp.database import of
from idp.errors import Conflict, Invalid, NotFound
from idp.partners import members
from idp.registration import invitations
from idp.wam import staffing
from idp.web import pages
from idp.web.boundary import Transaction
from idp.web.company.guard import Decides, For, Looks
from idp.web.forms import TheForm
from idp.web.manager import views

router = APIRouter()


@router.get("/company/{c}/people")
def staff(request: Request, db: Transaction, at: Looks) -> Response:
    """List the company's people and what they work on."""
    return pages.page(request, "company/people.html", **_facts(db, at))


@router.post("/company/{c}/people")
def invite(request: Request, db: Transaction, at: Decides, form: TheForm) -> Response:
    """Make an invitation and show its link, once."""
    name, email = form.of("name", "email")
    facts = _facts(db, at) | {"typed": {"name": name, "email": email}}
    try:
        _checked(name)
        members.hold(db, at.company.id)
        invitations.spare(db, email, partner_id=at.company.id)
        invitation, secret = invitations.invite(
            db,
            invited_by=at.visitor.account.id,
            display_name=name,
            email=email,
            partner_id=at.company.id,
            administrator=form.get("administrator") == "yes",
        )
    except Invalid as problem:
        problem.page, problem.context = "company/people.html", facts
        raise
    link = f"{of(db).settings.issuer}/invitations/{secret}"
    return pages.page(
        request, "company/invited.html", link=link, name=name, email=email, until=invitation.expires_at, **at.frame
    )


@router.get("/company/{c}/people/{m}")
def one(request: Request, db: Transaction, at: Decides, m: str) -> Response:
    """Show one of the company's people: what they work on, and what letting them go would end."""
    return pages.page(request, "company/person.html", **_one(db, at, m))


@router.post("/company/{c}/people/{m}")
def change(request: Request, db: Transaction, at: Decides, m: str, form: TheForm) -> Response:
    """Make them an administrator, or no longer one, or let them go with all they have through the company."""
    facts, by = _one(db, at, m), at.visitor.account.id
    with pages.shown_again("company/person.html", facts, Conflict):
        if form.get("what") == "leave":
            staffing.let_go(db, by=by, partner_id=at.company.id, member_id=m)
        else:
            wanted = form.get("what") == "name"
            staffing.name(db, by=by, partner_id=at.company.id, member_id=m, administrator=wanted)
    if not members.administers(db, by, at.company.id):
        return pages.go(request, "/account")
    return pages.go(request, f"/company/{at.company.id}/people")


def _checked(name: str) -> None:
    if not name or len(name) > 120:
        raise Invalid(fields={"name": "Enter the person's name, in at most 120 characters."})


def _facts(db: Db, at: For) -> dict[str, Any]:
    rows = members.in_force(db, at.company.id)
    entries = []
    for row in rows:
        account = db.get(Account, row.account_id)
        if account is not None:
            entries.append(
                {"row": row, "who": account, "practices": staffing.practices_of(db, at.company.id, account.id)}
            )
    waiting = [
        {
            "name": i.display_name,
            "email": views.masked(i.email),
            "until": i.expires_at,
            "administrator": i.administrator,
        }
        for i in invitations.open_of_company(db, at.company.id)
    ]
    few = sum(1 for row in rows if row.administrator) < staffing.WARN_BELOW
    return {"entries": entries, "waiting": waiting, "few": few, "typed": {"name": "", "email": ""}, **at.frame}


def _one(db: Db, at: For, m: str) -> dict[str, Any]:
    row = staffing.of_company(db, at.company.id, m)
    who = db.get(Account, row.account_id)
    if who is None or row.ended_at is not None:
        raise NotFound
    return {
        "row": row,
        "who": who,
        "own": who.id == at.visitor.account.id,
        "practices": staffing.practices_of(db, at.company.id, who.id),
        "problem": None,
        **at.frame,
    }
