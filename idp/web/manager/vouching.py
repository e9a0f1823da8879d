"""Vouch for a person of the practice who lost their second step (RU-8; domain.md 9)."""

# ruff: noqa: FAST003 - the guard in the signature takes `p`

from typing import Any

from fastapi import APIRouter, Request, Response
from sqlmodel import Session as Db

from idp import configuration
from idp.accounts import vouching
from idp.errors import Invalid, NotFound
from idp.wam import authority
from idp.web import pages
from idp.web.boundary import Transaction
from idp.web.forms import TheForm
from idp.web.guards import Acting
from idp.web.manager.guard import Manages

router = APIRouter()


def _facts(db: Db, acting: Acting, a: str) -> dict[str, Any]:
    found = authority.person(db, acting.provider.id, a)
    if found.affiliation is None:
        raise NotFound
    return {
        "acting": acting.provider,
        "who": found.account,
        "wanted": vouching.wanted(db, a),
        "word": vouching.of_account(db, a),
        "hours": int(configuration.current(db).clocks.recovery_wait.total_seconds() // 3600),
    }


@router.get("/p/{p}/people/{a}/vouch")
def vouch_page(request: Request, db: Transaction, acting: Manages, a: str) -> Response:
    """Say what vouching means, and what to do before."""
    return pages.page(request, "wam/vouch.html", **_facts(db, acting, a))


@router.post("/p/{p}/people/{a}/vouch")
def vouch(request: Request, db: Transaction, acting: Manages, a: str, form: TheForm) -> Response:
    """Give the word; needs a fresh second step of the manager, as every change of a person does."""
    facts = _facts(db, acting, a)
    if form.get("spoke") != "yes":
        fields = {"spoke": "Speak to them first, then check the box."}
        raise Invalid(fields=fields, page="wam/vouch.html", context=facts)
    vouching.vouch(db, a, acting.provider.id, by=acting.visitor.account.id)
    return pages.go(request, f"/p/{acting.provider.id}/people/{a}/vouch")
