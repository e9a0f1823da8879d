"""The access manager's proofs: that a removal was heard, app by app (W-5, SE-3), and the log's signed receipt."""

# ruff: noqa: FAST003 - the guard in the signature takes `p`

import orjson
from fastapi import APIRouter, Request, Response

from idp.accounts.tables import Account
from idp.errors import NotFound
from idp.transmitter import heard
from idp.wam import receipts
from idp.web import pages
from idp.web.boundary import Transaction
from idp.web.manager import views
from idp.web.manager.guard import Sees, seen_lines

router = APIRouter()


@router.get("/p/{p}/removals/{r}/heard")
def who_heard(request: Request, db: Transaction, acting: Sees, r: str) -> Response:
    """Show who heard of a removal; a reload shows what came since."""
    receipt = receipts.find(db, acting.provider.id, r, "removal", seen_lines(db, acting))
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


@router.get("/p/{p}/receipts/{r}/signed.json", include_in_schema=False)
def signed(db: Transaction, acting: Sees, r: str) -> Response:
    """Give out the log's signed promise of what a change recorded (docs/access-managers.md)."""
    receipt = receipts.at(db, acting.provider.id, r, seen_lines(db, acting))
    if receipt.promise is None:
        raise NotFound("This change was made before receipts were signed.")
    headers = {"Content-Disposition": f'attachment; filename="receipt-{receipt.id}.json"', "Cache-Control": "no-store"}
    content = orjson.dumps(receipt.promise, option=orjson.OPT_INDENT_2)
    return Response(content, media_type="application/json", headers=headers)
