"""The insurer's staff: claims to be a practice's first access manager, letters to print, calls to make (W-1)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from sqlmodel import Session as Db

from idp.accounts import linking, people, second_factor
from idp.audit import log
from idp.audit.events import Event
from idp.database import of
from idp.errors import Conflict, Invalid, NotEntitled, TooMany
from idp.federation import upstreams
from idp.first_managers import confirming, keys
from idp.registration import first_manager
from idp.web import pages
from idp.web.boundary import Transaction
from idp.web.forms import TheForm
from idp.web.guards import Acting, insurer_staff
from idp.web.scopes import LINE_NAMES

router = APIRouter()
PATH = "/insurer/first-managers"
Staff = Annotated[Acting, Depends(insurer_staff("wam.verify"))]


@router.get(PATH, include_in_schema=False)
def listed(request: Request, staff: Staff, db: Transaction) -> Response:
    """List the claims that wait for staff, and the letters to print."""
    waiting = confirming.waiting(db)
    letters = [(key, confirming.look(db, claim)) for key, claim in keys.letters(db)]
    return pages.page(
        request, "insurer/first_managers.html", waiting=waiting, letters=letters, ways=confirming.WAYS, **_frame(staff)
    )


@router.get(f"{PATH}/{{x}}", include_in_schema=False)
def one(request: Request, staff: Staff, db: Transaction, x: str) -> Response:
    """Show one claim: who it is, what was proven, what is open; looking is recorded."""
    return pages.page(request, "insurer/first_manager.html", **_facts(staff, db, x))


@router.post(f"{PATH}/{{x}}/letter/{{key}}", include_in_schema=False)
def printed(request: Request, staff: Staff, db: Transaction, form: TheForm, *, x: str, key: str) -> Response:
    """Show a letter to print, once; then its key is nowhere but on paper."""
    letter = keys.print_letter(db, key, by=staff.visitor.account.id)
    return pages.page(request, "insurer/first_manager_letter.html", letter=letter, **_frame(staff))


@router.post(f"{PATH}/{{x}}/called", include_in_schema=False)
def called(request: Request, staff: Staff, db: Transaction, x: str, form: TheForm) -> Response:
    """Enter the number the person read out at the practice's own number."""
    with _refused_there(_facts(staff, db, x)):
        keys.prove_by_call(db, x, by=staff.visitor.account.id, code=form.get("code", ""))
    return pages.go(request, f"{PATH}/{x}")


@router.post(f"{PATH}/{{x}}/confirm", include_in_schema=False)
def confirm(request: Request, staff: Staff, db: Transaction, x: str, form: TheForm) -> Response:
    """Confirm the claim; the person then takes on the duties."""
    with _refused_there(_facts(staff, db, x)):
        confirming.confirm(db, x, by=staff.visitor.account.id, identity=form.get("identity", ""))
    return pages.go(request, f"{PATH}/{x}")


@router.post(f"{PATH}/{{x}}/refuse", include_in_schema=False)
def refuse(request: Request, staff: Staff, db: Transaction, x: str, form: TheForm) -> Response:
    """Refuse the claim with a reason the person reads."""
    with _refused_there(_facts(staff, db, x)):
        confirming.refuse(db, x, by=staff.visitor.account.id, reason=form.get("reason", ""))
    return pages.go(request, f"{PATH}/{x}")


@contextmanager
def _refused_there(facts: dict[str, Any]) -> Iterator[None]:
    """Show a refusal on the claim's own page, as it stood before."""
    with pages.shown_again(
        "insurer/first_manager.html", facts, first_manager.WrongProof, TooMany, Invalid, Conflict, NotEntitled
    ):
        yield


def _frame(staff: Acting) -> dict[str, Any]:
    return {"acting": {"name": staff.provider.name, "tin_last4": None, "id": staff.provider.id}}


def _facts(staff: Acting, db: Db, x: str) -> dict[str, Any]:
    seen = confirming.look(db, confirming.find(db, x[:64]))
    event = Event(
        "registration.claim.viewed",
        account=seen.account.id,
        provider=seen.provider.id if seen.provider else None,
        details={"claim": seen.claim.id},
    )
    log.record(db, event)
    names = upstreams.names(db)
    logins = [names.get(one.upstream_id or "", "User name and password") for one in linking.logins(db, seen.account.id)]
    by = staff.visitor.account.id
    return {
        "seen": seen,
        "emails": [contact.email for contact in people.contacts(db, seen.account.id) if contact.verified_at],
        "logins": logins,
        "second_step": second_factor.has(db, seen.account.id),
        "ways": confirming.WAYS,
        "line_name": LINE_NAMES[seen.claim.line],
        "handled": by in keys.handlers(db, seen.claim.id),
        "own": seen.account.id == by,
        "left": max(0, first_manager.MOST_WRONG - seen.claim.tries),
        "zone_name": of(db).settings.time_zone,
        "problem": None,
        **_frame(staff),
    }
