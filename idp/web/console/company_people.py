"""A company's own people over the API: listed, invited, made administrators or not, let go (W-6)."""

from typing import Any

from fastapi import Response

from idp.accounts.tables import Account
from idp.database import of
from idp.partners import members
from idp.registration import invitations
from idp.wam import staffing
from idp.web.boundary import Transaction
from idp.web.console.company import PREFIX, Decides, Looks
from idp.web.console.delegated import InviteColleague, Named
from idp.web.console.once import TheOnce
from idp.web.console.routing import part

router = part(PREFIX)


@router.get("/people")
def people(db: Transaction, at: Looks) -> dict[str, Any]:
    """List the company's people, who of them administers it, and for which practices they work."""
    found = []
    for row in members.in_force(db, at.company.id):
        account = db.get(Account, row.account_id)
        practices = staffing.practices_of(db, at.company.id, row.account_id)
        found.append(
            {
                "member": row.id,
                "account": row.account_id,
                "name": account.display_name if account else "",
                "administrator": row.administrator,
                "practices": [one.id for one in practices],
            }
        )
    return {"people": found}


@router.post("/people", status_code=201)
def invite(db: Transaction, at: Decides, once: TheOnce, body: InviteColleague) -> Response:
    """Invite a colleague; the link is in this answer and nowhere else."""

    def work() -> dict[str, Any]:
        members.hold(db, at.company.id)
        invitations.spare(db, body.email.strip(), partner_id=at.company.id)
        invitation, secret = invitations.invite(
            db,
            invited_by=at.visitor.account.id,
            display_name=" ".join(body.name.split()),
            email=body.email.strip(),
            partner_id=at.company.id,
            administrator=body.administrator,
        )
        link = f"{of(db).settings.issuer}/invitations/{secret}"
        return {"invitation": invitation.id, "link": link, "expires_at": invitation.expires_at}

    return once.answer(db, at, work, 201)


@router.post("/people/{m}/administrator")
def name(db: Transaction, at: Decides, once: TheOnce, m: str, body: Named) -> Response:
    """Make one of the people an administrator, or no longer one; the last one stays, and nobody names themselves."""

    def work() -> dict[str, Any]:
        by, wanted = at.visitor.account.id, body.administrator
        staffing.name(db, by=by, partner_id=at.company.id, member_id=m[:64], administrator=wanted)
        return {"member": m, "administrator": wanted}

    return once.answer(db, at, work)


@router.post("/people/{m}/removal")
def let_go(db: Transaction, at: Decides, once: TheOnce, m: str) -> Response:
    """End what ties a person to the company, and at once all they had through it."""

    def work() -> dict[str, Any]:
        by = at.visitor.account.id
        return {"member": m, "ended": staffing.let_go(db, by=by, partner_id=at.company.id, member_id=m[:64])}

    return once.answer(db, at, work)
