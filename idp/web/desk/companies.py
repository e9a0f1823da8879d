"""The insurer's staff: companies that may work for practices, and the first administrator of each (W-6)."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from sqlmodel import Session as Db

from idp.accounts.tables import Account
from idp.errors import Conflict, Invalid
from idp.partners import members, register
from idp.registration import invitations
from idp.wam import delegating
from idp.web import pages
from idp.web.boundary import Transaction
from idp.web.forms import Form, TheForm
from idp.web.guards import Acting, insurer_staff
from idp.web.manager import views

router = APIRouter()
PATH = "/insurer/companies"
Staff = Annotated[Acting, Depends(insurer_staff("partner.manage"))]


@router.get(PATH, include_in_schema=False)
def listed(request: Request, staff: Staff, db: Transaction) -> Response:
    """List the companies a practice may choose, and who administers each."""
    return pages.page(request, "insurer/companies.html", **_facts(db, staff, None))


@router.post(PATH, include_in_schema=False)
def invite(request: Request, staff: Staff, db: Transaction, form: TheForm) -> Response:
    """Invite the first administrator; the link goes by mail alone, so that staff never hold it."""
    with pages.shown_again("insurer/companies.html", lambda: _facts(db, staff, form), Invalid, Conflict):
        _invite(db, staff, form)
    return pages.go(request, PATH)


def _invite(db: Db, staff: Acting, form: Form) -> None:
    company_id, name, email = form.of("company", "name", "email")
    fields = {}
    if company_id not in {one.id for one in delegating.companies(db)}:
        fields["company"] = "Choose one of the companies on this page."
    if not name.strip() or len(name) > 120:
        fields["name"] = "Enter the person's name, in at most 120 characters."
    if not email.strip():
        fields["email"] = "Enter the address the link is sent to."
    if fields:
        raise Invalid(fields=fields)
    company = register.find(db, company_id)
    if members.in_force(db, company.id, administrators=True):
        raise Conflict(f"{company.name} has an administrator, who names the others.")
    invitations.invite(
        db,
        invited_by=staff.visitor.account.id,
        display_name=name,
        email=email,
        partner_id=company.id,
        administrator=True,
    )


def _facts(db: Db, staff: Acting, form: Form | None) -> dict[str, Any]:
    entries = []
    for company in delegating.companies(db):
        named = [db.get(Account, m.account_id) for m in members.in_force(db, company.id, administrators=True)]
        open_ones = [one for one in invitations.open_of_company(db, company.id) if one.administrator]
        waiting = [
            {"name": one.display_name, "email": views.masked(one.email), "until": one.expires_at} for one in open_ones
        ]
        entries.append({"row": company, "named": [who.display_name for who in named if who], "waiting": waiting})
    typed = {n: form.get(n, "")[:254] if form is not None else "" for n in ("company", "name", "email")}
    return {
        "acting": {"name": staff.provider.name, "tin_last4": None, "id": staff.provider.id},
        "entries": entries,
        "typed": typed,
        "problem": None,
    }
