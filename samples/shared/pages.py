"""Draw the pages of a sample app: templates, one stylesheet, a strict content security policy."""

from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from starlette.staticfiles import StaticFiles

from idp.resource_server.decisions import Answer, Deny, Routed
from idp.resource_server.guards import Person
from idp.resource_server.portal import Portal
from idp.resource_server.routes import status_of

_HERE = Path(__file__).parent


class Pages:
    """The pages of one app; `app` is its name on screen."""

    def __init__(self, app: str, templates: Path, portal: Portal) -> None:
        self._app = app
        self._environment = Environment(
            loader=FileSystemLoader([templates, _HERE / "templates"]),
            autoescape=select_autoescape(default=True, default_for_string=True),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        # Signing out posts a form here and is sent on to the identity service; Chromium checks the whole chain.
        self._policy = (
            "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; "
            f"form-action 'self' {portal.settings.issuer}"
        )

    def draw(self, template: str, *, person: Person | None, status: int = 200, **facts: Any) -> HTMLResponse:
        """Render a page."""
        body = self._environment.get_template(template).render(app=self._app, person=person, **facts)
        headers = {
            "Content-Security-Policy": self._policy,
            "Cache-Control": "no-store",
            # same-origin, not no-referrer: with that a form's Origin would be "null".
            "Referrer-Policy": "same-origin",
            "X-Content-Type-Options": "nosniff",
        }
        return HTMLResponse(body, status, headers)

    def refuse(self, request: Request, person: Person | None, answer: Answer) -> HTMLResponse:
        """Draw a no: the reason in plain words and who can help, or who handles it; nothing of the record."""
        return self.draw(
            "refused.html",
            person=person,
            status=status_of(answer),
            answer=answer,
            contact=answer.contact if isinstance(answer, Routed) else None,
            help_url=answer.help_url if isinstance(answer, Deny) else None,
        )


def serve_styles(app: FastAPI) -> None:
    """Serve the stylesheet under /static."""
    app.mount("/static", StaticFiles(directory=_HERE / "static"), name="static")
