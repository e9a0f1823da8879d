"""Everything one case's page shows: why, the drawing, the file, answers, notices, and what can be done (ui.md 3.13)."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlmodel import Session as Db

from idp import clock, configuration
from idp.accounts.tables import Account
from idp.audit.events import VOCABULARY
from idp.cases import appeals, context, file, questions, remaining, words
from idp.cases.file import Entry
from idp.cases.tables import CaseQuestion, SecurityCase
from idp.casework import acting, desk, interim
from idp.casework.doing import KINDS
from idp.providers.tables import Provider
from idp.sharing.live import shown as scores
from idp.sharing.live.shown import WHAT
from idp.wam import roster
from idp.web.desk import case_evidence, shown
from idp.web.guards import Acting

TEMPLATE = "cases/one.html"
_NOTHING: dict[str, Any] = {"reasons": (), "guards": (), "events": ()}
_NOTHING |= dict.fromkeys(("words", "why", "upstream", "typed", "report", "receipt", "record", "detector"), "")
SAID = {
    "opened": "Opened",
    "added": "Evidence added",
    "taken": "Taken up",
    "named": "Person named",
    "noted": "Note",
    "asked": "Question sent",
    "answered": "Answered",
    "unanswered": "Not answered in time",
    "question_closed": "Question closed by the decision, with time left",
    "escalated": "Overdue, everybody told",
    "contained": "Sign-ins ended",
    "decided": "Decided",
    "action_asked": "Waits for a second person",
    "acted": "Done",
    "action_refused": "Not done",
    "told": "Notices sent",
    "delayed": "Notices wait",
    "appealed": "Appeal",
    "appeal_decided": "Appeal decided",
    "closed": "Closed",
}


def facts(db: Db, staff: Acting, case: SecurityCase, lanes: str = "") -> dict[str, Any]:
    """Return what the page of a case shows; `lanes` says how the drawing is laid out."""
    by, now = staff.visitor.account.id, clock.now()
    entries = file.entries(db, case.id)
    asked, actions, appeal = questions.of_case(db, case.id), acting.of_case(db, case.id), appeals.of_case(db, case.id)
    ids = {entry.by for entry in entries} | {row.answered_by or "" for row in asked}
    ids |= {one.asked_by for one in actions} | {one.answered_by or "" for one in actions}
    ids |= {one.interim_id or "" for one in actions} | {
        case.worked_by or "",
        case.decided_by or "",
        (appeal.decided_by or "") if appeal else "",
        case.account_id or "",
    }
    places = context.practices(db, case.account_id)
    whom = _whom(db, asked)
    overturned = appeal is not None and appeal.outcome == "overturned"
    open_now = case.status in desk.WORKED
    return {
        "acting": shown.acting(staff),
        "case": case,
        "who": db.get(Account, case.account_id) if case.account_id else None,
        "words": words,
        "said": SAID,
        "names": roster.names_of(db, ids - {""}) | {"system": "The service"},
        "entries": entries,
        "texts": {entry.number: _text(entry, whom) for entry in entries},
        "said_to": {
            str(one.body.get("question")): one.body.get("said", "")
            for one in entries
            if one.kind == "answered" and one.body is not None
        },
        "appeal_said": _body(entries, "appealed").get("said", ""),
        "typed": {"outcome": "", "appeal_reason": ""},
        "evidence": _evidence(db, entries),
        "scored": case.kind in WHAT and scores.known(db, case.account_id, case.kind),
        "drawn": case_evidence.drawn(db, case, lanes),
        "lanes": case_evidence.LANES,
        "events": VOCABULARY,
        "practices": places,
        "asked": asked,
        "askable": _askable(case, asked, [one.id for one in places]) if open_now else [],
        "hours_to_answer": configuration.current(db).clocks.case_answer // timedelta(hours=1),
        "actions": actions,
        "kinds": KINDS,
        "targets": _targets(db, case, actions),
        "offered": case.account_id is not None and case.status == "decided",
        "answered": any(row.answer for row in asked),
        "may_confirm": {
            one.id for one in actions if one.status == "waiting" and by not in (one.asked_by, case.account_id)
        },
        "appeal": appeal,
        "first": _first(case, entries, overturned=overturned),
        "overturned": overturned,
        "appeal_words": _body(entries, "appeal_decided").get("reason", ""),
        "stays": remaining.of_case(db, case) if case.decision == "innocent" else [],
        "closed_early": questions.closed_early,
        "may_judge": appeal is not None and appeal.decided_at is None and by not in appeals.took_part(db, case),
        "appeal_outcomes": appeals.OUTCOMES,
        "earlier": desk.of_person(db, case.account_id, but=case.id) if case.account_id else [],
        "open_now": open_now,
        "overdue": desk.overdue(case),
        "told_later": [entry.at for entry in entries if entry.kind == "told"][1:],
        "late_notice": case.told_at is None and case.tell_due_at is not None and case.tell_due_at <= now,
        "checked": None,
        "problem": None,
    }


def _body(entries: Sequence[Entry], kind: str) -> Mapping[str, Any]:
    """Return what the newest entry of a kind says; nothing where there is none, or its key was destroyed."""
    return next((entry.body for entry in reversed(entries) if entry.kind == kind and entry.body is not None), {})


def _first(case: SecurityCase, entries: Sequence[Entry], *, overturned: bool) -> list[str]:
    """Return what was decided, in words, as the file has it: an appeal that was won does not rewrite it."""
    kept = {} if overturned else {"decision": case.decision or "", "cause": case.cause or ""}
    body = _body(entries, "decided") or kept
    found = (words.DECISIONS.get(body.get("decision", "")), words.CAUSES.get(body.get("cause", "")))
    return [one for one in (*found, words.PATTERNS.get(body.get("pattern", ""))) if one]


def _askable(case: SecurityCase, asked: Sequence[Any], places: Sequence[str]) -> list[str]:
    """Return whom a question could go to: the person, practices; not who has one out already."""
    out = {row.whom for row in asked if row.answered_at is None and row.closed_at is None}
    could = ([case.account_id] if case.account_id else []) + list(places)
    return [one for one in could if one not in out]


def _targets(db: Db, case: SecurityCase, actions: Sequence[Any]) -> dict[str, str]:
    known: dict[str, str] = {}
    for kind in {one.kind for one in actions}:
        known |= acting.targets(db, case, kind)
    return {one.target: known.get(one.target, one.target) for one in actions}


def name_of(db: Db, case: SecurityCase) -> str:
    """Return the name of whom a case is about, "" for nobody known."""
    return roster.names_of(db, {case.account_id}).get(case.account_id, "") if case.account_id else ""


def candidates(db: Db, case: SecurityCase) -> list[Account]:
    """Return who could manage access meanwhile, wherever the person is the only one."""
    if case.account_id is None:
        return []
    return interim.for_all(interim.left_without(db, interim.managed(db, context.person(db, case))))


def _evidence(db: Db, entries: Sequence[Entry]) -> list[Mapping[str, Any]]:
    """Return the evidence of the newest finding, then what else was put in, each with its entry's number."""
    found = [
        {**_NOTHING, "number": entry.number, "at": entry.at, **entry.body.get("evidence", {})}
        for entry in entries
        if entry.kind in ("opened", "added") and entry.body is not None
    ]
    rested = [
        one | {"rests_on": case_evidence.rests_on(db, one), "weighed": case_evidence.weighed(db, one)} for one in found
    ]
    return sorted(rested, key=lambda one: -one["number"])


def _whom(db: Db, asked: Sequence[CaseQuestion]) -> dict[str, str]:
    """Return by question whom it was put to."""
    people = roster.names_of(db, {row.whom for row in asked if row.audience == "person"})
    found = {}
    for row in asked:
        practice = db.get(Provider, row.whom) if row.audience == "practice" else None
        at = f"the access managers of {practice.name if practice else row.whom}"
        found[row.id] = people.get(row.whom, row.whom) if row.audience == "person" else at
    return found


def _text(entry: Entry, whom: Mapping[str, str]) -> str:
    """Say an entry in a line of words; the exact content stands beside it."""
    body = entry.body
    if body is None:
        return "The person's key was destroyed; what was written can't be read any more."
    evidence = body.get("evidence", {})
    chosen = words.PERSON_ANSWERS.get(str(body.get("answer"))) or words.PRACTICE_ANSWERS.get(str(body.get("answer")))
    said = str(body.get("said") or "")
    parts = [
        f"to {whom[str(body['question'])]}" if entry.kind == "asked" and body.get("question") in whom else None,
        f"asked were {whom[str(body['question'])]}"
        if entry.kind == "unanswered" and body.get("question") in whom
        else None,
        chosen,
        f"in their words: “{said}”" if said and entry.kind in ("answered", "appealed") else said,
        body.get("why"),
        body.get("did"),
        words.DECISIONS.get(str(body.get("decision"))),
        words.CAUSES.get(str(body.get("cause"))),
        appeals.OUTCOMES.get(str(body.get("outcome"))),
        KINDS[str(body["kind"])].label if body.get("kind") in KINDS else None,
        body.get("reason"),
        evidence.get("words"),
        evidence.get("why"),
        f"the detector, score {evidence['score']}" if "score" in evidence else None,
        f"report {evidence['receipt']}" if "receipt" in evidence else None,
        "the person has no address for notices: call them" if body.get("mails_to_person") == 0 else None,
    ]
    return ". ".join(str(part).rstrip(".") for part in parts if part)
