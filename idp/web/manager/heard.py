"""The access manager's proofs: that a removal was heard, app by app (W-5, SE-3), and the log's signed receipt."""

# ruff: noqa: FAST003 - the guard in the signature takes `p`

from fastapi import APIRouter, Request, Response

from idp.accounts.tables import Account
from idp.transmitter import heard
from idp.wam import receipts
from idp.web import pages, promised, saved
from idp.web.boundary import Transaction
from idp.web.manager import views
from idp.web.manager.guard import Sees, lines_seen

router = APIRouter()


@router.get("/p/{p}/removals/{r}/heard")
def who_heard(request: Request, db: Transaction, acting: Sees, r: str) -> Response:
    """Show who heard of a removal; a reload shows what came since."""
    receipt = receipts.find(db, acting.provider.id, r, "removal", lines_seen(db, acting))
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


@router.get("/p/{p}/receipts/{r}")
def read(request: Request, db: Transaction, acting: Sees, r: str) -> Response:
    """Show a signed receipt in plain words, to read and print."""
    receipt = receipts.at(db, acting.provider.id, r, lines_seen(db, acting))
    here = f"/p/{acting.provider.id}"
    told = promised.of_practice(receipt, save=f"{here}/receipts/{r}/signed.json", back=views.about(receipt))
    frame = views.frame(db, acting.provider, acting.visitor.account.id)
    current = promised.UNDER.get(receipt.kind, "People")
    return promised.page(request, db, receipt.promise, told, area="practice", current=current, **frame)


@router.get("/p/{p}/receipts/{r}/signed.json", include_in_schema=False)
def signed(db: Transaction, acting: Sees, r: str) -> Response:
    """Give out the log's signed promise of what a change recorded (docs/access-managers.md)."""
    receipt = receipts.at(db, acting.provider.id, r, lines_seen(db, acting))
    return saved.signed(receipt.id, receipt.promise)
