"""The access manager's proof that a removal was heard: app by app, with the time each heard it (W-5, SE-3)."""

# ruff: noqa: FAST003 - the guard in the signature takes `p`

from fastapi import APIRouter, Request, Response

from idp.accounts.tables import Account
from idp.transmitter import heard
from idp.wam import receipts
from idp.web import pages
from idp.web.boundary import Transaction
from idp.web.manager import views
from idp.web.manager.guard import Sees

router = APIRouter()


@router.get("/p/{p}/removals/{r}/heard")
def who_heard(request: Request, db: Transaction, acting: Sees, r: str) -> Response:
    """Show who heard of a removal; a reload shows what came since."""
    receipt = receipts.find(db, acting.provider.id, r, "removal")
    numbers = receipt.facts.get("numbers")
    found = heard.revoked(db, *numbers) if numbers else []
    return pages.page(
        request,
        "wam/heard.html",
        who=db.get(Account, receipt.account_id),
        at=receipt.at,
        told=heard.who_heard(db, found),
        receipt_id=receipt.id,
        **views.frame(db, acting.provider, acting.visitor.account.id),
    )
