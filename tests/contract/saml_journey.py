"""The sign-in world with Evergreen speaking SAML, and the way of its answers through a browser."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from idp.settings import Settings
from tests.browser import Browser
from tests.engines import Filling
from tests.fakes.upstreams.saml import SamlProvider
from tests.sign_in_world import World, fill, running

CALLBACK = "/login/ups_evergreen/callback"


@pytest.fixture
def filling() -> Filling:
    """The sign-in world's data, with Evergreen as a SAML login."""
    return Filling("saml_upstream", partial(fill, evergreen=SamlProvider()))


@pytest.fixture
def world(settings: Settings) -> Iterator[World]:
    """The world of the sign-in tests, with Evergreen speaking SAML."""
    with running(settings, SamlProvider()) as made:
        yield made


def sent_back(world: World, **says: Any) -> tuple[Browser, dict[str, str]]:
    """Return a browser on Evergreen's page and the form that page would post."""
    world.evergreen.says = says
    browser = world.browser()
    browser.stop_at = world.evergreen.issuer
    browser.get("/login/ups_evergreen")
    assert browser.left is not None, browser.text
    return browser, world.evergreen.answer_to(browser.left)


def brought(browser: Browser, fields: dict[str, str], upstream: str = "ups_evergreen") -> Browser:
    """Post as another site's page does: without our cookies, which come with the GET that follows."""
    return browser.post(f"/login/{upstream}/callback", fields, **{"no-cookies": "1"})


def assert_refused(world: World, browser: Browser, status: int = 502) -> None:
    assert browser.status == status, browser.text[:300]
    assert world.count("session") == 0
    assert browser.cookie("session") is None
