"""Cases at the security desk: one case, taking it up, notes, questions, notices (SE-2)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from idp.audit import log
from idp.audit.events import Event
from idp.cases import file, questions, telling, words
from idp.cases.tables import SecurityCase
from idp.casework import deciding, desk
from idp.errors import Conflict, Invalid, NotEntitled
from idp.web import pages
from idp.web.boundary import Transaction
from idp.web.desk import case_list, case_page, deciding_cases, shown
from idp.web.forms import TheForm
from idp.web.guards import Acting, insurer_staff

router = APIRouter()
PATH = "/security/cases"
Staff = Annotated[Acting, Depends(insurer_staff("security.case.work"))]


@router.get(f"{PATH}/new", include_in_schema=False)
def new_page(request: Request, staff: Staff, db: Transaction, account: str = "", record: str = "") -> Response:
    """Ask whom it is about and why; search and a person's page lead here with the person filled in."""
    return pages.page(request, "cases/new.html", **_new(staff, {"account": account[:64], "record": record[:20]}))


@router.post(f"{PATH}/new", include_in_schema=False)
def new(request: Request, staff: Staff, db: Transaction, form: TheForm) -> Response:
    """Open a case by hand."""
    account, kind, why, record = form.of("account", "kind", "why", "record")
    number = int(record) if record.isascii() and record.isdigit() and len(record) < 16 else None
    with pages.shown_again("cases/new.html", _new(staff, dict(form)), Invalid):
        case = desk.open_by_hand(db, by=staff.visitor.account.id, account_id=account, kind=kind, why=why, record=number)
    return pages.go(request, f"{PATH}/{case.id}")


def _new(staff: Acting, typed: dict[str, str]) -> dict[str, Any]:
    values = {name: typed.get(name, "")[:1000] for name in ("account", "kind", "why", "record")}
    return {"acting": shown.acting(staff), "typed": values, "words": words, "problem": None}


@router.get(f"{PATH}/{{c}}", include_in_schema=False)
def one(request: Request, staff: Staff, db: Transaction, c: str, lanes: str = "") -> Response:
    """Show a case; that it was looked at is recorded."""
    case = desk.seen_by(db, c, staff.visitor.account.id)
    return pages.page(request, case_page.TEMPLATE, **case_page.facts(db, staff, case, lanes))


@contextmanager
def _again(db: Transaction, staff: Acting, c: str) -> Iterator[None]:
    """Show a refusal on the page of the case."""
    case = db.get(SecurityCase, c[:64])
    if case is None or case.account_id == staff.visitor.account.id:
        yield  # refused as not there, in every case
        return
    known = case_page.facts(db, staff, case)
    with pages.shown_again(case_page.TEMPLATE, known, Invalid, Conflict, NotEntitled):
        yield


@router.post(f"{PATH}/{{c}}/take", include_in_schema=False)
def take(request: Request, staff: Staff, db: Transaction, c: str, form: TheForm) -> Response:
    """Take the case up; the triage clock stops."""
    with _again(db, staff, c):
        desk.take(db, c, by=staff.visitor.account.id)
    return pages.go(request, f"{PATH}/{c}")


@router.post(f"{PATH}/{{c}}/note", include_in_schema=False)
def note(request: Request, staff: Staff, db: Transaction, c: str, form: TheForm) -> Response:
    """Add a note to the file."""
    with _again(db, staff, c):
        desk.note(db, c, by=staff.visitor.account.id, said=form.get("said", "").replace("\r\n", "\n"))
    return pages.go(request, f"{PATH}/{c}#file")


@router.post(f"{PATH}/{{c}}/name", include_in_schema=False)
def name(request: Request, staff: Staff, db: Transaction, c: str, form: TheForm) -> Response:
    """Say whom a case is about that names nobody yet."""
    with _again(db, staff, c):
        desk.name(db, c, by=staff.visitor.account.id, account_id=form.get("account", "").strip())
    return pages.go(request, f"{PATH}/{c}")


@router.post(f"{PATH}/{{c}}/ask", include_in_schema=False)
def ask(request: Request, staff: Staff, db: Transaction, c: str, form: TheForm) -> Response:
    """Ask the person, or a practice's access managers."""
    by = staff.visitor.account.id
    with _again(db, staff, c):
        case = desk.held_by(db, c, by)
        if case.status not in desk.WORKED:
            raise Conflict("This case is decided.")
        whom = form.get("whom", "")
        if not whom:
            raise Invalid(fields={"whom": "Choose whom to ask."})
        asked = (
            questions.ask_person(db, case, by=by) if whom == "person" else questions.ask_practice(db, case, whom, by=by)
        )
        if not asked:
            raise Conflict("This was asked already, or there is nobody to ask: no other access manager.")
    return pages.go(request, f"{PATH}/{c}#answers")


@router.post(f"{PATH}/{{c}}/notices", include_in_schema=False)
def notices(request: Request, staff: Staff, db: Transaction, c: str, form: TheForm) -> Response:
    """Write the notices now, or say why they wait."""
    by = staff.visitor.account.id
    with _again(db, staff, c):
        if form.get("what") == "wait":
            desk.held_by(db, c, by)
            telling.delay(db, c, by=by, why=form.get("why", ""))
        else:
            deciding.tell_now(db, c, by=by)
    return pages.go(request, f"{PATH}/{c}#notices")


@router.post(f"{PATH}/{{c}}/verify", include_in_schema=False)
def verify(request: Request, staff: Staff, db: Transaction, c: str, form: TheForm) -> Response:
    """Verify the file against its digests and the log, and show what was found."""
    case = desk.seen_by(db, c, staff.visitor.account.id)
    found = file.check(db, case)
    details = {"case": case.id, "entries": found.entries, "whole": found.whole}
    outcome = "done" if found.whole else "failed"
    log.record(
        db, Event("security.case.verified", account=case.account_id, reason=case.id, outcome=outcome, details=details)
    )
    return pages.page(request, case_page.TEMPLATE, **{**case_page.facts(db, staff, case), "checked": found})


router.include_router(case_list.router)
router.include_router(deciding_cases.router)
