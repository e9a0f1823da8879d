"""A person is away, or was not seen for long: let their access rest, and go on again (domain.md 7)."""

# ruff: noqa: FAST003 - the guard in the signature takes `p`

from typing import Any

from fastapi import APIRouter, Request, Response
from sqlmodel import Session as Db

from idp.database import of
from idp.errors import Conflict, Invalid, NotEntitled, NotFound
from idp.wam import authority, inactivity, leave
from idp.web import dates, pages
from idp.web.boundary import Transaction
from idp.web.forms import Form, TheForm
from idp.web.guards import Acting
from idp.web.manager import views
from idp.web.manager.guard import Manages, lines_of

router = APIRouter()


@router.get("/p/{p}/people/{a}/leave")
def leave_page(request: Request, db: Transaction, acting: Manages, a: str) -> Response:
    """Ask from when until when a person is away; show what is recorded already."""
    return pages.page(request, "wam/leave.html", **_facts(db, acting, a, None))


@router.post("/p/{p}/people/{a}/leave")
def begin(request: Request, db: Transaction, acting: Manages, a: str, form: TheForm) -> Response:
    """Record it; what the person was given rests and goes on afterwards."""
    zone = of(db).settings.time_zone
    start, until = form.of("start", "until")
    with pages.shown_again("wam/leave.html", lambda: _facts(db, acting, a, form), Invalid, Conflict, NotEntitled):
        leave.begin(
            db,
            by=acting.visitor.account.id,
            provider_id=acting.provider.id,
            account_id=a,
            lines=lines_of(db, acting),
            starts_at=dates.start_of(dates.typed_day(start, "start"), zone) if start else None,
            ends_at=dates.end_of(dates.typed_day(until, "until"), zone) if until else None,
        )
    return pages.go(request, f"/p/{acting.provider.id}/people/{a}")


@router.post("/p/{p}/people/{a}/back")
def back(request: Request, db: Transaction, acting: Manages, a: str, form: TheForm) -> Response:
    """The person is back: their access goes on at the next question."""
    leave.back(db, by=acting.visitor.account.id, provider_id=acting.provider.id, account_id=a)
    return pages.go(request, f"/p/{acting.provider.id}/people/{a}")


@router.post("/p/{p}/people/{a}/lift")
def lift(request: Request, db: Transaction, acting: Manages, a: str, form: TheForm) -> Response:
    """Let somebody go on who was paused because they were not seen."""
    inactivity.lift(db, by=acting.visitor.account.id, provider_id=acting.provider.id, account_id=a)
    return pages.go(request, f"/p/{acting.provider.id}/people/{a}")


def _facts(db: Db, acting: Acting, a: str, form: Form | None) -> dict[str, Any]:
    found = authority.person(db, acting.provider.id, a)
    if found.affiliation is None:
        raise NotFound
    return {
        "who": found.account,
        "away": leave.of_person(db, a, acting.provider.id),
        "typed": {name: form.get(name, "") if form is not None else "" for name in ("start", "until")},
        "problem": None,
        **views.frame(db, acting.provider, acting.visitor.account.id),
    }
