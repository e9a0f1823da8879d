"""An access manager asks why one of their people may or may not do something, and what would change it."""

# ruff: noqa: FAST003 - the guard in the signature takes `p`

from typing import Any

from fastapi import APIRouter, Request, Response

from idp.database import of
from idp.errors import Invalid
from idp.wam import authority, roster
from idp.web import pages, whatif
from idp.web.boundary import Transaction
from idp.web.manager import views
from idp.web.manager.guard import Sees, lines_seen

router = APIRouter()


@router.get("/p/{p}/people/{a}/why", include_in_schema=False)
def why(request: Request, db: Transaction, acting: Sees, a: str) -> Response:
    """Show what each check says of this person here, now or on a day, as it is or as it would be."""
    provider_id = acting.provider.id
    who = authority.person(db, provider_id, a).account
    given = whatif.query(request.query_params.multi_items(), whatif.NAMES)
    lines = lines_seen(db, acting)
    theirs = {one.line_of_business for one in authority.not_ended(db, provider_id, a)}
    given.setdefault("line", next((line for line in lines if line in theirs), lines[0]))
    if given["line"] not in lines:
        raise Invalid(fields={"line": "Choose a line of business that is yours."})
    known = whatif.choices(db, a, provider_id, given["line"])
    frame: dict[str, Any] = views.frame(db, acting.provider, acting.visitor.account.id) | {"who": who}
    roster.looked_at(db, provider_id, a)
    if not given.get("function"):
        return pages.page(request, "wam/why.html", **frame, given=given, explanation=None, **whatif.forms(db, known))
    question = whatif.asked(a, provider_id, given, known, of(db).settings.time_zone)
    return pages.page(request, "wam/why.html", **frame, **whatif.shown(db, question, given, known))
