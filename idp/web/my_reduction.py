"""I don't need this any more: a person gives back functions of their own, at once (RU-5)."""

from typing import Any

from fastapi import APIRouter, Request, Response
from sqlalchemy import update
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock
from idp.entitlements import grants
from idp.entitlements.tables import Assignment, Entitlement, Grant
from idp.errors import Invalid, NotFound
from idp.providers.tables import Provider
from idp.web import my_access, pages
from idp.web.boundary import Transaction
from idp.web.forms import TheForm
from idp.web.guards import SignedIn

router = APIRouter()


@router.get("/account/access/{provider_id}")
def choose(request: Request, db: Transaction, by: SignedIn, provider_id: str) -> Response:
    """List what this person may do at a practice, and let them choose what they don't need."""
    return pages.page(request, "account/reduce.html", **_facts(db, by.account.id, provider_id))


def _facts(db: Db, account_id: str, provider_id: str) -> dict[str, Any]:
    provider = db.get(Provider, provider_id)
    here = [one for one in my_access.practices(db, account_id) if one.provider.id == provider_id]
    if provider is None or not here:
        raise NotFound
    names = {e.key: e.name for e in db.exec(select(Entitlement)).all()}
    held = [(one, names.get(one.entitlement, one.entitlement)) for one in _held(db, account_id, provider_id)]
    return {"provider": provider, "managers": here[0].managers, "held": sorted(held, key=lambda each: each[1])}


def _held(db: Db, account_id: str, provider_id: str) -> list[Grant]:
    return [one for one in grants.live(db, account_id, provider_id, clock.now()) if one.effect == "allow"]


@router.post("/account/access/{provider_id}")
def give_back(request: Request, db: Transaction, by: SignedIn, provider_id: str, form: TheForm) -> Response:
    """End the chosen ones; nothing of anybody else's can be named. Taking away needs nobody's approval."""
    facts = _facts(db, by.account.id, provider_id)
    chosen = set(form.list_of("grant"))
    ending = [one for one, _ in facts["held"] if one.id in chosen]
    if not ending:
        problem = {"grant": "Choose what you don't need any more."}
        raise Invalid(fields=problem, page="account/reduce.html", context=facts)
    for one in ending:
        grants.end(db, one, by=by.account.id, reason="not_needed")
    _end_empty_jobs(db, by.account.id, provider_id, {one.assignment_id for one in ending if one.assignment_id})
    return pages.go(request, f"/account?given_back={len(ending)}")


def _end_empty_jobs(db: Db, account_id: str, provider_id: str, jobs: set[str]) -> None:
    """End a job nothing is left of, so that the access managers' list doesn't name it any more."""
    left = {one.assignment_id for one in _held(db, account_id, provider_id)}
    for job in sorted(jobs - left):
        db.execute(
            update(Assignment)
            .where(col(Assignment.id) == job, col(Assignment.ended_at).is_(None))
            .values(ended_at=clock.now())
        )
