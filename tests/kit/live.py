"""The running service, and an app that holds the kit: what the kit's tests on the real service share."""

import asyncio
from collections.abc import Coroutine
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from sqlalchemy import text

from idp.accounts.assurance import AAL2
from idp.app import create_app
from idp.database import Database, transaction
from idp.demo.people import BEN
from idp.demo.places import Places
from idp.demo.story.stage import PURPOSE, RECORD
from idp.resource_server.decisions import Question
from idp.resource_server.login import Tokens
from idp.resource_server.portal import Portal, PortalSettings
from idp.resource_server.revocations import Standing
from idp.settings import Settings
from tests.browser import Browser
from tests.loopback import serving


@dataclass
class Real:
    """The running service: its world, its database, and Ben's browser, which has signed in once."""

    places: Places
    database: Database
    browser: Browser
    settings: Settings
    _running: ExitStack = field(default_factory=ExitStack)

    def start(self) -> None:
        """Serve, on the same port each time."""
        self._running.enter_context(serving(create_app(self.settings), self.places.ports[0]))

    def stop(self) -> None:
        """Stop serving: connections are refused from now on."""
        self._running.close()

    def open_to(self, where: str, stop_at: str) -> dict[str, str]:
        """Send Ben's browser somewhere; return what it was sent back to the app with."""
        self.browser.stop_at = stop_at
        self.browser.get(where)
        for _ in range(4):
            if self.browser.left is not None:
                return dict(parse_qsl(urlsplit(self.browser.left).query))
            self._answer()
        raise AssertionError(f"{self.browser.url}: {self.browser.text[:500]}")

    def _answer(self) -> None:
        if "E-mail or user name" in self.browser.text:
            self.browser.submit("Continue", username=BEN.user_name)
        elif "Enter your password" in self.browser.text:
            self.browser.submit("Sign in", password=BEN.password)
        elif self.browser.path == "/sign-in/confirm":
            with transaction(self.database) as db:  # a time step is spent once; these tests live in one
                db.execute(text("UPDATE factor SET last_step = 0"))
            self.browser.submit("Confirm", code=BEN.code(self.places))

    def run(self, statement: str, **values: Any) -> list[Any]:
        with transaction(self.database) as db:
            result = db.execute(text(statement), values)
            return list(result.all()) if result.returns_rows else []


class App:
    """A portal app: the kit, an event loop, nothing else."""

    def __init__(self, real: Real) -> None:
        self.real = real
        self._loop = asyncio.Runner()
        settings = PortalSettings(
            issuer=real.places.main,
            client_id="claims",
            client_secret=real.places.secret("claims.secret"),
            origin=real.places.claims,
            resource=real.places.claims,
            line="medical",
        )

        async def made() -> Portal:
            return Portal(settings)

        self.portal = self.run(made())

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self._loop.run(work)

    def sign_in(self, acr_values: str | None = AAL2, **wanted: Any) -> Tokens:
        wanted["acr_values"] = acr_values
        where = self.run(self.portal.sign_in.begin("ben's browser", return_to="/claims/1", **wanted))
        answer = self.real.open_to(where, self.real.places.claims)
        finished = self.run(self.portal.sign_in.finish("ben's browser", answer))
        assert finished.return_to == "/claims/1"
        tokens: Tokens = finished.tokens
        return tokens

    def ask(self, tokens: Tokens, entitlement: str = "claim.status.view", **record: Any) -> Any:
        access = tokens.access
        question = Question(
            account_id=access.subject,
            session_id=access.session_id,
            entitlement=entitlement,
            provider_id=access.provider_id or "",
            line="medical",
            purpose=PURPOSE,
            record={**RECORD, **record},
        )
        return self.run(self.portal.decisions.ask(question))

    def standing(self, tokens: Tokens) -> Standing:
        """Ask the feed once, as the background task does every 250 ms."""
        self.run(self.portal.feed.poll())
        return self.portal.feed.standing(tokens.access)

    def close(self) -> None:
        self.run(self.portal.http.aclose())
        self._loop.close()
