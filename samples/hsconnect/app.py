"""HSConnect: eligibility of Medicare Advantage members.

The line of business is `medicare_advantage`: what somebody was given for the medical line opens nothing here.
Run it with `uvicorn --factory samples.hsconnect.app:create_app` (settings: samples/shared/settings.py).
"""

from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import HTMLResponse, Response
from starlette.exceptions import HTTPException as StarletteHTTPException

from idp.resource_server.guards import Allowed, Person
from idp.resource_server.portal import Portal
from samples.shared import settings
from samples.shared.pages import Pages, serve_styles

MEMBERS = {
    "MA-100": {"name": "E. Novak", "plan": "Meridian Advantage Plus", "since": "2024-01-01", "copay": "$20"},
    "MA-200": {"name": "S. Delacroix", "plan": "Meridian Advantage Basic", "since": "2025-06-01", "copay": "$35"},
}


def _facts(request: Request) -> dict[str, Any]:
    number = request.path_params["number"]
    if number not in MEMBERS:
        raise HTTPException(404)
    return {"type": "member", "id": number, "member_active": True, "shared_account": None}


def create_app() -> FastAPI:
    """Build the app."""
    portal = Portal(settings.read("hsconnect", line="medicare_advantage"))
    pages = Pages("HSConnect", Path(__file__).parent / "templates", portal)
    app = FastAPI(lifespan=portal.lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    portal.install(app, refuse=pages.refuse)
    serve_styles(app)
    SignedIn = Annotated[Person, Depends(portal.signed_in)]  # noqa: N806 - a type
    MaySee = Annotated[Allowed, Depends(portal.entitled("eligibility.view", record=_facts))]  # noqa: N806 - a type

    @app.get("/")
    async def home(person: SignedIn) -> HTMLResponse:
        return pages.draw("home.html", person=person, members=list(MEMBERS))

    @app.get("/members/{number}")
    async def member(number: str, allowed: MaySee) -> HTMLResponse:
        facts = MEMBERS[number]
        return pages.draw("member.html", person=allowed.person, number=number, member=facts, permit=allowed.permit)

    @app.get("/healthz")
    async def healthz() -> dict[str, bool]:
        """Say that the app runs, and whether it hears revocations."""
        return {"hears": portal.feed.fresh()}

    @app.exception_handler(StarletteHTTPException)
    async def nothing_here(request: Request, problem: StarletteHTTPException) -> Response:
        return pages.draw("missing.html", person=None, status=problem.status_code)

    return app
