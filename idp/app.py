"""create_app(settings): the one place where everything is wired."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from idp.audit import log
from idp.database import Database
from idp.database.lane import open_lane
from idp.settings import Settings
from idp.web import errors
from idp.web.bearer import memory_of
from idp.web.boundary import Service
from idp.web.built import Files
from idp.web.measured import Measured
from idp.web.middleware import Edge

ROUTERS: tuple[str, ...] = ("authorize", "login", "terms", "account", "wam", "audit", "health", "mailbox")
"""Modules of idp.web that hold a `router` of people's pages or consoles."""
MACHINES: tuple[str, ...] = ("machines", "access", "signals")
"""Modules of idp.web that hold `routes(service)` of the machines' lane."""


def create_app(settings: Settings) -> FastAPI:
    """Build the application; connections open, and background jobs start, when its event loop starts."""
    from importlib import import_module

    from idp.jobs import start

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

    app = FastAPI(title="idp", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.service = service
    errors.install(app)
    for name in MACHINES:
        app.router.routes.extend(import_module(f"idp.web.{name}").routes(service))
    for name in ROUTERS:
        app.include_router(import_module(f"idp.web.{name}").router)
    app.mount("/static", Files(), name="static")
    app.add_middleware(Measured)
    app.add_middleware(Edge, settings=settings)
    return app
