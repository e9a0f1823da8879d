"""What the access manager's journeys share: two practices, their people, and browsers that are signed in."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from idp import clock
from idp.app import create_app
from idp.database import Database, transaction
from idp.entitlements import grants
from idp.settings import Settings
from tests.browser import Browser
from tests.engines import Filling
from tests.wam.world import FILLING, LINE, World


@dataclass
class Managed:
    """The small world of tests/wam and the service before it."""

    world: World
    settings: Settings
    sites: dict[str, TestClient]

    @property
    def here(self) -> str:
        """The first part of the addresses of Lakeside Clinic."""
        return f"/p/{self.world.lakeside}"

    def as_(self, name: str) -> Browser:
        """A browser of a person who has just signed in with a second step."""
        browser = Browser(self.sites, self.settings.issuer)
        jar = browser.cookies.setdefault(urlsplit(self.settings.issuer).netloc, {})
        jar[f"{self.settings.cookie_prefix}session"] = self.world.sign_in(name)
        return browser

    def held(self, name: str, at: datetime | None = None) -> set[str]:
        """What a person can do at Lakeside Clinic, now or at a moment."""
        with transaction(self.world.database) as db:
            rows = grants.live(db, self.world.people[name], self.world.lakeside, at or clock.now())
        paused = {g.entitlement for g in rows if g.effect == "deny"}
        return {g.entitlement for g in rows if g.effect == "allow"} - paused

    def ends(self, name: str) -> set[datetime | None]:
        """The ends of what a person can do at Lakeside Clinic now."""
        with transaction(self.world.database) as db:
            return {g.expires_at for g in grants.live(db, self.world.people[name], self.world.lakeside, clock.now())}

    def give(self, name: str, *keys: str, by: str = "operator", **more: Any) -> None:
        """Give functions as an operator or a manager."""
        with transaction(self.world.database) as db:
            for key in keys:
                grants.grant(
                    db,
                    account_id=self.world.people[name],
                    provider_id=self.world.lakeside,
                    line=LINE,
                    entitlement=key,
                    by=self.world.people.get(by, by),
                    reason="needs it",
                    **more,
                )

    def one(self, sql: str, **values: Any) -> Any:
        """The first value of a query."""
        with transaction(self.world.database) as db:
            return db.execute(text(sql), values).scalar()

    def events(self, name: str) -> int:
        """How often an event stands in the log."""
        return int(self.one("SELECT count(*) FROM audit_record WHERE event = :e", e=name))

    def mails(self, template: str) -> int:
        """How many mails of a kind were written."""
        return int(self.one("SELECT count(*) FROM outbox WHERE template = :t", t=template))


@pytest.fixture
def filling(request: pytest.FixtureRequest) -> Filling | None:
    return FILLING if "managed" in request.fixturenames else None


@pytest.fixture
def managed(database: Database, settings: Settings, facts: dict[str, Any]) -> Iterator[Managed]:
    """Lakeside Clinic (Wes and Mia manage it; Ana, Finn) and Harbor Imaging (Otto, Hana)."""
    with TestClient(create_app(settings), base_url=settings.issuer) as client:
        yield Managed(World(database, **facts), settings, {settings.issuer: client})
