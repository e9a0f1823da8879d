"""Decide a case and act on it: choose, see who and what is affected, confirm; the second person's page (SE-3)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from sqlmodel import Session as Db

from idp.cases import appeals, questions, words
from idp.cases.answers import CHANGE, SEND
from idp.cases.tables import CaseAction, SecurityCase
from idp.casework import acting, deciding, desk, judging, second_words
from idp.casework.acting import Wish
from idp.casework.deciding import Verdict
from idp.casework.doing import KINDS, TAKES
from idp.errors import Conflict, Invalid, NotEntitled, NotFound
from idp.providers.tables import Provider
from idp.web import pages, promised, saved
from idp.web.boundary import Transaction
from idp.web.desk import case_page, shown
from idp.web.forms import Form, TheForm
from idp.web.guards import Acting, insurer_staff

router = APIRouter()
PATH = "/security/cases"
DECIDE, CHECK, JUDGE = "cases/decide.html", "cases/check.html", "cases/judge.html"
ONLY_ACT = "none"
NOTHING_TYPED: dict[str, Any] = {"decision": "", "pattern": "", "cause": "", "reason": "", "actions": (), "seen": ""}
GROUPS = {
    "": ("education", "end_sessions", "new_credentials", "hold_login"),
    "Take access away": ("pause_access", "end_access", "end_manager", "suspend", "close"),
    "Give back": ("resume_access", "lift_hold"),
    "Refer to others": ("refer_partner", "refer_privacy"),
}
"""What can be done, the mildest first; the first group stands open."""
Staff = Annotated[Acting, Depends(insurer_staff("security.case.work"))]
Acts = Annotated[Acting, Depends(insurer_staff("security.access.revoke"))]
"""May take something away or give it back; needs a fresh second factor."""


@router.get(f"{PATH}/{{c}}/decide", include_in_schema=False)
def reasons(request: Request, staff: Acts, db: Transaction, c: str, found: str = "") -> Response:
    """Ask for the reason of what was found, and what is done about it; nothing is done by asking."""
    case = desk.seen_by(db, c, staff.visitor.account.id)
    if found not in (*words.DECISIONS, ONLY_ACT):
        return _unchosen(request, staff, db, case)
    return pages.page(request, DECIDE, **_choices(db, staff, case, {"decision": found}))


@router.post(f"{PATH}/{{c}}/check", include_in_schema=False)
def check(request: Request, staff: Acts, db: Transaction, c: str, form: TheForm) -> Response:
    """Show who and what is affected; nothing is done yet."""
    case = desk.seen_by(db, c, staff.visitor.account.id)
    typed = _typed(form)
    if typed["decision"] not in (*words.DECISIONS, ONLY_ACT):
        return _unchosen(request, staff, db, case)
    with pages.shown_again(DECIDE, lambda: _choices(db, staff, case, typed), Invalid, Conflict):
        return pages.page(request, CHECK, **_preview(db, staff, case, form))


@router.post(f"{PATH}/{{c}}/decide", include_in_schema=False)
def decide(request: Request, staff: Acts, db: Transaction, c: str, form: TheForm) -> Response:
    """Decide and act in one transaction, after the preview; a case that changed since is shown again."""
    by = staff.visitor.account.id
    case = desk.seen_by(db, c, by)
    if form.get("go") == CHANGE:
        return pages.page(request, DECIDE, **_choices(db, staff, case, _typed(form)))
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
            second_words.confirm(db, form.get("which", ""), case_id=case.id, by=by)
        else:
            second_words.refuse(db, form.get("which", ""), case_id=case.id, by=by)
    return pages.go(request, f"{PATH}/{c}#actions")


@router.get(f"{PATH}/{{c}}/actions/{{which}}/receipt", include_in_schema=False)
def read(request: Request, staff: Staff, db: Transaction, c: str, which: str) -> Response:
    """Show the signed receipt of an action in plain words."""
    found = _done(db, staff, c, which)
    case = desk.seen_by(db, c, staff.visitor.account.id)
    here = f"{PATH}/{c}"
    told = promised.Told(
        number=found.id,
        title=KINDS[found.kind].label,
        by=found.asked_by,
        save=f"{here}/actions/{which}/receipt.json",
        back=(f"{here}#actions", "Back to the case"),
        whom=case.account_id,
        why=found.reason,
        staff=True,
    )
    frame = {"acting": shown.acting(staff), "area": "security", "current": "Cases"}
    return promised.page(request, db, found.promise, told, **frame)


@router.get(f"{PATH}/{{c}}/actions/{{which}}/receipt.json", include_in_schema=False)
def receipt(staff: Staff, db: Transaction, c: str, which: str) -> Response:
    """Give out the log's signed promise of what an action recorded (docs/security-staff.md)."""
    found = _done(db, staff, c, which)
    return saved.signed(found.id, found.promise)


def _done(db: Db, staff: Acting, c: str, which: str) -> CaseAction:
    """Return an action of a case this person may see that left a promise; raise NotFound."""
    case = desk.seen_by(db, c, staff.visitor.account.id)
    found = acting.find(db, which)
    if found.case_id != case.id or found.promise is None:
        raise NotFound("This was not done, or before receipts were signed.")
    return found


@router.post(f"{PATH}/{{c}}/appeal", include_in_schema=False)
def appeal(request: Request, staff: Acts, db: Transaction, c: str, form: TheForm) -> Response:
    """Show what is about to be decided on an appeal; then decide it, as somebody who had no part in the decision."""
    by = staff.visitor.account.id
    case = desk.seen_by(db, c, by)
    outcome, reason = form.of("outcome", "appeal_reason")
    known = case_page.facts(db, staff, case)
    known |= {"typed": {"outcome": outcome[:20], "appeal_reason": reason[:1000]}}
    if form.get("go") == CHANGE:
        return pages.page(request, case_page.TEMPLATE, **known)
    with pages.shown_again(case_page.TEMPLATE, known, Invalid, Conflict, NotEntitled):
        if form.get("go") != SEND:
            appeals.judged(db, c, by=by, outcome=outcome, reason=reason)
            return pages.page(request, JUDGE, **known)
        judging.decide(db, c, by=by, outcome=outcome, reason=reason)
    return pages.go(request, f"{PATH}/{c}#appeal")


def _verdict(form: Form) -> Verdict | None:
    """Read what was decided; None for "only act"."""
    decision, reason, cause, pattern = form.of("decision", "reason", "cause", "pattern")
    if decision == ONLY_ACT:
        return None
    cause = cause if decision == "innocent" else ""
    return Verdict(decision, reason, cause, pattern if decision == "substantiated" else "")


def _wishes(form: Form) -> tuple[Wish, ...]:
    """Read what is wanted: the kind of action, and after a colon what it is about."""
    interim = form.get("interim") or None
    wanted = (value.partition(":") for value in form.list_of("action"))
    return tuple(dict.fromkeys(Wish(kind, target, interim) for kind, _, target in wanted))


def _number(typed: str) -> int | None:
    return int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 9 else None


def _typed(form: Form) -> dict[str, Any]:
    typed = {name: value[:1000] for name, value in form.items()}
    return NOTHING_TYPED | typed | {"actions": form.list_of("action")}


def _unchosen(request: Request, staff: Acting, db: Db, case: SecurityCase) -> Response:
    known = case_page.facts(db, staff, case) | {"fields": {"found": "Choose what you found."}}
    return pages.page(request, case_page.TEMPLATE, status=422, **known)


def _choices(db: Db, staff: Acting, case: SecurityCase, typed: dict[str, Any]) -> dict[str, Any]:
    """Return what the page shows that asks for the reason and what is done."""
    typed = NOTHING_TYPED | typed
    return {
        "acting": shown.acting(staff),
        "case": case,
        "who": case_page.name_of(db, case),
        "found": typed["decision"],
        "words": words,
        "typed": typed,
        "seen": _number(str(typed["seen"])) or case.entries,
        "offered": _offered(db, case, typed["actions"], innocent="innocent" in (typed["decision"], case.decision)),
        "still_asked": _still_asked(db, case) if typed["decision"] != ONLY_ACT else [],
        "problem": None,
    }


def _still_asked(db: Db, case: SecurityCase) -> list[tuple[str, datetime]]:
    """Return who could still answer a question, and until when: deciding takes that from them."""
    rows, person = questions.open_of_case(db, case.id), case_page.name_of(db, case)
    return [(person if one.audience == "person" else _managers(db, one.whom), one.due_at) for one in rows]


def _managers(db: Db, provider_id: str) -> str:
    return f"{db.get_one(Provider, provider_id).name}'s access managers"


def _offered(
    db: Db, case: SecurityCase, chosen: Sequence[str], *, innocent: bool
) -> list[tuple[str, bool, list[tuple[str, str, bool]]]]:
    """Return what could be done, in groups: heading, whether it stands open, and each thing with its value.

    What is mild and about the whole login stands open; what takes access away is one click further, and never
    offered about somebody innocent.
    """
    groups = []
    for title, kinds in GROUPS.items():
        wishes = []
        for key in kinds:
            if innocent and key in TAKES:
                continue
            kind = KINDS[key]
            for target, name in acting.targets(db, case, key).items():
                label = kind.label if kind.about == "account" else f"{kind.label}: {name}"
                wishes.append((f"{key}:{target}" if target else key, label, kind.always_two))
        if wishes:
            groups.append((title, any(value in chosen for value, *_ in wishes), wishes))
    return groups


def _preview(db: Db, staff: Acting, case: SecurityCase, form: Form) -> dict[str, Any]:
    verdict, wishes = _verdict(form), _wishes(form)
    if verdict is not None:
        deciding.check(verdict, wishes)
    elif not wishes:
        raise Invalid(fields={"action": "Choose what is done."})
    reason = acting.checked_reason(form.get("reason", ""))
    effects = [acting.preview(db, case, wish) for wish in wishes]
    return {
        "acting": shown.acting(staff),
        "case": case,
        "verdict": verdict,
        "reason": reason,
        "effects": effects,
        "still_asked": _still_asked(db, case) if verdict is not None else [],
        "wishes": wishes,
        "left": [line for effect in effects for line in effect.left],
        "candidates": case_page.candidates(db, case) if any(effect.left for effect in effects) else [],
        "interim": form.get("interim", ""),
        "who": case_page.name_of(db, case),
        "words": words,
        "seen": _number(form.get("seen", "")) or case.entries,
        "problem": None,
    }
