"""Searches somebody of the desk keeps by a name; what they ask for is theirs alone, and keeping one is recorded."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from sqlalchemy import CursorResult, delete
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session as Db
from sqlmodel import col, func, select

from idp import entropy
from idp.audit import log, search
from idp.audit.events import Event
from idp.audit.tables import SavedSearch
from idp.errors import Invalid
from idp.web.boundary import Transaction
from idp.web.desk import shown
from idp.web.forms import TheForm
from idp.web.guards import Acting, insurer_staff
from idp.web.pages import go

router = APIRouter()
MOST = 50


@dataclass(frozen=True, slots=True)
class Saved:
    """One saved search."""

    id: str
    name: str
    href: str


def of(db: Db, account_id: str) -> list[Saved]:
    """Return a person's saved searches by name."""
    rows = db.exec(
        select(SavedSearch).where(col(SavedSearch.account_id) == account_id).order_by(col(SavedSearch.name))
    ).all()
    return [Saved(row.id, row.name, shown.address(search.read(row.filters))) for row in rows]


@router.post("/security/search/saved", include_in_schema=False)
def save(
    request: Request, staff: Annotated[Acting, Depends(insurer_staff("audit.search"))], db: Transaction, form: TheForm
) -> Response:
    """Keep a search by a name, or forget one; raise Invalid for a name that is taken or missing."""
    mine = staff.visitor.account.id
    if "forget" in form:
        gone = db.execute(
            delete(SavedSearch).where(col(SavedSearch.id) == form["forget"], col(SavedSearch.account_id) == mine)
        )
        assert isinstance(gone, CursorResult)
        if gone.rowcount:
            log.record(db, Event("audit.search.forgotten", details={"search": form["forget"]}))
        return go(request, shown.SEARCH)
    filters = search.read({name: form[name] for name in search.NAMES if name in form})
    name = " ".join(form["save_as"].split()) if "save_as" in form else ""
    if not 0 < len(name) <= 60 or not name.isprintable():
        raise Invalid(fields={"save-as": "Enter a name of at most 60 characters."})
    kept = db.exec(select(func.count()).select_from(SavedSearch).where(col(SavedSearch.account_id) == mine)).one()
    if kept >= MOST:
        raise Invalid(fields={"save-as": f"You keep {MOST} searches. Forget one first."})
    row = SavedSearch(id=entropy.new_id("sch"), account_id=mine, name=name, filters=filters.given())
    try:
        with db.begin_nested():
            db.add(row)
    except IntegrityError:
        raise Invalid(
            fields={"save-as": "You have a search of that name. Forget it first, or choose another."}
        ) from None
    log.record(db, Event("audit.search.saved", details={"search": row.id, "filters": filters.given()}))
    return go(request, shown.address(filters))
