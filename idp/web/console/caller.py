"""Who calls: a person's token, the practice it was made for, and the decision that lets them."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool

from idp.accounts.tables import Account, Session
from idp.audit import origin
from idp.errors import NotEntitled, NotFound
from idp.wam import authority
from idp.web import guards
from idp.web.authzen.evaluation import app_of
from idp.web.bearer import Caller, bearer
from idp.web.boundary import TheService, Transaction
from idp.web.guards import Acting, Visitor
from idp.web.manager.guard import first_open

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


def _decided(db: Transaction, caller: Caller, p: str, permission: str) -> Acting:
    assert caller.account_id is not None
    account, session = db.get(Account, caller.account_id), db.get(Session, caller.session_id)
    if account is None or session is None:
        raise NotFound
    origin.narrow(actor_id=account.id, session_id=session.id, acr=session.acr, amr=tuple(session.amr))
    theirs = authority.lines_seen if permission == authority.SEES else authority.lines_of
    visitor, app = Visitor(account, session), app_of(caller)
    return first_open(theirs(db, account.id, p), lambda line: guards.acting(db, visitor, p, permission, line, app=app))


Sees = Annotated[Acting, Depends(may("access.view"))]
"""May look at the people of the practice in the path."""
Manages = Annotated[Acting, Depends(may("access.manage"))]
"""May change them; needs a fresh second factor."""
Approves = Annotated[Acting, Depends(may("delegation.approve"))]
"""May let outside companies work for the practice; needs a fresh second factor."""


def lines_of(db: Transaction, acting: Acting) -> list[str]:
    """Return the lines this person manages here."""
    return authority.lines_of(db, acting.visitor.account.id, acting.provider.id)


def lines_seen(db: Transaction, acting: Acting) -> list[str]:
    """Return the lines whose access this person may look at here."""
    return authority.lines_seen(db, acting.visitor.account.id, acting.provider.id)
