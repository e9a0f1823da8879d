"""The whole kit joined for a FastAPI app: a few lines in the app, everything else here.

portal = Portal(PortalSettings(issuer=..., client_id=..., client_secret=..., origin=..., resource=...))
app = FastAPI(lifespan=portal.lifespan)
portal.install(app)

@app.get("/claims/{number}")
async def claim(allowed: Annotated[Allowed, Depends(portal.entitled("claim.status.view", purpose=..., ...))]):
    ...
"""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx2
from fastapi import FastAPI, Request, Response

from idp.resource_server import guards, routes
from idp.resource_server.decisions import Answer, Decisions
from idp.resource_server.introspection import Introspection
from idp.resource_server.issuer import Issuer
from idp.resource_server.login import SignIn
from idp.resource_server.revocations import Feed
from idp.resource_server.service import ServiceToken
from idp.resource_server.sessions import MemorySessions
from idp.resource_server.verify import Verifier


@dataclass(frozen=True, slots=True)
class PortalSettings:
    """What an app must know about itself; all of it stands in its registration."""

    issuer: str
    """Origin of the identity service, exactly as in its tokens."""
    client_id: str
    client_secret: str = field(repr=False)
    origin: str
    """Origin of this app; its redirect addresses are made from it."""
    resource: str
    """Audience of access tokens made for this app."""
    line: str | None = None
    """Line of business to ask for; None means the client's default."""
    scopes: tuple[str, ...] = ("openid", "profile")
    algorithms: tuple[str, ...] = ("ES256",)
    cookie: str = "app"
    """Cookies ignore ports: apps that share a host name need names of their own."""

    @property
    def secure(self) -> bool:
        """Say whether cookies carry Secure and the __Host- prefix: everywhere but on plain http."""
        return self.origin.startswith("https://")


Refuse = Callable[[Request, "guards.Person | None", Answer], Response | Awaitable[Response]]
"""An app's own page for a no: deny, routed, or a step-up that did not help."""


class Portal:
    """One app of the portal; start it with `lifespan`."""

    def __init__(self, settings: PortalSettings, *, http: httpx2.AsyncClient | None = None) -> None:
        """Join the parts; `http` replaces the client that calls the identity service."""
        self.settings = settings
        self.http = http or httpx2.AsyncClient(timeout=httpx2.Timeout(5.0), follow_redirects=False, trust_env=False)
        self.issuer = Issuer(settings.issuer, http=self.http)
        name, secret = settings.client_id, settings.client_secret
        self.tokens = self._verifier(settings.resource)
        self.service_token = ServiceToken(self.issuer, client_id=name, client_secret=secret)
        self.decisions = Decisions(self.issuer, self.service_token)
        self.feed = Feed(self.issuer, self.service_token)
        self.introspection = Introspection(self.issuer, client_id=name, client_secret=secret)
        self.sign_in = SignIn(
            self.issuer,
            client_id=name,
            client_secret=secret,
            redirect_uri=f"{settings.origin}/callback",
            post_logout_redirect_uri=f"{settings.origin}/",
            access_tokens=self.tokens,
            id_tokens=self._verifier(settings.client_id),
            resource=settings.resource,
            scopes=settings.scopes,
        )
        self.sessions = MemorySessions()
        self.refuse: Refuse = routes.plain_refusal

    def _verifier(self, audience: str) -> Verifier:
        return Verifier(
            issuer=self.settings.issuer, audience=audience, keys=self.issuer, algorithms=self.settings.algorithms
        )

    @asynccontextmanager
    async def lifespan(self, _app: FastAPI) -> AsyncIterator[None]:
        """Listen to revocations while the app runs."""
        await self.feed.start()
        try:
            yield
        finally:
            await self.feed.stop()
            await self.http.aclose()

    def install(self, app: FastAPI, *, refuse: Refuse | None = None) -> None:
        """Add /sign-in, /callback, /switch, /sign-out and the answers to every no."""
        self.refuse = refuse or self.refuse
        routes.install(app, self)

    async def signed_in(self, request: Request) -> "guards.Person":
        """FastAPI dependency: who is asking. Browsers without a session are sent to sign in."""
        return await guards.signed_in(self, request)

    def entitled(
        self,
        entitlement: str,
        *,
        purpose: guards.Purpose = None,
        record: guards.Record = None,
        line: str | None = None,
        back_to: Callable[[Request], str] | None = None,
    ) -> Callable[[Request], Awaitable["guards.Allowed"]]:
        """Return a FastAPI dependency that lets pass whoever the identity service permits, now.

        `purpose` and `record` are values, or functions of the request that find them. A step-up sends browsers
        to confirm it is them and back to the same page (`back_to` names it where the request is not a GET);
        APIs get 401 with WWW-Authenticate (RFC 9470).
        """

        async def check(request: Request) -> guards.Allowed:
            return await guards.entitled(
                self, request, entitlement, purpose=purpose, record=record, line=line, back_to=back_to
            )

        return check

    def browser_of(self, request: Request) -> str:
        """Return this browser's secret, making one where there is none; `routes` puts it into the cookie."""
        known = request.cookies.get(self.cookie("browser"))
        if not known or len(known) > 128:
            known = getattr(request.state, "browser", None) or secrets.token_urlsafe(32)
            request.state.browser = known
        return known

    def cookie(self, name: str) -> str:
        """Return the full name of one of our cookies."""
        return f"{'__Host-' if self.settings.secure else ''}{self.settings.cookie}_{name}"
