"""Leave, emergency access and vouching over the API."""

from typing import Any

from fastapi import Response
from sqlmodel import Session as Db

from idp.accounts import vouching
from idp.entitlements.tables import Absence
from idp.errors import Invalid, NotFound
from idp.wam import authority, emergency, emergency_bars, inactivity, leave
from idp.wam.tables import EmergencyUse
from idp.web.boundary import Transaction
from idp.web.console.caller import Manages, Sees
from idp.web.console.delegated import EmergencyLift, EmergencyReview, Leave, Word
from idp.web.console.once import TheOnce
from idp.web.console.routing import part
from idp.web.guards import Acting
from idp.web.manager.guard import lines_of, lines_seen

router = part()


@router.get("/people/{a}/leave")
def absences(db: Transaction, acting: Sees, a: str) -> dict[str, Any]:
    """List when a person is or will be away, and whether their access rests because they were not seen."""
    _works_here(db, acting, a)
    seen = lines_seen(db, acting)
    rows = [row for row in leave.of_person(db, a, acting.provider.id) if row.line in seen]
    return {
        "absences": [_absence(row) for row in rows],
        "not_seen": inactivity.paused(db, a, acting.provider.id, seen),
    }


@router.post("/people/{a}/leave", status_code=201)
def begin(db: Transaction, acting: Manages, once: TheOnce, a: str, body: Leave) -> Response:
    """Let a person's access rest while they are away; it goes on afterwards as it was."""

    def work() -> dict[str, Any]:
        made = leave.begin(
            db,
            by=acting.visitor.account.id,
            provider_id=acting.provider.id,
            account_id=a,
            lines=lines_of(db, acting),
            starts_at=body.starts_at,
            ends_at=body.ends_at,
        )
        return {"absences": [_absence(row) for row in made]}

    return once.answer(db, acting, work, 201)


@router.post("/people/{a}/back")
def back(db: Transaction, acting: Manages, once: TheOnce, a: str) -> Response:
    """The person is back: their access goes on at the next question."""
    by, practice = acting.visitor.account.id, acting.provider.id
    return once.answer(db, acting, lambda: {"ended": leave.back(db, by=by, provider_id=practice, account_id=a)})


@router.post("/people/{a}/lift")
def lift(db: Transaction, acting: Manages, once: TheOnce, a: str) -> Response:
    """Let somebody go on whose access rests because they were not seen."""
    by, practice = acting.visitor.account.id, acting.provider.id
    return once.answer(db, acting, lambda: {"lifted": inactivity.lift(db, by=by, provider_id=practice, account_id=a)})


@router.get("/emergencies")
def emergencies(db: Transaction, acting: Sees) -> dict[str, Any]:
    """List the practice's uses of emergency access, newest first; `more` where the newest 200 are not all."""
    found = emergency.of_practice(db, acting.provider.id, lines_seen(db, acting))
    return {"more": len(found) >= emergency.MOST_SHOWN, "emergencies": [_use(one) for one in found]}


@router.post("/emergencies/{x}/end")
def end_emergency(db: Transaction, acting: Manages, once: TheOnce, x: str) -> Response:
    """End a use before its time; `ended` says whether it was still running."""

    def work() -> dict[str, Any]:
        use = emergency.find_here(db, x[:64], acting.provider.id, lines_seen(db, acting))
        ended = emergency.end_for_practice(db, use, by=acting.visitor.account.id)
        return {"ended": ended, "emergency": _use(use)}

    return once.answer(db, acting, work)


@router.post("/emergencies/{x}/review")
def review_emergency(db: Transaction, acting: Manages, once: TheOnce, x: str, body: EmergencyReview) -> Response:
    """Say whether a use was justified; one found unjustified ends. Nobody reviews their own."""

    def work() -> dict[str, Any]:
        use = emergency.find_here(db, x[:64], acting.provider.id, lines_seen(db, acting))
        emergency.review(db, use, by=acting.visitor.account.id, verdict=body.verdict, note=body.note)
        return {"emergency": _use(use)}

    return once.answer(db, acting, work)


@router.post("/emergencies/{x}/lift")
def lift_emergency(db: Transaction, acting: Manages, once: TheOnce, x: str, body: EmergencyLift) -> Response:
    """Open emergency access again to who used it without need; never one's own, and not what the desk found."""

    def work() -> dict[str, Any]:
        use = emergency.find_here(db, x[:64], acting.provider.id, lines_seen(db, acting))
        emergency_bars.lift(db, use, by=acting.visitor.account.id, why=body.why)
        return {"emergency": _use(use)}

    return once.answer(db, acting, work)


@router.get("/people/{a}/vouching")
def wanted(db: Transaction, acting: Sees, a: str) -> dict[str, Any]:
    """Say whether a person asked for a manager's word to get back in, and whether one was given."""
    _works_here(db, acting, a)
    word = vouching.of_account(db, a)
    return {"wanted": vouching.wanted(db, a), "usable_from": word.usable_from if word else None}


@router.post("/people/{a}/vouching", status_code=201)
def vouch(db: Transaction, acting: Manages, once: TheOnce, a: str, body: Word) -> Response:
    """Give one's word for a person who asked for it; usable after a wait in which everybody concerned is told."""

    def work() -> dict[str, Any]:
        _works_here(db, acting, a)
        if not body.spoke:
            raise Invalid(fields={"spoke": "Speak to them first."})
        word = vouching.vouch(db, a, acting.provider.id, by=acting.visitor.account.id)
        return {"usable_from": word.usable_from}

    return once.answer(db, acting, work, 201)


def _works_here(db: Db, acting: Acting, a: str) -> None:
    if authority.person(db, acting.provider.id, a).affiliation is None:
        raise NotFound


def _absence(row: Absence) -> dict[str, Any]:
    return {
        "absence": row.id,
        "line": row.line,
        "starts_at": row.starts_at,
        "ends_at": row.ends_at,
        "set_by": row.set_by,
    }


def _use(use: EmergencyUse) -> dict[str, Any]:
    return {
        "emergency": use.id,
        "account": use.account_id,
        "line": use.line,
        "functions": list(use.functions),
        "reason": use.reason,
        "starts_at": use.starts_at,
        "ends_at": use.ends_at,
        "ended_at": use.ended_at,
        "review_by": use.due_at,
        "reviewed_by": use.reviewed_by,
        "reviewed_at": use.reviewed_at,
        "verdict": use.verdict,
        "note": use.note,
        "by_desk": use.by_desk,
        "lifted_by": use.lifted_by,
        "lifted_at": use.lifted_at,
        "lifted_because": use.lifted_because,
    }
