"""FastAPI guards: who is asking, and may they? Used through `portal.Portal`."""

import inspect
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastapi import Request

from idp.resource_server.decisions import Answer, Deny, Permit, Question, StepUp
from idp.resource_server.login import Tokens
from idp.resource_server.problems import KitProblem, SignedOut, TokenRefused
from idp.resource_server.revocations import Standing
from idp.resource_server.sessions import AppSession
from idp.resource_server.verify import AccessToken

if TYPE_CHECKING:
    from idp.resource_server.portal import Portal

Text = str | None
Facts = Mapping[str, Any] | None
Purpose = Text | Callable[[Request], Text | Awaitable[Text]]
Record = Facts | Callable[[Request], Facts | Awaitable[Facts]]
"""A value, or a function of the request that finds it."""
_CIRCLE = 10.0
"""Seconds within which the same step-up asked twice means that it does not help."""
_RENEW = 30
"""Seconds before its end at which an access token is renewed."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who is asking, and for which practice."""

    account_id: str
    session_id: str | None
    provider_id: str | None
    name: str
    provider_name: str
    token: AccessToken
    tokens: Tokens | None = None
    """What the sign-in brought; None when the caller came with a bearer token."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """A person and the permit that lets them pass."""

    person: Person
    permit: Permit


class NeedSignIn(KitProblem):
    """A browser without a live session; it goes to sign in and comes back."""

    def __init__(self, acting_for: str | None = None) -> None:
        super().__init__("sign in")
        self.acting_for = acting_for


class NotAccepted(KitProblem):
    """An API caller without an acceptable token (RFC 6750)."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class NotAllowed(KitProblem):
    """The answer was not a permit; `routes` gives it the right form."""

    def __init__(self, answer: Answer, person: Person, back_to: str | None, *, api: bool) -> None:
        super().__init__(answer.reason or "no")
        self.answer = answer
        self.person = person
        self.back_to = back_to
        self.api = api


async def signed_in(portal: "Portal", request: Request) -> Person:
    """Return who is asking, by bearer token or by the app's session; raise NotAccepted or NeedSignIn."""
    header = request.headers.get("authorization")
    if header is not None:
        return await _by_bearer(portal, header)
    secret = request.cookies.get(portal.cookie("session"))
    session = portal.sessions.find(secret)
    if session is None:
        raise NeedSignIn
    try:
        await _renew(portal, session)
    except SignedOut:
        portal.sessions.drop(secret)
        raise NeedSignIn(session.tokens.access.provider_id) from None
    found = session.tokens.person
    return _person(session.tokens.access, found, session.tokens)


async def _by_bearer(portal: "Portal", header: str) -> Person:
    scheme, _, raw = header.partition(" ")
    if scheme.lower() != "bearer":
        raise NotAccepted("send a bearer token")
    try:
        token = await portal.tokens.access_token(raw.strip())
    except TokenRefused as problem:
        raise NotAccepted(problem.reason) from None
    if token.session_id is None:
        raise NotAccepted("this token speaks of no person")
    if not await _holds(portal, token):
        raise NotAccepted("the token was revoked")
    return _person(token, token.claims, None)


def _person(token: AccessToken, facts: Mapping[str, Any], tokens: Tokens | None) -> Person:
    name, provider = facts.get("name"), facts.get("provider_name")
    return Person(
        account_id=token.subject,
        session_id=token.session_id,
        provider_id=token.provider_id,
        name=name if isinstance(name, str) else "",
        provider_name=provider if isinstance(provider, str) else "",
        token=token,
        tokens=tokens,
    )


async def _holds(portal: "Portal", token: AccessToken) -> bool:
    """Say whether a verified token still holds: by the feed, and when the feed is stale by introspection."""
    standing = portal.feed.standing(token)
    if standing is Standing.UNKNOWN:
        return await portal.introspection.active(token.raw)
    return standing is Standing.LIVE


async def _renew(portal: "Portal", session: AppSession) -> None:
    """Keep the session's token in force while a person waits; raise SignedOut when it cannot be."""
    async with session.one_at_a_time:
        token = session.tokens.access
        if token.expires_at - time.time() > _RENEW and await _holds(portal, token):
            return
        # When the service cannot be asked, IssuerUnavailable goes on up: nothing is shown, nobody is signed out.
        session.tokens = await portal.sign_in.refresh(session.tokens)
        if portal.feed.standing(session.tokens.access) is Standing.REVOKED:
            raise SignedOut("revoked meanwhile")


async def entitled(
    portal: "Portal",
    request: Request,
    entitlement: str,
    *,
    purpose: Purpose,
    record: Record,
    line: str | None,
    back_to: Callable[[Request], str] | None,
) -> Allowed:
    """Let pass whoever is permitted; raise NotAllowed with the answer otherwise."""
    person = await signed_in(portal, request)
    answer: Answer
    if person.provider_id is None:
        answer = Deny(None, "provider_required", "Choose the practice you are working for.")
    else:
        answer = await portal.decisions.ask(
            Question(
                account_id=person.account_id,
                session_id=person.session_id,
                entitlement=entitlement,
                provider_id=person.provider_id,
                line=line or portal.settings.line,
                purpose=await _found(purpose, request),
                record=await _found(record, request),
            )
        )
    if isinstance(answer, Permit):
        return Allowed(person, answer)
    where: str | None = None
    if back_to is not None:
        where = back_to(request)
    elif request.method in ("GET", "HEAD"):
        where = here(request)
    if isinstance(answer, StepUp) and just_confirmed(portal, request, answer):
        where = None
    raise NotAllowed(answer, person, where, api=person.tokens is None)


def just_confirmed(portal: "Portal", request: Request, answer: StepUp) -> bool:
    """Say whether this browser just came back from this very step-up: asking once more would go in circles."""
    session = portal.sessions.find(request.cookies.get(portal.cookie("session")))
    if session is None or session.stepped_up != (answer.acr_values, answer.max_age):
        return False
    return time.monotonic() - session.opened_at < _CIRCLE


def here(request: Request) -> str:
    """Return the path and query of this request."""
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


async def _found(fact: Any, request: Request) -> Any:
    value = fact(request) if callable(fact) else fact
    return await value if inspect.isawaitable(value) else value
