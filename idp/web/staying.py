"""Before the automatic sign-out: how long is left, a page that asks, and staying signed in (ui.md 4.10).

Asking how long is left prolongs nothing, so any number of tabs may ask. Without a script the page of `/still-there`
comes by itself two minutes before; with one, a dialog does.
"""

from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse
from sqlmodel import Session as Db

from idp import clock, configuration
from idp.accounts import flows, sessions
from idp.accounts.assurance import idle_limit
from idp.accounts.tables import Session
from idp.web import cookies, pages
from idp.web.boundary import Transaction, service_of
from idp.web.forms import TheForm
from idp.web.guards import SignedIn, open_to_anyone

router = APIRouter()


def _here(request: Request, db: Db) -> Session | None:
    """Return the session of this browser without noting that somebody is there."""
    secret = cookies.read(request, service_of(request).settings, cookies.SESSION)
    return sessions.find(db, secret) if secret else None


def _ends(db: Db, session: Session) -> dict[str, Any]:
    idle = session.last_seen_at + idle_limit(configuration.current(db).clocks, session.acr)
    ends = min(idle, session.expires_at)
    left = max(0, int((ends - clock.now()) / timedelta(seconds=1)))
    return {"left": left, "ends": ends, "final": session.expires_at <= idle}


@router.get("/account/session")
@open_to_anyone("tells a browser how long its own session lasts; nobody signed in has 0 seconds")
def left(request: Request, db: Transaction) -> Response:
    """Answer the seconds until this browser is signed out, without prolonging them."""
    session = _here(request, db)
    if session is None:
        return JSONResponse({"left": 0, "final": True})
    ends = _ends(db, session)
    return JSONResponse({"left": ends["left"], "final": ends["final"]})


@router.get("/still-there")
@open_to_anyone("asks whoever sits at a signed-in browser; leads on where nobody is signed in")
def ask(request: Request, db: Transaction, where: Annotated[str, Query(alias="next")] = "") -> Response:
    """Say when this browser is signed out, and offer to stay."""
    back = where if flows.is_own_path(where) else "/account"
    session = _here(request, db)
    if session is None:
        return pages.go(request, "/signed-out?" + urlencode({"why": "idle", "next": back}))
    return pages.page(request, "login/still_there.html", back=back, **_ends(db, session))


@router.post("/still-there")
def stay(request: Request, by: SignedIn, form: TheForm) -> Response:
    """Stay signed in: being here is noted as with every page; go back to where one was."""
    where = form.get("next", "")
    return pages.go(request, where if flows.is_own_path(where) else "/account")
