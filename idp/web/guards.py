"""Who is asking: every route names one of these, or says why anyone may come (security.md 61)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request

from idp.accounts import sessions
from idp.accounts.tables import Account, Session
from idp.audit import origin
from idp.errors import NotSignedIn
from idp.web import cookies
from idp.web.boundary import Transaction, service_of

_Route = TypeVar("_Route", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Visitor:
    """A signed-in person and the session they came with."""

    account: Account
    session: Session


def open_to_anyone(because: str) -> Callable[[_Route], _Route]:
    """Declare that a route needs nobody signed in, and why."""

    def mark(route: _Route) -> _Route:
        route.open_because = because  # type: ignore[attr-defined]
        return route

    return mark


def visitor(request: Request, db: Transaction) -> Visitor | None:
    """Return who is signed in, or None."""
    secret = cookies.read(request, service_of(request).settings, cookies.SESSION)
    session = sessions.find(db, secret) if secret else None
    if session is None:
        return None
    account = db.get(Account, session.account_id)
    assert account is not None
    sessions.saw(db, session)
    origin.narrow(
        actor_id=account.id,
        session_id=session.id,
        device_id=session.device_id,
        channel=session.channel,
        acr=session.acr,
        amr=tuple(session.amr),
    )
    known = Visitor(account, session)
    request.state.person = known
    return known


MaybeVisitor = Annotated[Visitor | None, Depends(visitor)]


def signed_in(found: MaybeVisitor) -> Visitor:
    """Require a signed-in person; the page road leads to the sign-in."""
    if found is None:
        raise NotSignedIn
    return found


SignedIn = Annotated[Visitor, Depends(signed_in)]
