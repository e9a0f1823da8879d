"""Who calls: a person's token, the practice it was made for, and the decision that lets them."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Request
from sqlmodel import Session as Db
from starlette.concurrency import run_in_threadpool

from idp.accounts.tables import Account, Session
from idp.audit import origin
from idp.errors import NotEntitled, NotFound
from idp.web import guards
from idp.web.authzen.evaluation import app_of
from idp.web.bearer import Caller, bearer
from idp.web.boundary import TheService, Transaction
from idp.web.guards import Acting, Visitor
from idp.web.manager.guard import first_open, lines_asked

SCOPE = "wam"


async def caller_of(request: Request, service: TheService) -> Caller:
    """Require a person's token with the scope; raises NotSignedIn, NotEntitled for a service."""
    caller = await bearer(service, request, SCOPE)
    if caller.account_id is None or caller.session_id is None:
        raise NotEntitled("Send a person's token. A service does not manage access.", code="person_required")
    return caller


def may(permission: str) -> Callable[..., object]:
    """Require a permission in the practice of the path, asked for a line of theirs: managed or, to look, audited."""

    async def guard(p: str, db: Transaction, caller: Annotated[Caller, Depends(caller_of)]) -> Acting:
        if caller.provider_id != p:  # the token names the practice it is for; another one is not there
            raise NotFound
        return await run_in_threadpool(_decided, db, caller, p, permission)

    return guard


def visitor_of(db: Db, caller: Caller) -> Visitor:
    """Return the person of a token and their session; what is recorded from now on is theirs. Raises NotFound."""
    account = db.get(Account, caller.account_id) if caller.account_id else None
    session = db.get(Session, caller.session_id) if caller.session_id else None
    if account is None or session is None:
        raise NotFound
    origin.narrow(actor_id=account.id, session_id=session.id, acr=session.acr, amr=tuple(session.amr))
    return Visitor(account, session)


def _decided(db: Transaction, caller: Caller, p: str, permission: str) -> Acting:
    visitor, app = visitor_of(db, caller), app_of(caller)
    lines = lines_asked(db, visitor.account.id, p, permission)
    return first_open(lines, lambda line: guards.acting(db, visitor, p, permission, line, app=app))


Sees = Annotated[Acting, Depends(may("access.view"))]
"""May look at the people of the practice in the path."""
Manages = Annotated[Acting, Depends(may("access.manage"))]
"""May change them; needs a fresh second factor."""
Approves = Annotated[Acting, Depends(may("delegation.approve"))]
"""May let outside companies work for the practice; needs a fresh second factor."""
