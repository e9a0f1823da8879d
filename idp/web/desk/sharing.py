"""Scores of the sharing detector: who is above a line now, and one score explained with its evidence over time."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request, Response

from idp.accounts import humans
from idp.accounts.tables import Account
from idp.audit import log
from idp.audit.events import Event
from idp.audit.search import Filters
from idp.cases import words as case_words
from idp.casework import listing
from idp.errors import NotFound
from idp.sharing import words
from idp.sharing.live import shown as scores
from idp.sharing.score import BANDS, weights
from idp.sharing.score import shown as hundredth
from idp.web.boundary import Transaction
from idp.web.desk import drawing, shown
from idp.web.guards import Acting, insurer_staff
from idp.web.pages import page

router = APIRouter()
MayWork = Annotated[Acting, Depends(insurer_staff("security.case.work"))]
What = Literal["sharing", "takeover"]


@router.get("/security/sharing", include_in_schema=False)
def above(request: Request, staff: MayWork, db: Transaction, what: What = "sharing") -> Response:
    """List logins above the lowest line now; looking is recorded."""
    own = humans.same(db, staff.visitor.account.id)
    found = [one for one in scores.listed(db, what) if one.account_id not in own]
    log.record(db, Event("security.scores.viewed", details={"what": what, "shown": len(found)}))
    names = {one.account_id: _name(db, one.account_id) for one in found}
    return page(
        request,
        "audit/sharing.html",
        acting=shown.acting(staff),
        what=what,
        found=found,
        names=names,
        cases=listing.newest_of(db, names, what, by=staff.visitor.account.id),
        case_words=case_words,
        state=scores.state(db),
        lines=_lines(what),
        most=scores.MOST,
    )


@router.get("/security/sharing/{account_id}", include_in_schema=False)
def one(request: Request, account_id: str, staff: MayWork, db: Transaction, what: What = "sharing") -> Response:
    """Explain one login's score, never the reader's own; looking is recorded under its person."""
    if account_id in humans.same(db, staff.visitor.account.id):
        raise NotFound
    found = scores.explained(db, account_id, what)
    log.record(db, Event("security.score.viewed", account=account_id, details={"what": what, "score": found.score}))
    return page(
        request,
        "audit/score.html",
        acting=shown.acting(staff),
        what=what,
        found=found,
        name=_name(db, account_id),
        case=listing.newest_of(db, [account_id], what, by=staff.visitor.account.id).get(account_id),
        case_words=case_words,
        meter=drawing.meter(found.score, _lines(what)),
        drawn=drawing.scores(found.days, _lines(what)) if found.days else None,
        lines=_lines(what),
        width=drawing.WIDTH,
        titles=words.KINDS,
        search=shown.address(Filters(person=account_id)),
    )


def _name(db: Transaction, account_id: str) -> str:
    account = db.get(Account, account_id)
    return account.display_name if account is not None else account_id


def _lines(what: str) -> dict[str, int]:
    """Return the lines as scores from 0 to 100."""
    by = weights(what)
    return {band: hundredth(by.lines[band]) for band in BANDS}
