"""Who takes part in the story, and the app's side of it, played with the kit an app would use."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import parse_qsl, urlsplit

from idp import clock
from idp.demo.people import DemoPerson
from idp.demo.places import Places
from idp.demo.story.browser import Browser
from idp.demo.story.telling import StoryBroke, Teller
from idp.resource_server.decisions import Answer, Question
from idp.resource_server.login import Tokens
from idp.resource_server.portal import Portal, PortalSettings
from idp.resource_server.problems import SignedOut

_T = TypeVar("_T")
PURPOSE = "CLAIM_REDUCTION_REVIEW"
FIRST_PAGE = "/oauth/authorize"
"""Where a new browser is asked who comes: the app's request shows the sign-in page itself."""
RECORD = {
    "type": "claim",
    "id": "CLM-1",
    "state": "denied",
    "billing_provider": "prv_lakeside",
    "rendering_provider": None,
    "member_active": True,
    "service": "office_visit",
    "shared_account": None,
}
"""What the Claims app tells of claim CLM-1 when it asks for a decision."""


class App:
    """A second copy of the Claims app, so that its side can be shown: it uses the kit and nothing else."""

    def __init__(self, places: Places) -> None:
        self._loop = asyncio.Runner()
        settings = PortalSettings(
            issuer=places.main,
            client_id="claims",
            client_secret=places.secret("claims.secret"),
            origin=places.claims,
            resource=places.claims,
            line="medical",
        )
        self._portal = self.run(_made(settings))
        self._callback = f"{places.claims}/callback"

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Run one piece of the kit's work."""
        return self._loop.run(work)

    def sign_in(self, browser: Browser) -> Tokens:
        """Sign the person of a browser in (they have a session, so nothing is asked); return the tokens."""
        where = self.run(self._portal.sign_in.begin(browser.owner, return_to="/", acting_for="prv_lakeside"))
        page = browser.open(where, stop_at=self._callback)
        if not page.url.startswith(self._callback):
            raise StoryBroke(f"The app was not answered; the browser stands at {page.url}")
        answer = dict(parse_qsl(urlsplit(page.url).query))
        return self.run(self._portal.sign_in.finish(browser.owner, answer)).tokens

    def ask(self, tokens: Tokens) -> Answer:
        """Ask for a decision about CLM-1."""
        question = Question(
            account_id=tokens.access.subject,
            session_id=tokens.access.session_id,
            entitlement="claim.status.view",
            provider_id=tokens.access.provider_id or "",
            line="medical",
            purpose=PURPOSE,
            record=RECORD,
        )
        return self.run(self._portal.decisions.ask(question))

    def introspect(self, tokens: Tokens) -> bool:
        """Ask whether the access token is active."""
        return self.run(self._portal.introspection.active(tokens.access.raw))

    def refresh(self, tokens: Tokens) -> Tokens | None:
        """Refresh; None when the service says no."""
        with suppress(SignedOut):
            return self.run(self._portal.sign_in.refresh(tokens))
        return None

    def close(self) -> None:
        """Close connections."""
        self.run(self._portal.http.aclose())
        self._loop.close()


async def _made(settings: PortalSettings) -> Portal:
    return Portal(settings)


@dataclass(slots=True)
class Stage:
    """Everybody and everything the scenes use."""

    places: Places
    teller: Teller
    invitation: str | None
    """Link of Ana's invitation; None when she joined in an earlier telling."""
    ana: Browser = field(init=False)
    wes: Browser = field(init=False)
    sam: Browser = field(init=False)
    ben: Browser = field(init=False)
    app: App = field(init=False)
    tokens: Tokens = field(init=False)
    """What the app holds for Ana."""
    since: str = field(default_factory=lambda: clock.iso(clock.now()))
    """When the story began (RFC 3339)."""

    def __enter__(self) -> Self:
        people = ("Ana", "Wes", "Sam", "Ben")
        self.ana, self.wes, self.sam, self.ben = (Browser(name, self.teller) for name in people)
        self.app = App(self.places)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        for browser in (self.ana, self.wes, self.sam, self.ben):
            browser.close()
        self.app.close()

    def type_code(self, browser: Browser, person: DemoPerson, action: str = "/sign-in/confirm") -> None:
        """Type the authenticator's code; a code works once, so after an earlier telling the next one is used."""
        for steps in (0, 1):
            browser.submit(action, {"code": person.code(self.places, steps=steps)})
            if browser.page.path != action or browser.page.status < 400:
                return
        raise StoryBroke(f"The codes of {person.name} were used already; wait half a minute and tell the story again.")
