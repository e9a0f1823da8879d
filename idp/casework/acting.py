"""Act on a case: preview who and what is affected, do it, or ask a second person to want it too (SE-3)."""

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import func
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock, configuration
from idp.accounts import linking, sessions
from idp.accounts.tables import Account, TokenFamily
from idp.audit import promises
from idp.cases import context, file, holds, staff, urgency
from idp.cases import telling as notices
from idp.cases.tables import CaseAction, SecurityCase
from idp.casework import desk, interim
from idp.casework.doing import KINDS, TAKES
from idp.casework.interim import Left
from idp.database import of
from idp.database.inserting import insert_unless_there
from idp.entitlements import pauses
from idp.entitlements.tables import Appointment
from idp.errors import Conflict, Invalid, NotFound
from idp.leaving import telling
from idp.notices import outbox, saying
from idp.providers.tables import Provider
from idp.wam import appointments, authority


@dataclass(frozen=True, slots=True)
class Wish:
    """One action somebody wants."""

    kind: str
    target: str = ""
    interim_id: str | None = None


@dataclass(frozen=True, slots=True)
class Effect:
    """Who and what an action affects, before it is done."""

    wish: Wish
    label: str
    target: str
    """In words."""
    sessions: int
    families: int
    functions: int
    roles: int
    """Roles of access manager that end or rest with it."""
    practices: tuple[str, ...]
    managers: int
    """Access managers who will be told."""
    two: bool
    left: tuple[Left, ...]
    gives_back: bool = False
    """What is counted comes back instead of ending."""


def targets(db: Db, case: SecurityCase, kind: str) -> dict[str, str]:
    """Return what an action could be about: its id, and in words."""
    about, who = KINDS[kind].about, context.person(db, case)
    if not who:
        return {}
    if kind == holds.LIFTED and not holds.by_desk(db, who):
        return {}
    if kind == "resume_access":  # also where the person no longer works: who comes back is still paused
        places = {row.provider_id for row in pauses.desk_pauses(db, who)}
        return {one: db.get_one(Provider, one).name for one in sorted(places)}
    if about == "practice":
        return {one.id: one.name for one in context.practices(db, who)}
    if kind == "release_login":  # only by a verdict that takes the pause back; else access support judges it
        return {}
    if about == "login":
        return {one.id: one.issuer for one in linking.logins(db, who) if one.upstream_id and one.held_at is None}
    if about == "appointment":
        names = {one.id: one.name for one in context.practices(db, who)}
        return {
            one.id: f"{names.get(one.provider_id, one.provider_id)}, {one.line.replace('_', ' ')}"
            for one in interim.managed(db, who)
        }
    return {"": "the account"}


def preview(db: Db, case: SecurityCase, wish: Wish) -> Effect:
    """Say who and what is affected. Raises Invalid for an action or target that can't be."""
    if wish.kind not in KINDS:
        raise Invalid(fields={"action": "Choose one of the actions on this page."})
    offered, kind = targets(db, case, wish.kind), KINDS[wish.kind]
    if wish.target not in offered:
        raise Invalid(fields={"action": "Choose what this is about."})
    who = context.person(db, case)
    concerned = context.practices(db, who)
    if kind.about == "practice":
        concerned = [one for one in concerned if one.id == wish.target]
    held = taken(db, case, wish)
    told = {manager for one in concerned for manager in telling.managers_of(db, one.id)} - {who}
    families = 0
    if kind.ends_presence:
        query = select(func.count()).where(col(TokenFamily.account_id) == who, col(TokenFamily.ended_at).is_(None))
        families = db.exec(query).one()
    functions = 0
    if wish.kind in ("pause_access", "end_access", "suspend", "close"):
        functions = sum(1 for one in concerned for row in authority.not_ended(db, one.id, who) if row.effect == "allow")
    if wish.kind == "resume_access":
        functions = len(pauses.desk_pauses(db, who, wish.target))
    return Effect(
        wish,
        kind.label,
        offered[wish.target],
        len(sessions.live_of(db, who)) if kind.ends_presence else 0,
        families,
        functions,
        len(held),
        tuple(one.name for one in concerned),
        len(told),
        kind.always_two or bool(held),
        tuple(interim.left_without(db, held)),
        wish.kind in ("resume_access", "release_login", holds.LIFTED),
    )


def taken(db: Db, case: SecurityCase, wish: Wish) -> list[Appointment]:
    """Return the authority an action takes from the person."""
    kind, who = KINDS[wish.kind], context.person(db, case)
    if wish.kind == "end_manager":
        return [one for one in interim.managed(db, who) if one.id == wish.target]
    if not kind.takes_authority:
        return []
    return interim.managed(db, who, wish.target or None)


def want(db: Db, case_id: str, wish: Wish, *, by: str, reason: str, seen: int | None = None) -> CaseAction:
    """Do an action, or have it wait for a second person where two must want it.

    Raises NotFound (also for a case about oneself), Invalid without a reason, a target or a needed interim manager,
    Conflict when the case changed, the same waits already, or there is nothing to do.
    """
    case = desk.held_by(db, case_id, by, seen=seen)
    may_be_done(case, wish.kind)
    reason = checked_reason(reason)
    effect = preview(db, case, wish)
    interim.check(db, list(effect.left), wish.interim_id, but={by})
    action = CaseAction(
        case_id=case.id,
        kind=wish.kind,
        target=wish.target,
        asked_by=by,
        reason=reason,
        interim_id=wish.interim_id if effect.left else None,
    )
    if effect.two:
        action.lapses_at = clock.now() + configuration.current(db).clocks.case_second_word
        if not insert_unless_there(db, CaseAction, action.model_dump()):
            raise Conflict("This waits for a second person already.")
        write(db, case, "action_asked", action, {"reason": reason})
        _ask_second(db, case, action, by)
        return db.get_one(CaseAction, action.id)
    db.add(action)
    db.flush()
    carry_out_and_tell(db, case, action, by)
    return action


def checked_reason(reason: str) -> str:
    """Return a reason that says something; raise Invalid."""
    said = " ".join(reason.split())
    if not 10 <= len(said) <= 1000:
        raise Invalid(fields={"reason": "Say why, in 10 to 1000 characters."})
    return said


def may_be_done(case: SecurityCase, kind: str) -> None:
    """Raise Conflict where the case is not the desk's, or its person was found innocent of it."""
    desk.not_private(case)
    if case.decision == "innocent" and kind in TAKES:
        raise Conflict("This person was found innocent in this case: nothing is taken from them by it.")


def of_case(db: Db, case_id: str) -> list[CaseAction]:
    """Return every action of a case, oldest first."""
    query = select(CaseAction).where(col(CaseAction.case_id) == case_id)
    return list(db.exec(query.order_by(col(CaseAction.created_at), col(CaseAction.id))).all())


def find(db: Db, action_id: str) -> CaseAction:
    """Return an action; raise NotFound."""
    found = db.get(CaseAction, action_id[:64], populate_existing=True)
    if found is None:
        raise NotFound
    return found


def carry_out_and_tell(db: Db, case: SecurityCase, action: CaseAction, by: str) -> None:
    """Do it, with what it needs before: an interim manager where a line would be left without."""
    wish = Wish(action.kind, action.target, action.interim_id)
    for place in sorted({one.provider_id for one in taken(db, case, wish)}):
        appointments.hold(db, place)  # two whose access is paused at once are not each the one who stays
    left = interim.left_without(db, taken(db, case, wish))
    interim.check(db, left, action.interim_id, but={action.asked_by, by})
    if left:
        assert action.interim_id is not None
        interim.appoint(db, left, action.interim_id, by=by, case_id=case.id)
    carry_out(db, case, action, by)
    if case.decision is None or case.told_at is None:
        urgency.owe_notice(db, case)
    else:
        notices.tell_more(db, case, action, by=by)


def carry_out(db: Db, case: SecurityCase, action: CaseAction, by: str) -> None:
    """Do an action of a held case and write it down, with the log's signed receipt of it.

    Whoever calls it tells those concerned.
    """
    if case.account_id is not None:
        promises.want_of_person(db, context.person(db, case), partial(_promised, action))
    did = KINDS[action.kind].do(db, case, action, by)
    action.status, action.done_at = "done", clock.now()
    db.add(action)
    write(db, case, "acted", action, {"did": did, "reason": action.reason})


def _promised(action: CaseAction, promise: dict[str, Any]) -> None:
    action.promise = promise


def write(db: Db, case: SecurityCase, kind: str, action: CaseAction, more: dict[str, object]) -> None:
    """Write what became of an action into the case's file."""
    by = action.answered_by or action.asked_by
    facts = {"action": action.id, "kind": action.kind, "target": action.target, "interim": action.interim_id}
    told = {"action": action.id, "kind": action.kind, "interim": action.interim_id}
    file.write(db, case, kind, facts | {"asked_by": action.asked_by} | more, by=by, tell=told)


def _ask_second(db: Db, case: SecurityCase, action: CaseAction, by: str) -> None:
    asker = db.get(Account, by)
    assert action.lapses_at is not None
    facts = {
        "reference": case.reference,
        "by": asker.display_name if asker else "",
        "action": KINDS[action.kind].label,
        "until": _moment(db, action.lapses_at),
        "page": f"{of(db).settings.issuer}/security/cases/{case.id}",
    }
    for reader in staff.readers(db, but={by, case.account_id or ""}):
        outbox.send(db, reader, "case_second_word", facts)


def _moment(db: Db, at: datetime) -> str:
    return saying.moment(at, of(db).settings.time_zone)
