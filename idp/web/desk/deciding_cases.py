"""Decide a case and act on it: choose, see who and what is affected, confirm; the second person's page (SE-3)."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from sqlmodel import Session as Db

from idp.cases import appeals, words
from idp.cases.tables import SecurityCase
from idp.casework import acting, deciding, desk
from idp.casework.acting import Wish
from idp.casework.deciding import Verdict
from idp.errors import Conflict, Invalid, NotEntitled
from idp.wam import roster
from idp.web import pages
from idp.web.boundary import Transaction
from idp.web.desk import case_page, shown
from idp.web.forms import Form, TheForm
from idp.web.guards import Acting, insurer_staff

router = APIRouter()
PATH = "/security/cases"
CHECK = "cases/check.html"
Staff = Annotated[Acting, Depends(insurer_staff("security.case.work"))]
Acts = Annotated[Acting, Depends(insurer_staff("security.access.revoke"))]
"""May take something away; needs a fresh second factor."""


@router.post(f"{PATH}/{{c}}/check", include_in_schema=False)
def check(request: Request, staff: Acts, db: Transaction, c: str, form: TheForm) -> Response:
    """Show who and what is affected; nothing is done yet."""
    case = desk.seen_by(db, c, staff.visitor.account.id)
    known = case_page.facts(db, staff, case) | {"typed": _typed(form)}
    with pages.shown_again(case_page.TEMPLATE, known, Invalid, Conflict):
        return pages.page(request, CHECK, **_preview(db, staff, case, form))


@router.post(f"{PATH}/{{c}}/decide", include_in_schema=False)
def decide(request: Request, staff: Acts, db: Transaction, c: str, form: TheForm) -> Response:
    """Decide and act in one transaction, after the preview; a case that changed since is shown again."""
    by = staff.visitor.account.id
    case = desk.seen_by(db, c, by)
    verdict, wishes, seen = _verdict(form), _wishes(form), _number(form.get("seen", ""))
    with pages.shown_again(CHECK, lambda: _preview(db, staff, case, form), Invalid, Conflict, NotEntitled):
        if verdict is not None:
            deciding.decide(db, c, verdict, wishes, by=by, seen=seen)
        else:
            for place, wish in enumerate(wishes):
                acting.want(db, c, wish, by=by, reason=form.get("reason", ""), seen=seen if place == 0 else None)
    return pages.go(request, f"{PATH}/{c}")


@router.post(f"{PATH}/{{c}}/second", include_in_schema=False)
def second(request: Request, staff: Acts, db: Transaction, c: str, form: TheForm) -> Response:
    """Want an action as the second person, or refuse it."""
    by = staff.visitor.account.id
    case = desk.seen_by(db, c, by)
    known = case_page.facts(db, staff, case)
    with pages.shown_again(case_page.TEMPLATE, known, Invalid, Conflict, NotEntitled):
        if form.get("answer") == "confirm":
            acting.confirm(db, form.get("which", ""), case_id=case.id, by=by)
        else:
            acting.refuse(db, form.get("which", ""), case_id=case.id, by=by)
    return pages.go(request, f"{PATH}/{c}#actions")


@router.post(f"{PATH}/{{c}}/appeal", include_in_schema=False)
def appeal(request: Request, staff: Staff, db: Transaction, c: str, form: TheForm) -> Response:
    """Decide an appeal as somebody who had no part in the decision."""
    by = staff.visitor.account.id
    case = desk.seen_by(db, c, by)
    known = case_page.facts(db, staff, case)
    with pages.shown_again(case_page.TEMPLATE, known, Invalid, Conflict, NotEntitled):
        outcome, reason = form.of("outcome", "appeal_reason")
        appeals.decide(db, c, by=by, outcome=outcome, reason=reason)
    return pages.go(request, f"{PATH}/{c}#appeal")


def _verdict(form: Form) -> Verdict | None:
    """Read what was decided; None for "only act"."""
    decision, reason, cause, pattern = form.of("decision", "reason", "cause", "pattern")
    if decision == "none":
        return None
    cause = cause if decision == "innocent" else ""
    return Verdict(decision, reason, cause, pattern if decision == "substantiated" else "")


def _wishes(form: Form) -> tuple[Wish, ...]:
    interim = form.get("interim") or None
    return tuple(Wish(key, form.get(f"target-{key}", ""), interim) for key in form.list_of("action"))


def _number(typed: str) -> int | None:
    return int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 9 else None


def _typed(form: Form) -> dict[str, Any]:
    typed = {name: value[:1000] for name, value in form.items()}
    return case_page.NOTHING_TYPED | typed | {"actions": form.list_of("action")}


def _preview(db: Db, staff: Acting, case: SecurityCase, form: Form) -> dict[str, Any]:
    verdict, wishes = _verdict(form), _wishes(form)
    if verdict is not None:
        deciding.check(verdict)
    elif not wishes:
        raise Invalid(fields={"decision": "Choose what you found, or an action."})
    reason = acting.checked_reason(form.get("reason", ""))
    effects = [acting.preview(db, case, wish) for wish in wishes]
    return {
        "acting": shown.acting(staff),
        "case": case,
        "verdict": verdict,
        "reason": reason,
        "effects": effects,
        "wishes": wishes,
        "left": [line for effect in effects for line in effect.left],
        "candidates": case_page.candidates(db, case) if any(effect.left for effect in effects) else [],
        "interim": form.get("interim", ""),
        "who": roster.names_of(db, {case.account_id}).get(case.account_id, "") if case.account_id else "",
        "words": words,
        "seen": _number(form.get("seen", "")) or case.entries,
        "problem": None,
    }
