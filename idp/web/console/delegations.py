"""Outside companies over the API: whom one may choose, delegations listed, made, previewed and ended (W-6)."""

from collections.abc import Sequence
from typing import Any

from fastapi import Response
from sqlmodel import Session as Db

from idp.audit import log
from idp.audit.events import Event
from idp.entitlements.tables import Delegation
from idp.errors import Invalid
from idp.leaving.delegations import Loss
from idp.partners.standing import in_good_standing
from idp.wam import company, delegating, delegation_lost, delegation_requests, receipts
from idp.web.boundary import Transaction
from idp.web.console.bodies import Line
from idp.web.console.caller import Approves, Sees
from idp.web.console.delegated import Delegate, DelegationAnswer, EndDelegation
from idp.web.console.once import TheOnce
from idp.web.console.routing import part
from idp.web.manager.guard import lines_of, lines_seen

router = part()


@router.get("/companies")
def companies(db: Transaction, acting: Approves, line: Line) -> dict[str, Any]:
    """List the companies one may choose from, and what can be handed on in a line: functions and places."""
    functions = delegating.functions(db, acting.provider, [line])
    return {
        "companies": [{"company": one.id, "name": one.name} for one in delegating.companies(db)],
        "functions": [{"function": key, "name": one.name} for key, one in sorted(functions.items())],
        "places": [{"place": one.id, "name": one.name} for one in delegating.places(db, acting.provider.id)],
    }


@router.get("/delegations")
def listed(db: Transaction, acting: Sees) -> dict[str, Any]:
    """List every delegation the practice ever made in the lines one sees, those in force first, then the newest."""
    found = delegating.all_of(db, acting.provider.id, lines_seen(db, acting))
    return {"delegations": [told(db, one) for one in found]}


@router.get("/delegations/{d}")
def one(db: Transaction, acting: Sees, d: str) -> dict[str, Any]:
    """Show a delegation with its chain and who works by it; looking is recorded."""
    found = delegating.of_practice(db, acting.provider.id, d, lines_seen(db, acting))
    log.record(db, Event("wam.delegation.viewed", provider=acting.provider.id, details={"delegation": found.id}))
    return told(db, found) | {"people": people_of(db, found), "lost": lost_of(delegation_lost.told(db, found))}


@router.post("/delegations", status_code=201)
def delegate(db: Transaction, acting: Approves, once: TheOnce, body: Delegate) -> Response:
    """Let a company work for the practice, never for more than the practice holds; both sides are told."""

    def work() -> dict[str, Any]:
        made = delegating.delegate(
            db,
            by=acting.visitor.account.id,
            provider_id=acting.provider.id,
            partner_id=body.company,
            scope=body.scope(),
            redelegable=body.redelegable,
            form_id=once.form_id(acting),
        )
        return told(db, made)

    return once.answer(db, acting, work, 201)


@router.post("/delegation-requests/{x}/decision")
def decide_request(db: Transaction, acting: Approves, once: TheOnce, x: str, body: DelegationAnswer) -> Response:
    """Accept what a company asks for, whole or less of it, or deny it; the first answer holds."""

    def work() -> dict[str, Any]:
        found = delegation_requests.find(db, x[:64], acting.provider, lines_of(db, acting))
        by = acting.visitor.account.id
        if (body.accept is None) == (body.deny is None):
            raise Invalid(fields={"accept": "Either accept or deny."})
        if body.accept is None:
            delegation_requests.deny(db, found, acting.provider, by=by, reason=body.deny or "")
            return {"delegation_request": found.id, "status": found.status, "delegation": None}
        made = delegation_requests.accept(
            db,
            found,
            acting.provider,
            by=by,
            scope=body.accept.scope(),
            redelegable=body.redelegable,
            form_id=once.form_id(acting),
        )
        return {"delegation_request": found.id, "status": found.status, "delegation": told(db, made)}

    return once.answer(db, acting, work)


@router.post("/delegations/{d}/preview")
def preview(db: Transaction, acting: Approves, d: str) -> dict[str, Any]:
    """Show who would lose what if it ended; nothing is done."""
    lost = delegating.preview(db, by=acting.visitor.account.id, provider_id=acting.provider.id, delegation_id=d)
    return {"losses": lost_of(lost)}


@router.post("/delegations/{d}/end")
def end(db: Transaction, acting: Approves, once: TheOnce, d: str, body: EndDelegation) -> Response:
    """End it with all that hang on it, at once; both sides are told."""

    def work() -> dict[str, Any]:
        ended = delegating.end(
            db,
            by=acting.visitor.account.id,
            provider_id=acting.provider.id,
            delegation_id=d,
            reason=body.reason,
        )
        made = receipts.about(db, acting.provider.id, "delegation_end", "delegation", ended.id)
        return told(db, ended) | {"receipt": made.id if made else None}

    return once.answer(db, acting, work)


def told(db: Db, row: Delegation) -> dict[str, Any]:
    """Return a delegation as the API gives it."""
    chain = delegating.chain_of(db, row)
    return {
        "delegation": row.id,
        "company": row.partner_id,
        "chain": [{"delegation": link.id, "company": name} for link, name in chain],
        "paused": [name for link, name in chain if not in_good_standing(db, link.partner_id)],
        "functions": list(row.entitlements),
        "lines": list(row.lines),
        "places": row.locations,
        "redelegable": row.redelegable,
        "status": row.status,
        "approved_by": row.approved_by,
        "starts_at": row.starts_at,
        "ends_at": row.ends_at,
        "ended_at": row.ended_at,
        "ended_by": row.ended_by,
        "end_reason": row.end_reason,
    }


def lost_of(losses: Sequence[Loss]) -> list[dict[str, Any]]:
    """Return who loses, or lost, what by a delegation's end."""
    return [
        {
            "account": loss.account.id,
            "name": loss.account.display_name,
            "company": loss.company,
            "functions": list(loss.functions),
            "leaves": loss.leaves,
        }
        for loss in losses
    ]


def people_of(db: Db, row: Delegation) -> list[dict[str, Any]]:
    """Return who of the company works by a delegation."""
    return [
        {
            "account": worker.account.id,
            "name": worker.account.display_name,
            "functions": sorted({grant.entitlement for grant in worker.functions}),
            "places": list(worker.places) if worker.places is not None else None,
        }
        for worker in company.workers(db, row)
    ]
