"""Tell those concerned what was done and decided: the person, and the access managers of each practice of theirs."""

import hmac
from datetime import datetime
from functools import partial

from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock, configuration
from idp.accounts import humans
from idp.accounts.tables import Account
from idp.audit import log
from idp.audit.events import Event
from idp.cases import context, file, remaining, words
from idp.cases.tables import CaseAction, SecurityCase
from idp.database import of
from idp.errors import Conflict, Invalid, NotFound
from idp.leaving import telling
from idp.notices import outbox, saying

_AT_ONE = ("pause_access", "resume_access", "end_access")
"""What is done at one practice: its target."""


def tell(db: Db, case: SecurityCase, *, by: str) -> None:
    """Write to the person and each affected practice's access managers; the case is held by the caller.

    A practice hears what was done to the person's access, not what was seen elsewhere, nor why.
    """
    if case.account_id is None or case.tell_due_at is None or case.told_at is not None:
        return
    case.told_at = clock.now()
    settings = of(db).settings
    who, actions = humans.survivor(db, case.account_id), _done(db, case)
    stays = remaining.of_case(db, case) if case.decision == "innocent" else []
    done = [words.DONE[one.kind] if stays else _to_the_person(db, one) for one in actions]
    if case.decision is None:
        mails = outbox.send(db, who, "case_contained", {"reference": case.reference})
    else:
        until = case.told_at + configuration.current(db).clocks.case_appeal
        facts = {
            "reference": case.reference,
            "what": words.DECIDED[case.decision],
            "done": " ".join(
                ["What we did:", *(done or ["nothing about your access changed."]), *(one.person for one in stays)]
            ),
            "until": saying.moment(until, settings.time_zone),
            "appeal": f"{settings.issuer}/report/appeal/{appeal_token(db, case)}",
        }
        mails = outbox.send(db, who, "case_told", facts)
    practices = 0
    if done or case.contained_at is not None:
        practices = _tell_practices(db, case, who, actions)
    body = {"practices": practices, "decision": case.decision, "mails_to_person": mails}
    file.write(db, case, "told", body, by=by)


def tell_more(db: Db, case: SecurityCase, action: CaseAction, *, by: str) -> None:
    """Write at once of an action that was done after the notices of the decision had gone out."""
    assert case.account_id is not None
    who, done = humans.survivor(db, case.account_id), _to_the_person(db, action)
    wrong = "If that is wrong, call us."
    if clock.now() < appeal_until(db, case):
        until = saying.moment(appeal_until(db, case), of(db).settings.time_zone)
        link = f"{of(db).settings.issuer}/report/appeal/{appeal_token(db, case)}"
        wrong = f"If that is wrong, tell us by {until}. This works without signing in, once:\n{link}"
    mails = outbox.send(db, who, "case_told_more", {"reference": case.reference, "done": done, "wrong": wrong})
    body = {"practices": _tell_practices(db, case, who, [action]), "action": action.id, "mails_to_person": mails}
    file.write(db, case, "told", body, by=by)


def tell_appeal(
    db: Db, case: SecurityCase, outcome: str, reason: str, given: list[CaseAction] | None, *, by: str
) -> None:
    """Write to the person how their appeal ended and, where it was won, what came back and what did not.

    `given` is what was given back; None where the decision stands: then no practice hears of it.
    """
    assert case.account_id is not None
    who, back = humans.survivor(db, case.account_id), ""
    if given is not None:
        said = [words.DONE[one.kind] for one in given] + [one.person for one in remaining.of_case(db, case)]
        back = "What this changes: " + (" ".join(said) or "nothing had been taken from your access.") + "\n\n"
    facts = {"reference": case.reference, "outcome": outcome, "reason": reason, "back": back}
    body: dict[str, object] = {"appeal": True, "mails_to_person": outbox.send(db, who, "case_appeal_decided", facts)}
    if given is not None:
        heard = [one for one in _done(db, case) if one.id not in {back.id for back in given}]
        body["practices"] = _tell_practices(db, case, who, heard, given)
    file.write(db, case, "told", body, by=by)


def _to_the_person(db: Db, action: CaseAction) -> str:
    """Say what an action did and what the person does next."""
    then = words.THEN.get(action.kind, "").format(link=of(db).settings.issuer)
    return f"{words.DONE[action.kind]} {then}".strip()


def _tell_practices(
    db: Db, case: SecurityCase, who: str, actions: list[CaseAction], given: list[CaseAction] | None = None
) -> int:
    """Write to each practice what was done at it; with `given`, that it was wrong, to those that had heard of it."""
    account, told = db.get_one(Account, who), 0
    stays = remaining.of_case(db, case) if case.decision == "innocent" else []
    for provider in context.concerned(db, case):
        # What was done at one practice is no other's to know.
        done = [words.DONE[one.kind] for one in _theirs(actions, provider.id)]
        if not done and case.contained_at is None:
            continue
        told += 1
        done = done or ["Every sign-in was ended; access is unchanged."]
        if given is not None:
            done = [words.DONE[one.kind] for one in _theirs(given, provider.id)]
        done += [one.manager for one in stays if one.provider_id in (None, provider.id)]
        if not done:
            done = ["Nothing about their access changes by that."]
        facts = {
            "reference": case.reference,
            "name": account.display_name,
            "provider": provider.name,
            "done": " ".join(done),
            "people": f"{of(db).settings.issuer}/p/{provider.id}/people",
        }
        for manager in sorted(telling.managers_of(db, provider.id) - {account.id}):
            outbox.send(db, manager, "case_told_manager" if given is None else "case_appeal_won_manager", facts)
    return told


def _theirs(actions: list[CaseAction], provider_id: str) -> list[CaseAction]:
    return [one for one in actions if one.kind not in _AT_ONE or one.target == provider_id]


def _done(db: Db, case: SecurityCase) -> list[CaseAction]:
    query = select(CaseAction).where(col(CaseAction.case_id) == case.id, col(CaseAction.status) == "done")
    return list(db.exec(query.order_by(col(CaseAction.done_at), col(CaseAction.id))).all())


def delay(db: Db, case_id: str, *, by: str, why: str) -> None:
    """Let a notice wait as long again, with a reason that is kept. Raises Invalid, Conflict when nothing waits."""
    case = file.hold(db, case_id)
    said = " ".join(why.split())
    if not 10 <= len(said) <= 500:
        raise Invalid(fields={"why": "Say why the notice waits, in 10 to 500 characters."})
    if case.tell_due_at is None or case.told_at is not None:
        raise Conflict("No notice of this case waits.")
    case.tell_due_at += configuration.current(db).clocks.case_notice
    file.write(db, case, "delayed", {"why": said, "until": clock.iso(case.tell_due_at)}, by=by)


def tell_due(db: Db, limit: int) -> int:
    """Write the notices whose time has come, unless somebody wrote down why they wait; return how many."""
    due = db.exec(
        select(SecurityCase.id)
        .where(
            col(SecurityCase.tell_due_at) <= clock.now(),
            col(SecurityCase.told_at).is_(None),
        )
        .order_by(col(SecurityCase.tell_due_at))
        .limit(limit)
    ).all()
    for case_id in due:
        case = file.hold(db, case_id)
        if case.told_at is None and case.tell_due_at is not None and case.tell_due_at <= clock.now():
            tell(db, case, by="system")
    return len(due)


# The appeal link works without signing in: whom a decision locked out could not sign in to appeal.


def appeal_token(db: Db, case: SecurityCase) -> str:
    """Return what the link in the notice carries: the case, proven by a keyed hash; nothing of it is kept."""
    return f"{case.id}-{_proof(db, case)}"


def appeal_until(db: Db, case: SecurityCase) -> datetime:
    """Return when the time to appeal is over."""
    assert case.told_at is not None
    return case.told_at + configuration.current(db).clocks.case_appeal


def of_token(db: Db, carried: str) -> SecurityCase:
    """Return the case of a genuine appeal link whose time is not over; raise NotFound for anything else."""
    case_id, _, proof = carried[:120].rpartition("-")
    case = db.get(SecurityCase, case_id) if case_id else None
    missing = NotFound("This link is not complete, or its time is over. Call us: the number is below.")
    if case is None or case.told_at is None or case.decision is None:
        raise missing
    genuine = hmac.compare_digest(proof.encode(), _proof(db, case).encode())
    if not genuine or clock.now() >= appeal_until(db, case):
        refused = Event("security.case.refused", outcome="refused", account=case.account_id, reason=case.id)
        raise NotFound(missing.detail, then=(partial(log.record, event=refused),) if genuine else ())
    return case


def _proof(db: Db, case: SecurityCase) -> str:
    value = f"appeal\n{case.id}\n{case.account_id}\n{clock.micros(case.created_at)}"
    return of(db).ring.keyed_hash("forms", value)[:16].hex()
