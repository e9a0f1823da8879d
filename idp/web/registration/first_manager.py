"""Prove that one may manage a practice's access: by a claim or payment, a letter's key, or a call back (W-1)."""

from typing import Any

from fastapi import APIRouter, Request, Response
from sqlmodel import Session as Db

from idp.errors import Conflict, Invalid, NotFound, Refused, TooMany
from idp.first_managers import confirming, facts, keys
from idp.registration import first_manager
from idp.registration.tables import FirstManagerClaim
from idp.web import pages
from idp.web.boundary import Transaction
from idp.web.forms import TheForm
from idp.web.guards import SignedIn

router = APIRouter()
_PATH = "/register/first-manager"
_TEMPLATE = "register/first_manager.html"


@router.get(f"{_PATH}/{{claim}}")
def prove_page(request: Request, db: Transaction, by: SignedIn, claim: str) -> Response:
    """Offer the three ways, or, once the insurer confirmed, the duties to take on."""
    return pages.page(request, _TEMPLATE, **_facts(db, by.account.id, claim))


@router.post(f"{_PATH}/{{claim}}")
def prove(request: Request, db: Transaction, by: SignedIn, claim: str, form: TheForm) -> Response:
    """Look at the proof that was brought; five wrong ones close the claim."""
    mine = _facts(db, by.account.id, claim)
    way, account_id = form.get("way"), by.account.id
    kept = {"typed": {name: form.get(name, "")[:60] for name in ("kind", "number")}}
    try:
        if way == "letter":
            keys.prove_by_letter(db, claim, account_id=account_id, key=form.get("key", ""))
        else:
            kind, number, amount = form.of("kind", "number", "amount")
            facts.prove(db, claim, account_id=account_id, kind=kind, number=number, amount=amount)
    except first_manager.WrongProof as problem:
        problem.page, problem.context = _TEMPLATE, mine | kept | {"problem": problem.detail, "left": problem.left}
        raise
    except (TooMany, Conflict) as problem:
        problem.page, problem.context = _TEMPLATE, mine | {"problem": problem.detail}
        raise
    return pages.go(request, f"{_PATH}/{claim}")


@router.post(f"{_PATH}/{{claim}}/letter")
def letter(request: Request, db: Transaction, by: SignedIn, claim: str, form: TheForm) -> Response:
    """Ask for a letter; the answer is the same whether or not there is an address on file."""
    try:
        keys.ask_letter(db, claim, account_id=by.account.id)
    except (TooMany, Conflict) as problem:
        problem.page = _TEMPLATE
        problem.context = _facts(db, by.account.id, claim) | {"problem": problem.detail}
        raise
    return pages.page(request, _TEMPLATE, **_facts(db, by.account.id, claim) | {"told": "letter"})


@router.post(f"{_PATH}/{{claim}}/call")
def call(request: Request, db: Transaction, by: SignedIn, claim: str, form: TheForm) -> Response:
    """Ask to be called back; show the number to read out, once."""
    try:
        code = keys.ask_call(db, claim, account_id=by.account.id)
    except (TooMany, Conflict) as problem:
        problem.page = _TEMPLATE
        problem.context = _facts(db, by.account.id, claim) | {"problem": problem.detail}
        raise
    return pages.page(request, _TEMPLATE, **_facts(db, by.account.id, claim) | {"told": "call", "code": code})


@router.post(f"{_PATH}/{{claim}}/accept")
def accept(request: Request, db: Transaction, by: SignedIn, claim: str, form: TheForm) -> Response:
    """Take on the duties of an access manager."""
    mine = _facts(db, by.account.id, claim)
    with pages.shown_again(_TEMPLATE, mine, Invalid, Refused):
        if form.get("duties") != "yes":
            _not_read()
        provider = confirming.accept(db, claim, account_id=by.account.id)
    return pages.go(request, f"/p/{provider.id}/people")


def _not_read() -> None:
    raise Invalid(fields={"duties": "Read what an access manager does, then check the box."})


def _facts(db: Db, account_id: str, claim_id: str) -> dict[str, Any]:
    found = db.get(FirstManagerClaim, claim_id)
    if found is None or found.account_id != account_id:
        raise NotFound
    seen = confirming.look(db, found)
    return {
        "claim": found,
        "tin": seen.application.tin_last4,
        "left": max(0, first_manager.MOST_WRONG - found.tries),
        "practice": seen.provider.name if seen.provider and found.status == "confirmed" else "",
        "problem": None,
        "told": None,
        "code": None,
        "typed": {"kind": "", "number": ""},
    }
