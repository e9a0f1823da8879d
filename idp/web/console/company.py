"""An outside company's own side over the API: its work for practices, its people, what it asks for (W-6).

The caller is an administrator of the company, by a token that was made for no practice: what an app may do for a
practice it may not do for a company.
"""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends, Response
from sqlmodel import Session as Db
from starlette.concurrency import run_in_threadpool

from idp.entitlements import chains
from idp.entitlements.tables import Delegation
from idp.errors import NotFound
from idp.leaving import delegations as ending
from idp.providers.tables import Provider
from idp.wam import company, delegation_lost, delegation_requests, handing_on
from idp.wam.tables import DelegationRequest
from idp.web.bearer import Caller
from idp.web.boundary import Transaction
from idp.web.company import guard as companies
from idp.web.company.guard import For
from idp.web.console.caller import caller_of, visitor_of
from idp.web.console.delegated import Ask, Assign, EndOwn, PassOn
from idp.web.console.delegations import lost_of, people_of, told
from idp.web.console.once import TheOnce
from idp.web.console.routing import part

PREFIX = "/api/v1/companies/{c}"
router = part(PREFIX)


def may(*, fresh: bool) -> Callable[..., object]:
    """Require an administrator of the company in the path, by a token made for no practice."""

    async def guard(c: str, db: Transaction, caller: Annotated[Caller, Depends(caller_of)]) -> For:
        if caller.provider_id is not None:
            raise NotFound
        return await run_in_threadpool(_administers, db, caller, c[:64], fresh)

    return guard


def _administers(db: Db, caller: Caller, c: str, fresh: bool) -> For:
    return companies.administrator(db, visitor_of(db, caller), c, fresh=fresh)


Looks = Annotated[For, Depends(may(fresh=False))]
"""May look at the company's work and people; needs a second step."""
Decides = Annotated[For, Depends(may(fresh=True))]
"""May change them; needs a second step just used."""


@router.get("/delegations")
def received(db: Transaction, at: Looks) -> dict[str, Any]:
    """List what practices let this company do, in force first, then the newest."""
    return {"delegations": [_told(db, one) for one in company.received(db, at.company.id)]}


@router.get("/delegations/{d}")
def one(db: Transaction, at: Looks, d: str) -> dict[str, Any]:
    """Show one with the most it allows now, who of the company works by it, and to whom it was passed on."""
    found = company.of_company(db, at.company.id, d[:64])
    most, functions = company.ceiling(db, found)
    return _told(db, found) | {
        "most": {
            "functions": sorted(functions),
            "lines": sorted(most.lines),
            "places": None if most.locations is None else sorted(most.locations),
            "ends_at": most.ends_at,
        },
        "people": people_of(db, found),
        "lost": lost_of(delegation_lost.told(db, found)),
        "passed_on": [told(db, row) for row in chains.below(db, found) if row.parent_id == found.id],
    }


@router.post("/delegations/{d}/assignments")
def assign(db: Transaction, at: Decides, once: TheOnce, d: str, body: Assign) -> Response:
    """Let one of the company's people work for the practice, within the delegation; what they had by it is replaced."""

    def work() -> dict[str, Any]:
        company.assign(
            db,
            by=at.visitor.account.id,
            partner_id=at.company.id,
            delegation_id=d[:64],
            account_id=body.account,
            scope=body.scope(),
            form_id=once.form_id(at),
        )
        return {"delegation": d, "account": body.account}

    return once.answer(db, at, work)


@router.post("/delegations/{d}/people/{a}/removal")
def withdraw(db: Transaction, at: Decides, once: TheOnce, d: str, a: str) -> Response:
    """Take the practice from one of the company's people, at once."""

    def work() -> dict[str, Any]:
        by = at.visitor.account.id
        ended = company.withdraw(db, by=by, partner_id=at.company.id, delegation_id=d[:64], account_id=a[:64])
        return {"ended": ended}

    return once.answer(db, at, work)


@router.get("/delegations/{d}/companies")
def receivers(db: Transaction, at: Decides, d: str) -> dict[str, Any]:
    """List the companies it could be passed on to."""
    found = company.of_company(db, at.company.id, d[:64])
    allowed = all(link.redelegable for link in chains.of(db, found))
    choosable = handing_on.choosable(db, found) if allowed else []
    return {"companies": [{"company": one.id, "name": one.name} for one in choosable]}


@router.post("/delegations/{d}/passed-on", status_code=201)
def pass_on(db: Transaction, at: Decides, once: TheOnce, d: str, body: PassOn) -> Response:
    """Pass it on, within it; the practice and the other company are told."""

    def work() -> dict[str, Any]:
        made = handing_on.pass_on(
            db,
            by=at.visitor.account.id,
            partner_id=at.company.id,
            delegation_id=d[:64],
            to=body.company,
            scope=body.scope(),
            redelegable=body.redelegable,
            form_id=once.form_id(at),
        )
        return told(db, made)

    return once.answer(db, at, work, 201)


@router.post("/delegations/{d}/preview")
def preview(db: Transaction, at: Decides, d: str, body: EndOwn) -> dict[str, Any]:
    """Show who would lose what if it were given back, or taken back from the company it was passed on to."""
    found = _ended_with(db, at, d, body)
    return {
        "losses": [
            {"account": loss.account.id, "functions": list(loss.functions), "leaves": loss.leaves}
            for loss in ending.losses(db, found)
        ]
    }


@router.post("/delegations/{d}/end")
def end(db: Transaction, at: Decides, once: TheOnce, d: str, body: EndOwn) -> Response:
    """Give it back, or take back what was passed on; at once, with all that hang on it."""

    def work() -> dict[str, Any]:
        found, by = _ended_with(db, at, d, body), at.visitor.account.id
        if body.passed_on is None:
            company.give_back(db, by=by, partner_id=at.company.id, delegation_id=found.id)
        else:
            company.take_back(db, by=by, partner_id=at.company.id, delegation_id=d[:64], child_id=found.id)
        db.refresh(found)
        return told(db, found)

    return once.answer(db, at, work)


@router.get("/requests")
def requests(db: Transaction, at: Looks) -> dict[str, Any]:
    """List what the company asked practices for, what waits first, then the newest; `more` where 200 are not all.

    Whether we know the practice it does not say.
    """
    found = delegation_requests.of_company(db, at.company.id)
    return {"more": len(found) >= delegation_requests.MOST_SHOWN, "requests": [_asked(row) for row in found]}


@router.post("/requests", status_code=201)
def ask(db: Transaction, at: Decides, once: TheOnce, body: Ask) -> Response:
    """Ask the practice with this TIN; the answer is the same whether we know it or not."""

    def work() -> dict[str, Any]:
        values = {"tin": body.tin, "scope": body.scope(), "note": body.note}
        return _asked(
            delegation_requests.ask(db, by=at.visitor.account.id, partner_id=at.company.id, **values)  # type: ignore[arg-type]
        )

    return once.answer(db, at, work, 201)


@router.post("/requests/{x}/withdrawal")
def take_back(db: Transaction, at: Decides, once: TheOnce, x: str) -> Response:
    """Take a request back."""

    def work() -> dict[str, Any]:
        by = at.visitor.account.id
        delegation_requests.withdraw(db, by=by, partner_id=at.company.id, request_id=x[:64])
        return {"request": x, "status": "withdrawn"}

    return once.answer(db, at, work)


def _ended_with(db: Db, at: For, d: str, body: EndOwn) -> Delegation:
    """Return what would end: the delegation itself, or the one it was passed on by."""
    found = company.of_company(db, at.company.id, d[:64])
    if body.passed_on is None:
        return found
    child = next((row for row in chains.below(db, found) if row.id == body.passed_on), None)
    if child is None or child.parent_id != found.id:
        raise NotFound
    return child


def _told(db: Db, row: Delegation) -> dict[str, Any]:
    provider = db.get(Provider, row.provider_id)
    return told(db, row) | {"practice": row.provider_id, "practice_name": provider.name if provider else ""}


def _asked(row: DelegationRequest) -> dict[str, Any]:
    return {
        "request": row.id,
        "tin_last4": row.tin_last4,
        "functions": list(row.entitlements),
        "lines": list(row.lines),
        "ends_at": row.ends_at,
        "status": row.status,
        "reason": row.reason,
        "delegation": row.delegation_id,
        "expires_at": row.expires_at,
    }
