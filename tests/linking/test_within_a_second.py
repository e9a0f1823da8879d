"""A stopwatch: a suspended partner's every path is closed on two workers within one second, on both databases."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.testclient import TestClient

from idp.accounts import linking
from idp.app import create_app
from idp.database import transaction
from idp.federation import upstreams
from idp.leaving import partners
from idp.outbound import Outbound
from idp.partners.tables import Partner
from idp.settings import Settings
from tests.engines import Filling
from tests.fakes.upstreams.oidc import OidcProvider, Wire
from tests.oauth.world import FILLING, ISSUER, Ids, World, open_world

SECOND = 1.0
TRIES = 3
"""The machine may be busy: every try has to close every path, the best of them in time."""


@pytest.fixture
def filling() -> Filling:
    """The world of the token tests."""
    return FILLING


@dataclass
class Workers:
    """Two workers on one database, and Evergreen's provider."""

    first: World
    second: World
    evergreen: OidcProvider
    paths: dict[str, Callable[[], bool]] = field(default_factory=dict)
    """What is tried after the suspension: its name, and whether it was refused."""

    def browser(self, worker: World) -> TestClient:
        browser = TestClient(worker.app, base_url=ISSUER, follow_redirects=False)
        browser.portal = worker.http.portal  # the worker's own event loop, on which its connections live
        return browser

    def sent_back(self, browser: TestClient) -> str:
        """Go to Evergreen and come back as far as its redirect."""
        leaving = browser.get("/login/ups_evergreen")
        answer = self.evergreen.client.get(leaving.headers["location"], follow_redirects=False)
        return str(answer.headers["location"])

    def open_paths(self) -> None:
        """Sign Ana in through Evergreen, give her app tokens, and leave another try half done."""
        self.paths.clear()
        for name, worker in (("first", self.first), ("second", self.second)):
            worker.http.cookies.clear()
            assert worker.http.get(self.sent_back(worker.http)).status_code == 303
            tokens = {"code": worker.code(), **worker.tokens(scope="openid offline_access")}
            self._try(name, worker, tokens)

    def _try(self, name: str, worker: World, tokens: dict[str, Any]) -> None:
        half = self.browser(worker)
        back = self.sent_back(half)
        access, refresh = tokens["access_token"], tokens["refresh_token"]
        page = {"accept": "text/html"}
        assert worker.http.get("/account", headers=page).status_code == 200
        assert worker.introspect(access)["active"] is True
        self.paths |= {
            f"{name}: page": lambda: worker.http.get("/account", headers=page).status_code != 200,
            f"{name}: new code": lambda: "code=" not in worker.authorize().headers.get("location", ""),
            f"{name}: code": lambda: worker.exchange(tokens["code"]).status_code == 400,
            f"{name}: introspection": lambda: worker.introspect(access) == {"active": False},
            f"{name}: userinfo": lambda: worker.userinfo(access).status_code == 401,
            f"{name}: refresh": lambda: worker.refresh(refresh).status_code == 400,
            f"{name}: new sign-in": lambda: self.browser(worker).get("/login/ups_evergreen").status_code == 403,
            f"{name}: pending sign-in": lambda: half.get(back).status_code == 403,
        }


@pytest.fixture
def workers(settings: Settings, facts: Ids) -> Iterator[Workers]:
    """Two workers in this process, as two processes would have them: each with its own memory and connections."""
    evergreen = OidcProvider()
    apps = [create_app(settings), create_app(settings)]
    for app in apps:
        app.state.service.parts["outbound"] = Outbound(development=True, transport=Wire(evergreen))
    with open_world(apps[0], facts) as first, open_world(apps[1], facts) as second:
        with transaction(first.database) as db:
            db.add(Partner(id="ptr_evergreen", name=evergreen.name, kind="affiliate", status="active"))
            db.flush()
            upstreams.register(
                db,
                partner_id="ptr_evergreen",
                display_name=evergreen.name,
                **evergreen.record(),
                upstream_id="ups_evergreen",
            )
            linking.link(db, first.ana, upstream_id="ups_evergreen", issuer=evergreen.issuer, subject="ev-1")
        yield Workers(first, second, evergreen)


def test_security_35_a_suspended_partners_every_path_is_closed_on_two_workers_within_one_second(
    workers: Workers,
) -> None:
    took = []
    for _ in range(TRIES):
        workers.open_paths()
        with transaction(workers.first.database) as db:
            assert partners.suspend(db, "ptr_evergreen", because="test")
        began = time.monotonic()
        still_open = [name for name, refused in workers.paths.items() if not refused()]
        took.append(time.monotonic() - began)
        assert still_open == []
        if took[-1] < SECOND:
            break
        with transaction(workers.first.database) as db:
            partners.reinstate(db, "ptr_evergreen", because="once more")
    assert min(took) < SECOND
