"""create_app(settings): the one place where everything is wired."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from idp.audit import log
from idp.database import Database
from idp.database.lane import open_lane
from idp.settings import Settings
from idp.web import errors
from idp.web.areas import Areas
from idp.web.bearer import memory_of
from idp.web.boundary import Service
from idp.web.built import Files
from idp.web.door import Door
from idp.web.fast import FastLane
from idp.web.heads import Heads
from idp.web.measured import Measured
from idp.web.middleware import Edge

LANE: tuple[str, ...] = ("machines", "authzen.evaluation", "signals", "scim", "authorize")
"""Modules of idp.web that hold `routes(service)` of the lane."""


class App(FastAPI):
    """FastAPI for people's pages, with the edge and the machines' lane before it."""

    front: ASGIApp
    areas: Areas

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take a request at the edge; the server's own events go to the framework."""
        scope["app"] = self
        await (self.front if scope["type"] == "http" else self.pages)(scope, receive, send)

    async def pages(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the framework answer."""
        await super().__call__(scope, receive, send)


def create_app(settings: Settings) -> App:
    """Build the application; connections open, and background jobs start, when its event loop starts."""
    from importlib import import_module

    from idp.jobs import start
    from idp.web import plain_outside, plain_sign_in

    service = Service(settings, Database(settings))

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        service.lane = await open_lane(service.database, log.append)
        running = start(service.database) if settings.jobs else None
        try:
            await memory_of(service).picture(service.lane)
            yield
        finally:
            service.parts["stopping"] = True
            if running is not None:
                await asyncio.to_thread(running.stop)
            await service.lane.close()
            service.database.dispose()

    # An address is right or is not there: the framework's own redirect takes scheme and host from the request, which
    # behind a proxy means plain http, and would carry a secret there.
    app = App(title="idp", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    app.state.service = service
    errors.install(app)
    lane = [route for name in LANE for route in import_module(f"idp.web.{name}").routes(service)]
    app.router.routes.extend(lane)
    app.mount("/static", Files(), name="static")
    app.areas = Areas(app, app.pages)
    lane_first = FastLane(lane, app.areas, plain_sign_in.ENDPOINTS, {plain_outside.PREFIX: plain_outside.endpoint})
    app.front = Edge(Measured(Heads(Door(lane_first))), settings, errors.turn_away)
    return app
