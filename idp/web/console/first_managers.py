"""The insurer's staff over the API: claims to be a practice's first access manager, confirmed or refused (W-1)."""

from typing import Annotated, Any

from fastapi import Depends, Response
from pydantic import Field

from idp.audit import log
from idp.audit.events import Event
from idp.errors import NotFound
from idp.first_managers import confirming, keys
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


class ReadOut(Sent):
    """The number the person read out."""

    code: Annotated[str, Field(min_length=1, max_length=20, pattern=r"^[^\x00]*$")]


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
            told(seen.claim)
            | {
                "account": seen.account.id,
                "name": seen.account.display_name,
                "practice": seen.provider.id if seen.provider else None,
                "waits_for_call": seen.waits_for_call,
            }
            for seen in found
        ]
    }


@router.get("/first-manager-letters")
def letters(db: Transaction, staff: Staff) -> dict[str, Any]:
    """List the letters that wait to be printed, oldest first; their keys are not in here."""
    return {
        "letters": [{"letter": key.id, "claim": claim.id, "since": key.created_at} for key, claim in keys.letters(db)]
    }


@router.post("/first-manager-letters/{k}/print")
def printed(db: Transaction, staff: Staff, _once: TheOnce, k: str) -> dict[str, Any]:
    """Return a letter to print, this once: its key is nowhere else afterwards, so the same request again is a 409."""
    letter = keys.print_letter(db, k[:64], by=staff.visitor.account.id)
    return {"practice": letter.practice, "address": list(letter.address), "key": letter.key, "until": letter.until}


@router.post("/first-managers/{x}/called")
def called(db: Transaction, staff: Staff, once: TheOnce, x: str, body: ReadOut) -> Response:
    """Enter the number the person read out at the practice's own number; a wrong one counts as one of five tries."""

    def work() -> dict[str, Any]:
        return {"claim": told(keys.prove_by_call(db, x[:64], by=staff.visitor.account.id, code=body.code))}

    return once.answer(db, staff, work)


@router.post("/first-managers/{x}/confirm")
def confirm(db: Transaction, staff: Staff, once: TheOnce, x: str, body: Confirmation) -> Response:
    """Confirm a proven claim, as somebody who neither printed nor called; the person then takes on the duties."""
    by = staff.visitor.account.id
    return once.answer(
        db, staff, lambda: {"claim": told(confirming.confirm(db, x[:64], by=by, identity=body.identity))}
    )


@router.post("/first-managers/{x}/refuse")
def refuse(db: Transaction, staff: Staff, once: TheOnce, x: str, body: Refusal) -> Response:
    """Refuse a claim, with a reason the person reads."""

    def work() -> dict[str, Any]:
        confirming.refuse(db, x[:64], by=staff.visitor.account.id, reason=body.reason)
        return {"claim": told(confirming.find(db, x[:64]))}

    return once.answer(db, staff, work)


def told(claim: FirstManagerClaim) -> dict[str, Any]:
    """Return a claim as the API gives it."""
    return {
        "claim": claim.id,
        "line": claim.line,
        "status": claim.status,
        "proof": claim.proof,
        "since": claim.created_at,
        "decided_at": claim.decided_at,
    }
