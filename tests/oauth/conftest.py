"""A running application, one person at one practice, and a few clients."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from fastapi import FastAPI

from idp.app import create_app
from idp.settings import Settings
from idp.web.boundary import Service


@pytest.fixture
def app(settings: Settings) -> FastAPI:
    return create_app(settings)


def running(app: FastAPI, play: Callable[[Service], Coroutine[Any, Any, Any]]) -> Any:
    """Run a coroutine while the application's lifespan is open."""

    async def main() -> Any:
        async with app.router.lifespan_context(app):
            return await play(app.state.service)

    return asyncio.run(main())
