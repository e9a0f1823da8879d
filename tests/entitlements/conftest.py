"""A running service with Ana's world and an app that may ask; tokens come from the token endpoint."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from idp import clock
from idp.app import create_app
from idp.database import Database, transaction
from idp.oauth import clients
from idp.settings import Settings
from tests.decisions import world
from tests.engines import ISSUER

BASE = world.load("base.yaml")
SECRET = "s" * 40
SCOPES = ["access:evaluate", "access:simulate", "access:search"]


class Caller:
    """An app's machine: holds a token and asks."""

    def __init__(self, http: httpx2.AsyncClient, app: FastAPI) -> None:
        self.http = http
        self.app = app
        self.service = app.state.service

    async def token(self, scope: str, client_id: str = "claims") -> dict[str, str]:
        """Fetch a token by client credentials; return the header that carries it."""
        answer = await self.http.post(
            "/oauth/token",
            data={"grant_type": "client_credentials", "scope": scope},
            auth=(client_id, SECRET),
        )
        assert answer.status_code == 200, answer.text
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}

    async def ask(self, headers: dict[str, str], body: Any, path: str = "/access/v1/evaluation") -> httpx2.Response:
        """Post a JSON body."""
        return await self.http.post(path, json=body, headers=headers)


def question(**change: Any) -> dict[str, Any]:
    """Return an evaluation request about Ana at Lakeside; members are replaced whole."""
    return {
        "subject": {"type": "account", "id": "acc_ana", "properties": {"sid": "ses_ana"}},
        "action": {"name": "message.send"},
        "resource": {"type": "provider", "id": "prv_lake"},
        **change,
    }


@pytest.fixture
def noon(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is noon in Ana's world."""
    monkeypatch.setattr(clock, "now", lambda: BASE["now"])


@pytest.fixture
def ana(database: Database, noon: None) -> Database:
    """The database with Ana's world and the app `claims`, which may ask in every way."""
    world.build(database, BASE["world"])
    with transaction(database) as db:
        clients.register(
            db,
            client_id="claims",
            name="Claims",
            secret=SECRET,
            grant_types=["client_credentials"],
            scopes=SCOPES,
            help_url="https://claims.example/help",
        )
    return database


Play = Callable[[Caller], Coroutine[Any, Any, Any]]


@pytest.fixture
def run(settings: Settings, ana: Database) -> Callable[[Play], Any]:
    """Run a coroutine against the running application."""

    def runner(play: Play) -> Any:
        async def main() -> Any:
            app = create_app(settings)
            async with app.router.lifespan_context(app):
                transport = httpx2.ASGITransport(app=app)
                async with httpx2.AsyncClient(transport=transport, base_url=ISSUER) as http:
                    return await play(Caller(http, app))

        return asyncio.run(main())

    return runner
