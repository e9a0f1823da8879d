"""The small world, an app with the scope of the console, and people who call with its tokens."""

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from starlette.testclient import TestClient

from idp.app import create_app
from idp.database import Database, transaction
from idp.oauth import clients, keys
from idp.settings import Settings
from tests.engines import Filling
from tests.flows.managing import Managed
from tests.wam.world import World, build

CALLBACK, SECRET, VERIFIER = "https://console.example/callback", "s" * 40, "v" * 50


def with_app(database: Database) -> World:
    """Make the small world, and an app of the console's scope."""
    world = build(database)
    keys.ensure(database)
    with transaction(database) as db:
        clients.register(
            db,
            client_id="console",
            name="Console",
            secret=SECRET,
            redirect_uris=[CALLBACK],
            grant_types=["authorization_code", "refresh_token"],
            scopes=["openid", "wam"],
        )
    return world


@pytest.fixture
def companies_app(api: "Api") -> None:
    """An app of outside companies, and of people who act for no practice yet."""
    with transaction(api.world.database) as db:
        clients.register(
            db,
            client_id="companies",
            name="Companies",
            secret=SECRET,
            redirect_uris=[CALLBACK],
            grant_types=["authorization_code"],
            scopes=["openid", "wam"],
            acts_for_provider=False,
        )


def _fill(database: Database) -> dict[str, Any]:
    made = with_app(database)
    return {"lakeside": made.lakeside, "harbor": made.harbor, "people": made.people, "logins": made.logins}


FILLING = Filling("console_api", _fill)


@dataclass
class Calling:
    """One person's calls to the console's API."""

    http: TestClient
    token: str
    here: str
    made: int = 0

    def get(self, path: str, **query: Any) -> Any:
        """Read something of the practice."""
        return self.http.get(self.here + path, params=query, headers={"authorization": f"Bearer {self.token}"})

    def post(self, path: str, body: Any, *, key: str | None = None, **headers: str) -> Any:
        """Change something, with a key of its own unless one is given."""
        self.made += 1
        sent = {
            "authorization": f"Bearer {self.token}",
            "idempotency-key": key or f"key-{self.token[-12:].replace('.', '-')}-{self.made:08}",
            **headers,
        }
        return self.http.post(self.here + path, json=body, headers=sent)


class Api(Managed):
    """The small world behind its API."""

    def calls(self, name: str, *, practice: str | None = None, scope: str = "openid wam", company: str = "") -> Calling:
        """Return a person who signed in at the app for their practice, or for none at the companies' app."""
        provider = practice or self.world.lakeside
        client_id = "companies" if company else "console"
        browser = self.as_(name)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "response_type": "code", "client_id": client_id, "redirect_uri": CALLBACK, "scope": scope,
            "code_challenge": challenge, "code_challenge_method": "S256", "state": "x" * 20,
        }  # fmt: skip
        if not company:
            asked["acting_for"] = provider
        browser.get("/oauth/authorize?" + urlencode(asked))
        assert browser.left is not None, browser.text[:300]
        code = parse_qs(urlsplit(browser.left).query)["code"][0]
        http = self.sites[self.settings.issuer]
        basic = base64.b64encode(f"{client_id}:{SECRET}".encode()).decode()
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
        answer = http.post("/oauth/token", data=form, headers={"authorization": f"Basic {basic}"})
        here = f"/api/v1/companies/{company}" if company else f"/api/v1/practices/{provider}"
        return Calling(http, answer.json()["access_token"], here)


@pytest.fixture
def filling(request: pytest.FixtureRequest) -> Filling | None:
    return FILLING if "api" in request.fixturenames else None


@pytest.fixture
def api(database: Database, settings: Settings, facts: dict[str, Any]) -> Iterator[Api]:
    """Lakeside Clinic (Wes and Mia manage it; Ana, Finn) and Harbor Imaging (Otto, Hana), behind the API."""
    with TestClient(create_app(settings), base_url=settings.issuer) as client:
        yield Api(World(database, **facts), settings, {settings.issuer: client})


def promised(api: Api, calls: Calling, answer: Any) -> list[str]:
    """Return the events that the signed receipt of an answer promises, checked with the public key alone."""
    from tests.wam.test_more_receipts import events

    kept = calls.get(f"/receipts/{answer.json()['receipt']}/signed")
    assert kept.status_code == 200, kept.text
    return events(api.world.database, kept.json())
