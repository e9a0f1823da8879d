"""The service, and a provider of other makers as one of its organizations."""

from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import httpx2
from starlette.testclient import TestClient

from idp.database import Database
from idp.settings import Settings
from tests.browser import Browser


class Foreign(Protocol):
    """A running provider: its name, and a client that talks to it."""

    issuer: str
    site: httpx2.Client


_Foreign = TypeVar("_Foreign", bound=Foreign)


@dataclass
class World(Generic[_Foreign]):
    """Both sides, for a browser that walks between them."""

    database: Database
    foreign: _Foreign
    client: TestClient
    settings: Settings

    def browser(self) -> Browser:
        """Return a new one that reaches both."""
        sites = {self.settings.issuer: self.client, self.foreign.issuer: self.foreign.site}
        return Browser(sites, self.settings.issuer)

    def rows(self, statement: str) -> list[tuple[object, ...]]:
        """Return what the service's database answers."""
        with self.database.engine.connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(statement).all()]
