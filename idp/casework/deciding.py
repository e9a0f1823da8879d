"""Decide a case once, with a reason, and the label it leaves; those concerned are told (SE-3)."""

from dataclasses import dataclass

from sqlmodel import Session as Db

from idp import clock
from idp.cases import file, labels, questions, telling, urgency, withdrawing, words
from idp.cases.tables import SecurityCase
from idp.casework import acting, desk, giving_back
from idp.casework.acting import Wish
from idp.casework.doing import TAKES
from idp.errors import Conflict, Invalid
from idp.security import reports


@dataclass(frozen=True, slots=True)
class Verdict:
    """What somebody of the desk decided."""

    decision: str
    reason: str
    cause: str = ""
    """Why it is innocent."""
    pattern: str = ""
    """How it was shared."""


def decide(
    db: Db, case_id: str, verdict: Verdict, wishes: tuple[Wish, ...] = (), *, by: str, seen: int | None = None
) -> SecurityCase:
    """Decide a case, act, and tell those concerned, in one transaction.

    Raises NotFound (also for a case about oneself), Invalid without decision, reason or cause, Conflict when it was
    decided or changed meanwhile; and what the actions raise: then nothing is decided either.
    """
    check(verdict, wishes)
    case = desk.held_by(db, case_id, by, seen=seen)
    if case.status not in desk.WORKED:
        raise Conflict("This case is decided, or it is a private question.")
    if case.account_id is None and verdict.decision in ("substantiated", "compromised"):
        raise Conflict("Say first whom this case is about.")
    now = clock.now()
    case.status, case.decision, case.decided_at, case.decided_by = "decided", verdict.decision, now, by
    case.cause, case.triaged_at = verdict.cause or None, case.triaged_at or now
    questions.close_all(db, case, by=by)
    if verdict.decision in ("innocent", "inconclusive"):
        withdrawing.waiting(db, case, by=by)
    reason = " ".join(verdict.reason.split())
    body = {"decision": verdict.decision, "reason": reason, "cause": verdict.cause, "pattern": verdict.pattern}
    file.write(db, case, "decided", body, by=by, tell={"decision": verdict.decision, "cause": verdict.cause})
    labels.put(db, case, by=by, pattern=verdict.pattern or verdict.cause or verdict.decision)
    reports.close_of_case(db, case.id, by=by, outcome=f"Decided in case {case.reference}.")
    urgency.owe_notice(db, case)  # before what is done: the notice of the decision tells that too
    for wish in dict.fromkeys(wishes):
        acting.want(db, case.id, wish, by=by, reason=reason)
    if verdict.decision == "innocent":
        giving_back.give(db, case, by=by, reason=reason)
    db.add(case)
    db.flush()
    return case


def check(verdict: Verdict, wishes: tuple[Wish, ...] = ()) -> None:
    """Raise Invalid for a verdict that is not whole, or that takes something from somebody found innocent."""
    fields = {}
    if verdict.decision not in words.DECISIONS:
        fields["decision"] = "Choose what you found."
    if verdict.decision == "innocent" and verdict.cause not in words.CAUSES:
        fields["cause"] = "Choose the cause."
    if verdict.decision == "substantiated" and verdict.pattern not in words.PATTERNS:
        fields["pattern"] = "Choose how the login was shared."
    if verdict.decision == "innocent" and any(wish.kind in TAKES for wish in wishes):
        fields["action"] = "Nothing is taken from somebody who is innocent. Choose something else to do, or to find."
    if not 10 <= len(" ".join(verdict.reason.split())) <= 1000:
        fields["reason"] = "Say why, in 10 to 1000 characters."
    if fields:
        raise Invalid(fields=fields)


def tell_now(db: Db, case_id: str, *, by: str) -> None:
    """Write the notices now instead of at their time. Raises NotFound, Conflict when none waits."""
    case = desk.held_by(db, case_id, by)
    if case.tell_due_at is None or case.told_at is not None:
        raise Conflict("No notice of this case waits.")
    telling.tell(db, case, by=by)
