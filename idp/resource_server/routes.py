"""The kit's own addresses and its answers to every no: RFC 9470 redirects for browsers, WWW-Authenticate for APIs."""

import inspect
from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse

from idp.resource_server.decisions import Answer, Deny, Routed, StepUp
from idp.resource_server.guards import NeedSignIn, NotAccepted, NotAllowed, Person, here
from idp.resource_server.login import own_path
from idp.resource_server.problems import IssuerUnavailable, SignInFailed

if TYPE_CHECKING:
    from idp.resource_server.portal import Portal

_BUSY = "The identity service does not answer just now. Try again in a moment."


def install(app: FastAPI, portal: "Portal") -> None:
    """Add the routes and the handlers to an app."""
    app.include_router(_router(portal))

    @app.exception_handler(NeedSignIn)
    async def _sign_in(request: Request, need: NeedSignIn) -> Response:
        if "text/html" not in request.headers.get("accept", ""):
            return _challenge(portal, None)
        where = here(request) if request.method in ("GET", "HEAD") else "/"
        return await _away(portal, request, return_to=where, acting_for=need.acting_for)

    @app.exception_handler(NotAccepted)
    async def _not_accepted(request: Request, refusal: NotAccepted) -> Response:
        return _challenge(portal, "invalid_token")

    @app.exception_handler(NotAllowed)
    async def _not_allowed(request: Request, refusal: NotAllowed) -> Response:
        answer = refusal.answer
        if refusal.api:
            return _api_refusal(answer)
        if isinstance(answer, StepUp) and refusal.back_to is not None:
            return await _away(
                portal,
                request,
                return_to=refusal.back_to,
                acting_for=refusal.person.provider_id,
                acr_values=answer.acr_values,
                max_age=answer.max_age,
            )
        return await _refuse(portal, request, refusal.person, answer)

    @app.exception_handler(SignInFailed)
    async def _failed(request: Request, problem: SignInFailed) -> Response:
        return await _refuse(portal, request, None, Deny(None, problem.code, problem.text))

    @app.exception_handler(IssuerUnavailable)
    async def _unavailable(request: Request, problem: IssuerUnavailable) -> Response:
        return await _refuse(portal, request, None, Deny(None, "no_answer", _BUSY))


def _router(portal: "Portal") -> APIRouter:
    router = APIRouter()

    @router.get("/sign-in")
    async def sign_in(request: Request, next: str = "/") -> Response:  # noqa: A002 - the query parameter's name
        return await _away(portal, request, return_to=own_path(next))

    @router.get("/switch")
    async def switch(request: Request) -> Response:
        # No acting_for: the identity service asks which practice, where there is a choice.
        return await _away(portal, request, return_to="/")

    @router.get("/callback")
    async def callback(request: Request) -> Response:
        given = request.query_params.multi_items()
        answer = dict(given)
        if len(answer) != len(given):
            raise SignInFailed("invalid_request", "The answer was not understood. Start again.")
        finished = await portal.sign_in.finish(request.cookies.get(portal.cookie("browser")), answer)
        portal.sessions.drop(request.cookies.get(portal.cookie("session")))
        response = _go(finished.return_to)
        _put(portal, response, "session", portal.sessions.open(finished.tokens, stepped_up=finished.step_up))
        return response

    @router.post("/sign-out")
    async def sign_out(request: Request) -> Response:
        if _foreign(portal, request):
            return JSONResponse({"title": "This form was not sent from our page"}, 403)
        secret = request.cookies.get(portal.cookie("session"))
        session = portal.sessions.find(secret)
        portal.sessions.drop(secret)
        response = _go("/" if session is None else await portal.sign_in.sign_out(session.tokens))
        response.delete_cookie(portal.cookie("session"), path="/", secure=portal.settings.secure, httponly=True)
        return response

    return router


async def _away(
    portal: "Portal",
    request: Request,
    *,
    return_to: str,
    acting_for: str | None = None,
    acr_values: str | None = None,
    max_age: int | None = None,
) -> Response:
    browser = portal.browser_of(request)
    try:
        where = await portal.sign_in.begin(
            browser, return_to=return_to, acting_for=acting_for, acr_values=acr_values, max_age=max_age
        )
    except IssuerUnavailable:
        return await _refuse(portal, request, None, Deny(None, "no_answer", _BUSY))
    response = _go(where)
    _put(portal, response, "browser", browser)
    return response


async def _refuse(portal: "Portal", request: Request, person: Person | None, answer: Answer) -> Response:
    made = portal.refuse(request, person, answer)
    return await made if inspect.isawaitable(made) else made


def plain_refusal(request: Request, person: Person | None, answer: Answer) -> Response:
    """Answer a no with a bare page; apps give `install` a nicer one."""
    return HTMLResponse(
        f'<!doctype html><html lang="en"><title>Not shown</title><main><h1>Not shown</h1>'
        f"<p>{escape(answer.sentence)}</p></main></html>",
        status_of(answer),
    )


def status_of(answer: Answer) -> int:
    """Return the HTTP status that fits a no: 503 when we could not ask, 403 otherwise."""
    return 503 if answer.reason in ("no_answer", "unavailable") else 403


def _challenge(portal: "Portal", error: str | None) -> Response:
    """Answer 401 as RFC 6750 3 has it; without a token sent there is no error to name."""
    value = "Bearer" if error is None else f'Bearer error="{error}"'
    return JSONResponse({"title": "Sign in to go on", "status": 401}, 401, {"WWW-Authenticate": value})


def _api_refusal(answer: Answer) -> Response:
    """Answer an API caller with problem details; a step-up as RFC 9470."""
    body: dict[str, object] = {
        "title": "You don't have access to this",
        "status": status_of(answer),
        "detail": answer.sentence,
        "reason": answer.reason,
        "decision": answer.decision_id,
    }
    headers: Mapping[str, str] = {}
    if isinstance(answer, StepUp):
        parts = ['Bearer error="insufficient_user_authentication"']
        if answer.acr_values:
            parts.append(f'acr_values="{_quotable(answer.acr_values)}"')
        if answer.max_age is not None:
            parts.append(f'max_age="{answer.max_age}"')
        headers = {"WWW-Authenticate": ", ".join(parts)}
        body["status"] = 401
    elif isinstance(answer, Routed):
        body["contact"] = {"name": answer.contact.name, "phone": answer.contact.phone, "url": answer.contact.url}
    elif isinstance(answer, Deny) and answer.help_url:
        body["help"] = {"url": answer.help_url}
    status = body["status"]
    assert isinstance(status, int)
    return JSONResponse(body, status, dict(headers), "application/problem+json")


def _quotable(value: str) -> str:
    return "".join(letter for letter in value if letter.isprintable() and letter not in '"\\')


def _foreign(portal: "Portal", request: Request) -> bool:
    """Say whether a form came from somewhere else (the cookie's SameSite=Lax is the first guard)."""
    origin = request.headers.get("origin")
    if origin is not None:
        return origin != portal.settings.origin
    referer = urlsplit(request.headers.get("referer", ""))
    return f"{referer.scheme}://{referer.netloc}" != portal.settings.origin


def _go(where: str) -> RedirectResponse:
    return RedirectResponse(where, 303, {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})


def _put(portal: "Portal", response: Response, name: str, value: str) -> None:
    response.set_cookie(
        portal.cookie(name), value, path="/", secure=portal.settings.secure, httponly=True, samesite="lax"
    )
