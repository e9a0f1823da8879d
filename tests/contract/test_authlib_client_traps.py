"""The traps of the framework's own client (stack.md 3.5): red on the registry its manual shows, green on our flow.

Both stand before the same provider, which sends the same answer.
"""

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from authlib.integrations.base_client import MismatchingStateError, OAuthError
from authlib.integrations.starlette_client import OAuth
from freezegun import freeze_time
from joserfc.errors import SecurityWarning
from starlette.requests import Request

from idp import clock
from tests.browser import Browser
from tests.contract.test_connectors import assert_refused, leave, sent_back
from tests.fakes.upstreams.oidc import OidcProvider
from tests.sign_in_world import World, link_ana

CALLBACK = "https://portal.example/callback"
EVIL = "https://evil.example"


@pytest.fixture(params=["sqlite"])
def engine(request: pytest.FixtureRequest) -> object:
    """One engine: a library answers the same whatever keeps our rows."""
    return request.getfixturevalue(f"_{request.param}")


class _Wire(httpx2.AsyncBaseTransport):
    def __init__(self, provider: OidcProvider) -> None:
        self._provider = provider

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        content = await request.aread()
        return self._provider.answer(
            httpx2.Request(request.method, request.url, content=content, headers=request.headers)
        )


class Naive:
    """The registry, as its manual sets it up, with one browser's session."""

    def __init__(self, provider: OidcProvider) -> None:
        self._provider, self._session = provider, dict[str, Any]()
        self._app = OAuth().register(
            "evergreen",
            client_id=provider.client_id,
            client_secret=provider.client_secret,
            server_metadata_url=f"{provider.issuer}/.well-known/openid-configuration",
            client_kwargs={"scope": "openid", "code_challenge_method": "S256", "transport": _Wire(provider)},
        )

    def _request(self, query: str = "") -> Request:
        scope = {"type": "http", "method": "GET", "headers": [], "query_string": query.encode()}
        return Request({**scope, "session": self._session})

    def leave(self) -> str:
        """Send the browser away; return the query it comes back with."""
        sent = asyncio.run(self._app.authorize_redirect(self._request(), CALLBACK))
        back = self._provider.client.get(sent.headers["location"], follow_redirects=False)
        return urlsplit(back.headers["location"]).query

    def arrive(self, query: str) -> Any:
        """Take an answer; return whom it signed in."""
        return asyncio.run(self._app.authorize_access_token(self._request(query)))["userinfo"]


@pytest.fixture
def naive(world: World) -> Naive:
    link_ana(world)
    return Naive(world.evergreen)


def test_1_an_answer_of_another_issuer_is_refused_before_its_code_is_spent(world: World, naive: Naive) -> None:
    world.evergreen.redirect = {"iss": EVIL}
    assert naive.arrive(naive.leave())["sub"] == "ev-1"  # red: a mix-up nobody notices (RFC 9207)
    world.evergreen.calls.clear()
    assert_refused(world, leave(world)[0])
    assert "/token" not in world.evergreen.calls


def test_2_a_token_that_nobody_signed_is_refused_though_the_metadata_allows_it(world: World, naive: Naive) -> None:
    world.evergreen.header = {"alg": "none"}
    with pytest.warns(SecurityWarning):  # joserfc says so; nothing stops
        assert naive.arrive(naive.leave())["sub"] == "ev-1"  # red
    assert_refused(world, leave(world)[0])


def test_3_metadata_of_another_issuer_is_refused(world: World, naive: Naive) -> None:
    world.evergreen.discovery, world.evergreen.claims = {"issuer": EVIL}, {"iss": EVIL}
    assert naive.arrive(naive.leave())["iss"] == EVIL  # red: the metadata says who is believed
    world.evergreen.asked.clear()
    assert_refused(world, leave(world)[0])
    assert world.evergreen.asked == []


def test_an_error_counts_only_for_a_try_of_this_browser(world: World, naive: Naive) -> None:
    forged = "error=access_denied&error_description=Call+1-900-EVIL&state=wrong"
    with pytest.raises(OAuthError, match="1-900-EVIL"):  # red: believed, with its words, before the state is looked at
        naive.arrive(forged)
    with pytest.raises(MismatchingStateError):
        naive.arrive("code=x&state=wrong")
    browser, back = sent_back(world)
    browser.get(f"{urlsplit(back).path}?{forged}")
    assert_refused(world, browser, 400)
    assert "1-900-EVIL" not in browser.text
    browser.get(back)
    assert browser.path == "/account"  # and the try it was aimed at goes on


def test_a_second_try_leaves_the_first_one_alone(world: World, naive: Naive) -> None:
    first, second = naive.leave(), naive.leave()
    assert naive.arrive(second)["sub"] == "ev-1"
    with pytest.raises(MismatchingStateError):  # red: the other tab
        naive.arrive(first)
    browser, first = sent_back(world)
    second = _again(world, browser)
    for back in (second, first):
        browser.get(back)
        assert browser.path == "/account"


def _again(world: World, browser: Browser) -> str:
    browser.get("/login/ups_evergreen")
    assert browser.left is not None
    return str(world.evergreen.client.get(browser.left, follow_redirects=False).headers["location"])


def test_a_token_is_over_soon_after_its_end(world: World, naive: Naive) -> None:
    world.evergreen.claims = {"exp": int(time.time()) - 100}
    assert naive.arrive(naive.leave())["sub"] == "ev-1"  # red: two minutes of grace
    assert_refused(world, leave(world)[0])


def test_metadata_that_changed_is_read_again(world: World, naive: Naive) -> None:
    def read(ask: Callable[[], object]) -> bool:
        world.evergreen.calls.clear()
        ask()
        return "/.well-known/openid-configuration" in world.evergreen.calls

    assert read(naive.leave)
    assert read(lambda: leave(world))
    with freeze_time(clock.now() + timedelta(days=30)):
        assert not read(naive.leave)  # red: not in the life of the process
        assert read(lambda: world.browser().get("/login/ups_evergreen"))
