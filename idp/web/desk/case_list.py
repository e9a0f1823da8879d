"""The lists of cases at the security desk: open, decided, appealed; found by person, practice or number."""

from typing import Annotated, Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Request, Response
from sqlmodel import Session as Db

from idp.accounts.tables import Account
from idp.audit import log
from idp.audit.events import Event
from idp.cases import words
from idp.casework import listing
from idp.casework.listing import STATES, Wanted
from idp.database import of
from idp.errors import Invalid
from idp.providers.tables import Provider
from idp.web import pages
from idp.web.boundary import Transaction
from idp.web.cursors import Cursor
from idp.web.desk import reading, shown
from idp.web.forms import TheForm
from idp.web.guards import Acting, insurer_staff

router = APIRouter()
PATH = "/security/cases"
TEMPLATE = "cases/queue.html"
Staff = Annotated[Acting, Depends(insurer_staff("security.case.work"))]


def _asked(state: str = "open", person: str = "", practice: str = "") -> Wanted:
    return Wanted(state, person[:64], practice[:64])


Asked = Annotated[Wanted, Depends(_asked)]


@router.get(PATH, include_in_schema=False)
def queue(request: Request, staff: Staff, db: Transaction, wanted: Asked, after: str = "") -> Response:
    """List cases in one state, what is due first on top; a search for somebody's is recorded."""
    if wanted.person or wanted.practice:
        log.record(db, Event("security.cases.searched", details=wanted.given()))
    return pages.page(request, TEMPLATE, **_facts(db, staff, wanted, after=after, typed={}))


@router.post(PATH, include_in_schema=False)
def search(request: Request, staff: Staff, db: Transaction, form: TheForm) -> Response:
    """Turn what was typed into ids, so that no name stands in an address, and go there."""
    typed = {name: form.get(name, "").strip()[:200] for name in ("number", "person", "practice", "state")}
    wanted = Wanted(typed["state"] if typed["state"] in STATES else "open")
    known = _facts(db, staff, wanted, typed=typed)
    by = staff.visitor.account.id
    with pages.shown_again(TEMPLATE, known, Invalid):
        if typed["number"]:
            case_id = listing.named(db, typed["number"], by=by)
            if case_id is None:
                raise Invalid(fields={"number": "There is no case with this number. It looks like SC-ABCD-EFGH."})
            return pages.go(request, f"{PATH}/{case_id}")
        asked = {"person": typed["person"], "provider": typed["practice"]}
        try:
            found = reading.understood(
                db, {name: value for name, value in asked.items() if value}, ZoneInfo(of(db).settings.time_zone)
            )
        except Invalid as refusal:
            fields = {"practice" if name == "provider" else name: said for name, said in refusal.fields.items()}
            known["choices"] = [
                (label, _address(Wanted(wanted.state, who))) for who, label in reading.people(db, typed["person"])
            ]
            raise Invalid(fields=fields) from None
    return pages.go(request, _address(Wanted(wanted.state, found.get("person", ""), found.get("provider", ""))))


def _address(wanted: Wanted, **more: str) -> str:
    return f"{PATH}?{urlencode(wanted.given() | more)}"


def _facts(db: Db, staff: Acting, wanted: Wanted, *, typed: dict[str, str], after: str = "") -> dict[str, Any]:
    by = staff.visitor.account.id
    cursor = Cursor(of(db), "security cases", wanted.given() | ({"page": {"token": after}} if after else {}))
    _, last = cursor.page(listing.PAGE, listing.PAGE)
    found = listing.find(db, wanted, by=by, after=last)
    person = db.get(Account, wanted.person) if wanted.person else None
    practice = db.get(Provider, wanted.practice) if wanted.practice else None
    return {
        "acting": shown.acting(staff),
        "wanted": wanted,
        "found": found.lines,
        "onward": _address(wanted, after=cursor.token(found.onward)) if found.onward else None,
        "beginning": _address(wanted) if after else None,
        "appeals": listing.appeals_waiting(db, by=by),
        "states": [
            (key, label, _address(Wanted(key, wanted.person, wanted.practice))) for key, label in STATES.items()
        ],
        "person_name": person.display_name if person else wanted.person,
        "practice_name": practice.name if practice else wanted.practice,
        "everybody": _address(Wanted(wanted.state)),
        "choices": [],
        "typed": typed,
        "words": words,
        "me": by,
        "problem": None,
    }
