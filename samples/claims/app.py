"""The Claims app: sign-in, tokens, decisions and revocations come from the kit; the rest is pages.

Run it with `uvicorn --factory samples.claims.app:create_app` (settings: samples/shared/settings.py).
"""

from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException as StarletteHTTPException

from idp.resource_server.guards import Allowed, Person
from idp.resource_server.portal import Portal
from samples.claims.records import ABOUT, CLAIMS, PURPOSES
from samples.shared import settings
from samples.shared.pages import Pages, serve_styles


def _facts(request: Request) -> dict[str, Any]:
    found = CLAIMS.get(request.path_params["number"])
    if found is None:
        raise HTTPException(404)
    return found.facts()


def _purpose(request: Request) -> str | None:
    return request.query_params.get("purpose")


def create_app() -> FastAPI:
    """Build the app."""
    portal = Portal(settings.read("claims", line="medical"))
    pages = Pages("Claims", Path(__file__).parent / "templates", portal)
    app = FastAPI(lifespan=portal.lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    portal.install(app, refuse=pages.refuse)
    serve_styles(app)
    SignedIn = Annotated[Person, Depends(portal.signed_in)]  # noqa: N806 - a type
    may_see = portal.entitled("claim.status.view", purpose=_purpose, record=_facts)
    MaySee = Annotated[Allowed, Depends(may_see)]  # noqa: N806 - a type

    @app.get("/")
    async def home(person: SignedIn) -> HTMLResponse:
        return pages.draw("home.html", person=person, purposes=PURPOSES, about=ABOUT)

    @app.get("/look-up")
    async def look_up(request: Request, person: SignedIn) -> Response:
        number = request.query_params.get("number", "").strip().upper()
        purpose = request.query_params.get("purpose", "")
        if number not in CLAIMS:
            return pages.draw("home.html", person=person, status=404, purposes=PURPOSES, about=ABOUT, unknown=True)
        return RedirectResponse(f"/claims/{number}" + (f"?purpose={purpose}" if purpose in PURPOSES else ""), 303)

    @app.get("/claims/{number}")
    async def claim(number: str, allowed: MaySee) -> HTMLResponse:
        return pages.draw("claim.html", person=allowed.person, claim=CLAIMS[number], permit=allowed.permit)

    @app.get("/api/claims/{number}")
    async def claim_for_programs(number: str, allowed: MaySee) -> dict[str, Any]:
        found = CLAIMS[number]
        permit = {"decision": allowed.permit.decision_id, "because": allowed.permit.because}
        return {"number": found.number, "state": found.state, "paid": found.paid, **permit}

    @app.get("/healthz")
    async def healthz() -> dict[str, bool]:
        """Say that the app runs, and whether it hears revocations."""
        return {"hears": portal.feed.fresh()}

    @app.exception_handler(StarletteHTTPException)
    async def nothing_here(request: Request, problem: StarletteHTTPException) -> Response:
        return pages.draw("missing.html", person=None, status=problem.status_code)

    return app
