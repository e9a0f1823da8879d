"""A person's own second steps: listed, named, removed; new recovery codes (ui.md 3.6)."""

from typing import Any

from fastapi import APIRouter, Request, Response
from sqlmodel import Session as Db

from idp.accounts import linking, passkeys, second_factor
from idp.errors import Conflict, Invalid, NotFound
from idp.web import pages
from idp.web.boundary import Transaction
from idp.web.forms import TheForm
from idp.web.guards import SignedIn

router = APIRouter()


@router.get("/account/second-step")
def second_step(request: Request, db: Transaction, by: SignedIn) -> Response:
    """List the second steps and how many recovery codes are left."""
    used = {one.factor_id: one.last_used_at for one in passkeys.of_account(db, by.account.id)}
    return pages.page(
        request,
        "account/second_step.html",
        factors=[(one, used.get(one.id)) for one in second_factor.steps(db, by.account.id)],
        left=second_factor.recovery_left(db, by.account.id),
        of=second_factor.RECOVERY_CODES,
    )


@router.get("/account/second-step/codes")
def new_codes_page(request: Request, db: Transaction, by: SignedIn) -> Response:
    """Ask before old recovery codes stop working."""
    if not second_factor.has(db, by.account.id):
        return pages.go(request, "/sign-in/enroll")
    linking.require_fresh_proof(db, by.session)
    return pages.page(request, "account/new_codes.html", codes=None)


@router.post("/account/second-step/codes")
def new_codes(request: Request, db: Transaction, by: SignedIn, form: TheForm) -> Response:
    """Make new recovery codes and show them once."""
    if not second_factor.has(db, by.account.id):
        raise NotFound
    linking.require_fresh_proof(db, by.session)
    codes = second_factor.make_recovery_codes(db, by.account.id)
    return pages.page(request, "account/new_codes.html", codes=codes)


@router.get("/account/second-step/{factor_id}")
def one_step(request: Request, db: Transaction, by: SignedIn, factor_id: str) -> Response:
    """Offer another name for a second step, or its removal; the last one has no button."""
    linking.require_fresh_proof(db, by.session)
    return pages.page(request, "account/second_step_one.html", **_one(db, by.account.id, factor_id))


def _one(db: Db, account_id: str, factor_id: str) -> dict[str, Any]:
    factor = second_factor.own(db, account_id, factor_id)
    stays = [one.name for one in second_factor.steps(db, account_id) if one.id != factor_id]
    return {"factor": factor, "stays": stays}


@router.post("/account/second-step/{factor_id}/name")
def name_step(request: Request, db: Transaction, by: SignedIn, factor_id: str, form: TheForm) -> Response:
    """Give a second step another name."""
    linking.require_fresh_proof(db, by.session)
    facts = _one(db, by.account.id, factor_id)
    try:
        second_factor.rename(db, by.account.id, factor_id, form.get("name", ""))
    except Invalid as refusal:
        refusal.page, refusal.context = "account/second_step_one.html", facts
        raise
    return pages.go(request, "/account/second-step")


@router.post("/account/second-step/{factor_id}/remove")
def remove_step(request: Request, db: Transaction, by: SignedIn, factor_id: str, form: TheForm) -> Response:
    """Take away one of several second steps."""
    linking.require_fresh_proof(db, by.session)
    facts = _one(db, by.account.id, factor_id)
    try:
        second_factor.remove(db, by.account.id, factor_id, keep_session=by.session.id)
    except Conflict as refusal:
        refusal.page, refusal.context = "account/second_step_one.html", facts
        raise
    return pages.go(request, "/account/second-step")
