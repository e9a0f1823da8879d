"""Who is asking: every route names one of these, or says why anyone may come (security.md 61)."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request
from sqlmodel import Session as Db
from sqlmodel import col, select
from starlette.concurrency import run_in_threadpool

from idp.accounts import opening, sessions
from idp.accounts.tables import Account, Session
from idp.audit import log, origin
from idp.database import reading
from idp.entitlements import asking, told
from idp.entitlements.decision import OURSELVES, Decision, Question
from idp.entitlements.question import AskingApp
from idp.entitlements.sentences import sentence
from idp.errors import AccessTaken, NotEntitled, NotFound, NotSignedIn, StepUp
from idp.providers.tables import Provider
from idp.signals import epochs
from idp.web import cookies, forms
from idp.web.boundary import Transaction, service_of

STRANGER = frozenset({"provider_required", "provider_not_granted"})
"""Reasons that say the person has nothing to do with the organisation."""
OUT = ("suspended", "ceased", "closed")
"""Statuses in which nobody is signed in."""
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
    """Return who is signed in, or None; raise ShownToAnother where a form comes that another person was shown."""
    secret = cookies.read(request, service_of(request).settings, cookies.SESSION)
    session = sessions.find(db, secret) if secret else None
    if session is None:
        request.state.taken = opening.taken_from(db, secret) if secret else ""
        return None
    account = db.get(Account, session.account_id)
    assert account is not None
    if account.status in OUT:
        request.state.taken = opening.taken(db, account)
        return None  # asked at every use: a sign-in of the same moment is not among the sessions that were ended
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
    forms.same_person(request)
    return known


def recognise(request: Request) -> None:
    """Let a page that no route answers know who is signed in; nothing is changed by it, no clock goes on."""
    secret = cookies.read(request, service_of(request).settings, cookies.SESSION)
    if secret is None or getattr(request.state, "person", None) is not None:
        return
    with reading(service_of(request).database) as db:
        session = sessions.find(db, secret)
        account = db.get(Account, session.account_id) if session else None
        if session is not None and account is not None and account.status not in OUT:
            request.state.person = Visitor(account, session)


async def _whoever(request: Request, db: Transaction) -> Visitor | None:
    """Return who is signed in; without a cookie nothing is read, and no thread is asked."""
    if cookies.read(request, service_of(request).settings, cookies.SESSION) is None:
        return None
    return await run_in_threadpool(visitor, request, db)


MaybeVisitor = Annotated[Visitor | None, Depends(_whoever)]


async def signed_in(request: Request, found: MaybeVisitor) -> Visitor:
    """Require a signed-in person; the page road leads to the sign-in, or says plainly who ended theirs, and when."""
    if found is None:
        taken = getattr(request.state, "taken", "")
        raise AccessTaken(taken) if taken else NotSignedIn()
    return found


SignedIn = Annotated[Visitor, Depends(signed_in)]


@dataclass(frozen=True, slots=True)
class Acting:
    """A signed-in person acting for an organisation, and the decision that lets them."""

    visitor: Visitor
    provider: Provider
    decision: Decision


def entitled(permission: str, line: str | None = None) -> Callable[..., Acting]:
    """Require a permission at the organisation the path names as `p`; asks the one `decide()`.

    A stranger's organisation looks like one that does not exist (security.md 62). Raises NotFound, StepUp
    when the session is not strong or fresh enough, NotEntitled with the decision's reason otherwise.
    """

    def guard(p: str, person: SignedIn, db: Transaction) -> Acting:
        return acting(db, person, p, permission, line)

    return guard


def insurer_staff(permission: str) -> Callable[..., Acting]:
    """Require a permission at the insurer itself: its staff act for the organisation of kind `insurer`.

    Raises as `entitled` does; who does not work there sees NotFound.
    """

    def guard(person: SignedIn, db: Transaction) -> Acting:
        insurer = db.exec(select(Provider.id).where(col(Provider.kind) == "insurer")).first()
        if insurer is None:
            raise NotFound
        return acting(db, person, insurer, permission, None)

    return guard


def acting(
    db: Db, person: Visitor, p: str, permission: str, line: str | None, *, app: AskingApp | None = None
) -> Acting:
    """Decide whether a person may, at an organisation, through our pages or an app; raises as `entitled` does."""
    question = Question(
        account_id=person.account.id,
        entitlement=permission,
        provider_id=p,
        app=app or replace(OURSELVES, channel=person.session.channel),
        line=line,
        sid=person.session.id,
    )
    decision = asking.decide_in_session(db, question)
    written = partial(log.record, event=told.event(question, decision))
    provider = db.get(Provider, p)
    waits = person.account.status in ("invited", "verified")  # nobody yet: learns of no practice (T-12)
    if provider is None or waits or decision.reason in STRANGER:
        raise NotFound(then=(written,))
    origin.narrow(provider_id=provider.id)
    if decision.step_up is not None:
        wanted = decision.step_up
        raise StepUp(sentence(decision) or "", acr=wanted.acr, max_age=wanted.max_age, then=(written,))
    if not decision.allowed:
        raise NotEntitled(sentence(decision) or "", code=decision.reason, then=(written,))
    written(db)
    epochs.rests_on(db, person.account.id, int(decision.freshness.rpartition(".")[2]))
    return Acting(person, provider, decision)
