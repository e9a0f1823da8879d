"""The insurer's staff over the API: claims to be a practice's first access manager, confirmed or refused (W-1)."""

from typing import Annotated, Any

from fastapi import Depends, Response
from pydantic import Field

from idp.audit import log
from idp.audit.events import Event
from idp.errors import NotFound
from idp.first_managers import confirming
from idp.registration.tables import FirstManagerClaim
from idp.web.boundary import Transaction
from idp.web.console.bodies import Sent
from idp.web.console.caller import may
from idp.web.console.once import TheOnce
from idp.web.console.routing import part
from idp.web.guards import Acting

router = part()
Said = Annotated[str, Field(max_length=200, pattern=r"^[^\x00]*$")]


class Confirmation(Sent):
    """How staff saw who the person is."""

    identity: Said


class Refusal(Sent):
    """Why a claim is refused; the person reads it."""

    reason: Said


def _at_the_insurer(acting: Annotated[Acting, Depends(may("wam.verify"))]) -> Acting:
    if acting.provider.kind != "insurer":
        raise NotFound
    return acting


Staff = Annotated[Acting, Depends(_at_the_insurer)]
"""The insurer's staff who verify access managers, with a token made for the insurer."""


@router.get("/first-managers")
def waiting(db: Transaction, staff: Staff) -> dict[str, Any]:
    """List the claims that wait for the insurer's staff, proven ones first; looking is recorded."""
    found = confirming.waiting(db)
    for seen in found:
        practice = seen.provider.id if seen.provider else None
        details = {"claim": seen.claim.id}
        log.record(db, Event("registration.claim.viewed", account=seen.account.id, provider=practice, details=details))
    return {
        "claims": [
            _told(seen.claim)
            | {
                "account": seen.account.id,
                "name": seen.account.display_name,
                "practice": seen.provider.id if seen.provider else None,
                "waits_for_call": seen.waits_for_call,
            }
            for seen in found
        ]
    }


@router.post("/first-managers/{x}/confirm")
def confirm(db: Transaction, staff: Staff, once: TheOnce, x: str, body: Confirmation) -> Response:
    """Confirm a proven claim, as somebody who neither printed nor called; the person then takes on the duties."""
    by = staff.visitor.account.id
    return once.answer(
        db, staff, lambda: {"claim": _told(confirming.confirm(db, x[:64], by=by, identity=body.identity))}
    )


@router.post("/first-managers/{x}/refuse")
def refuse(db: Transaction, staff: Staff, once: TheOnce, x: str, body: Refusal) -> Response:
    """Refuse a claim, with a reason the person reads."""

    def work() -> dict[str, Any]:
        confirming.refuse(db, x[:64], by=staff.visitor.account.id, reason=body.reason)
        return {"claim": _told(confirming.find(db, x[:64]))}

    return once.answer(db, staff, work)


def _told(claim: FirstManagerClaim) -> dict[str, Any]:
    return {
        "claim": claim.id,
        "line": claim.line,
        "status": claim.status,
        "proof": claim.proof,
        "since": claim.created_at,
        "decided_at": claim.decided_at,
    }
