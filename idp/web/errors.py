"""The one place that chooses the form of a refusal: redirect, OAuth JSON, problem details or a page."""

from typing import Any
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

import orjson
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from idp.audit import origin
from idp.errors import Invalid, NotFound, NotSignedIn, NotTakenIn, OAuthRefused, Refused, StepUp, Unavailable
from idp.web import guards, pages
from idp.web.bearer import memory_of
from idp.web.boundary import service_of

_log = structlog.get_logger("idp.web")
_MACHINES = ("/oauth/token", "/oauth/introspect", "/oauth/revoke", "/oauth/userinfo", "/oauth/par")


_JOURNEYS = ("/oauth/", "/sign-", "/register", "/invitations", "/recover", "/login", "/link", "/practice", "/consent")
"""Where the frame of a signed-in person would lead away from what they came for."""


def wants_page(request: Request) -> bool:
    """Say whether the caller is a browser looking at pages."""
    path = request.url.path
    if path.startswith(("/api/", "/access/", "/signals/", "/scim/", "/.well-known/", "/static/", *_MACHINES)):
        return False
    accept = request.headers.get("accept", "")
    return "text/html" in accept or path == "/oauth/authorize"


def _comes_back(request: Request) -> bool:
    """Say whether the same address can be shown after a sign-in: every GET, and forms of a practice's pages.

    Those are sent to the address they were shown at, so the person lands on them again with the choices
    kept, and sends them again themselves (ui.md 4.10).
    """
    return request.method in ("GET", "HEAD") or request.url.path.startswith(("/p/", "/company/"))


def present(request: Request, refusal: Refused) -> Response:
    """Give a refusal the form its asker understands."""
    reference = origin.current().request_id or ""
    if isinstance(refusal, OAuthRefused) and refusal.redirect_uri is not None:
        return _back_to_app(request, refusal)
    if isinstance(refusal, OAuthRefused | NotTakenIn) and request.url.path.startswith(_MACHINES):
        error = refusal.code if isinstance(refusal, OAuthRefused) else "invalid_request"
        body = {"error": error, "error_description": refusal.detail}
        return _json(refusal.status, body, "application/json", refusal.headers)
    if wants_page(request):
        if isinstance(refusal, NotSignedIn) and refusal.page is None and _comes_back(request):
            where = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            return pages.go(request, "/sign-in?" + urlencode({"next": where}))
        if isinstance(refusal, StepUp) and refusal.page is None and _comes_back(request):
            where = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            strong = {"acr": refusal.acr} if refusal.acr == "phr" else {}
            return pages.go(request, "/sign-in/confirm?" + urlencode({"next": where, **strong}))
        fields = refusal.fields if isinstance(refusal, Invalid) else {}
        facts = {"refusal": refusal, "fields": fields, "reference": reference, **refusal.context}
        if isinstance(refusal, Unavailable):
            sent = request.method not in ("GET", "HEAD")
            response = _without_records(request, "errors/away.html", 503, again=sent, **facts)
        elif isinstance(refusal, NotTakenIn):
            response = _without_records(request, "errors/refused.html", refusal.status, **facts)
        else:
            facts.setdefault("framed", not request.url.path.startswith(_JOURNEYS))
            response = pages.page(request, refusal.page or "errors/refused.html", status=refusal.status, **facts)
        response.headers.update(refusal.headers)
        return response
    problem: dict[str, object] = {
        "type": f"{service_of(request).settings.issuer}/problems/{quote(refusal.code)}",
        "title": refusal.title,
        "status": refusal.status,
        "detail": refusal.detail,
        "reference": reference,
    }
    if isinstance(refusal, Invalid) and refusal.fields:
        problem["fields"] = refusal.fields
    headers = dict(refusal.headers)
    if isinstance(refusal, NotSignedIn):
        headers.setdefault("WWW-Authenticate", 'Bearer error="invalid_token"')
    if isinstance(refusal, StepUp):
        age = f", max_age={refusal.max_age}" if refusal.max_age is not None else ""
        headers.setdefault(
            "WWW-Authenticate", f'Bearer error="insufficient_user_authentication", acr_values="{refusal.acr}"{age}'
        )
    return _json(refusal.status, problem, "application/problem+json", headers)


def _without_records(request: Request, template: str, status: int, **facts: Any) -> Response:
    """Show a page without a look at the database: names and phone as last known, for nobody in particular."""
    request.state.person = None
    return pages.page(request, template, status=status, settings=memory_of(service_of(request)).known(), **facts)


def _back_to_app(request: Request, refusal: OAuthRefused) -> Response:
    """Send the error to the proven redirect address (RFC 6749 4.1.2.1, RFC 9207)."""
    assert refusal.redirect_uri is not None
    parts = urlsplit(refusal.redirect_uri)
    answer = {"error": refusal.code, "error_description": refusal.detail}
    if refusal.state is not None:
        answer["state"] = refusal.state
    answer["iss"] = service_of(request).settings.issuer
    query = "&".join(part for part in (parts.query, urlencode(answer)) if part)
    location = urlunsplit(parts._replace(query=query))
    if refusal.response_mode == "form_post":
        return pages.form_post(request, refusal.redirect_uri, location)
    return pages.go(request, location)


def _json(status: int, body: object, media_type: str, headers: dict[str, str]) -> Response:
    return Response(orjson.dumps(body), status, headers, media_type)


def answer(request: Request, problem: Exception) -> Response:
    """Return what a request is told about anything that was raised; a bug is logged and becomes a 500."""
    if isinstance(problem, Refused):
        return present(request, problem)
    if isinstance(problem, RequestValidationError):
        fields = {".".join(str(p) for p in e["loc"][1:]) or "body": str(e["msg"]) for e in problem.errors()}
        return present(request, Invalid("The request could not be understood.", fields=fields))
    if isinstance(problem, HTTPException):
        return _of_framework(request, problem)
    if isinstance(problem, OperationalError | PoolTimeout):
        _log.error("database_unavailable", cause=type(problem).__name__)
        return present(request, Unavailable("The service can't reach its records just now. Try again in a moment."))
    reference = origin.current().request_id or ""
    _log.error("unhandled", reference=reference, path=request.url.path, exc_info=problem)
    bug = Refused(
        f"Something went wrong on our side. Nothing was changed. Tell support: {reference}", code="server_error"
    )
    bug.status = 500
    bug.title = "Something went wrong on our side"
    bug.advice = Unavailable.advice
    return present(request, bug)


def _of_framework(request: Request, problem: HTTPException) -> Response:
    if problem.status_code == 404:
        if wants_page(request):
            guards.recognise(request)
        return present(request, NotFound())
    refusal = Refused(str(problem.detail), code="refused", headers=dict(problem.headers or {}))
    refusal.status = problem.status_code
    return present(request, refusal)


async def turn_away(scope: Scope, receive: Receive, send: Send, refusal: NotTakenIn) -> None:
    """Answer a request that the edge does not let in."""
    request = Request(scope, receive)
    await present(request, refusal)(scope, receive, send)


def install(app: FastAPI) -> None:
    """Route every refusal, and every bug, through `answer`."""
    for kind in (Refused, RequestValidationError, HTTPException, OperationalError, PoolTimeout, Exception):
        app.add_exception_handler(kind, answer)
