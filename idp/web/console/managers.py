"""Access managers over the API: listed, appointed, ended."""

from typing import Any

from fastapi import Response

from idp import clock
from idp.entitlements.tables import Appointment
from idp.wam import appointments, receipts, roster, succession
from idp.web.boundary import Transaction
from idp.web.console.bodies import Appoint, EndAppointment
from idp.web.console.caller import Manages, Sees
from idp.web.console.once import TheOnce
from idp.web.console.routing import part
from idp.web.manager.guard import lines_of

router = part()


@router.get("/managers")
def listed(db: Transaction, acting: Sees) -> dict[str, Any]:
    """List the access managers of the lines this person manages."""
    lines = lines_of(db, acting)
    rows = [one for one in appointments.in_force(db, acting.provider.id, None, clock.now()) if one.line in lines]
    rows.sort(key=lambda one: lines.index(one.line))
    names = roster.names_of(db, {row.account_id for row in rows})
    return {
        "managers": [
            {
                "appointment": row.id,
                "account": row.account_id,
                "name": names[row.account_id],
                "line": row.line,
                "since": row.starts_at,
                "until": row.ends_at,
            }
            for row in rows
        ],
        "most": appointments.MOST,
    }


@router.post("/managers", status_code=201)
def appoint(db: Transaction, acting: Manages, once: TheOnce, body: Appoint) -> Response:
    """Appoint a person of the practice; every access manager is told."""

    def work() -> dict[str, Any]:
        made = succession.appoint(
            db,
            by=acting.visitor.account.id,
            provider_id=acting.provider.id,
            line=body.line,
            account_id=body.account,
        )
        return {
            "appointment": made.id,
            "account": made.account_id,
            "line": made.line,
            "since": made.starts_at,
        } | _receipt(db, made)

    return once.answer(db, acting, work, 201)


@router.post("/managers/{x}/end")
def end(db: Transaction, acting: Manages, once: TheOnce, x: str, body: EndAppointment) -> Response:
    """End an appointment, one's own too; the last one can't go (409)."""

    def work() -> dict[str, Any]:
        ended = succession.end(
            db,
            by=acting.visitor.account.id,
            provider_id=acting.provider.id,
            appointment_id=x[:64],
            reason=body.reason,
        )
        return {
            "appointment": ended.id,
            "account": ended.account_id,
            "line": ended.line,
            "ended_at": ended.ended_at,
        } | _receipt(db, ended)

    return once.answer(db, acting, work)


def _receipt(db: Transaction, row: Appointment) -> dict[str, str | None]:
    made = receipts.of(db, row.provider_id, row.account_id, "appointment", row.id)
    return {"receipt": made.id if made else None}
