"""A real server on loopback, Debian's Chromium, and eyes: pictures, axe, violations of the policy."""

import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, sync_playwright

from idp.app import create_app
from idp.database import Database
from idp.settings import Settings
from tests import engines
from tests.wam.world import World, build
from tests.web.looking import problems

OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
MISSING = "No Chromium on this machine, so the pages were not looked at in a browser: install Debian's package chromium"


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The browser; a machine without one says so, and fails where CI is set."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        if os.environ.get("CI"):
            pytest.fail(MISSING)
        pytest.skip(MISSING)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=OPTIONS)
        yield browser
        browser.close()


class Site:
    """The running service and the world behind it."""

    def __init__(self, settings: Settings, world: World) -> None:
        self.settings, self.world = settings, world
        self.address = settings.issuer

    def cookie(self, name: str) -> dict[str, Any]:
        """Return the cookie of a person who has just signed in."""
        secret = self.world.sign_in(name)
        return {"name": f"{self.settings.cookie_prefix}session", "value": secret, "url": self.address}


@pytest.fixture(scope="module")
def site(_sqlite: engines.SqliteEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Serve a small world on a free port; once for a module, whose tests run in order."""
    home = tmp_path_factory.mktemp("site")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with _sqlite.fresh(home) as url:
        settings = engines.settings_for(url, home, issuer=f"http://localhost:{port}", port=port)
        database = Database(settings)
        world = build(database)
        server = uvicorn.Server(
            uvicorn.Config(create_app(settings), host="127.0.0.1", port=port, log_level="warning", lifespan="on")
        )
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        deadline = time.monotonic() + 20
        while not server.started:
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.02)
        yield Site(settings, world)
        server.should_exit = True
        thread.join(10)
        database.dispose()


@pytest.fixture(scope="session")
def pictures() -> Path | None:
    """Where pictures go: IDP_PICTURES; without it none are taken."""
    folder = os.environ.get("IDP_PICTURES")
    if not folder:
        return None
    Path(folder).mkdir(parents=True, exist_ok=True)
    return Path(folder)


class Eyes:
    """A person's window: counts violations of the policy and script errors, takes pictures, asks axe."""

    def __init__(self, page: Page, pictures: Path | None) -> None:
        self.page, self._pictures = page, pictures
        self.complaints: list[str] = []
        page.on("console", lambda m: self.complaints.append(m.text) if m.type == "error" and not _expected(m) else None)
        page.on("pageerror", lambda e: self.complaints.append(str(e)))

    def look(self, name: str) -> None:
        """Look at 390 and 1280 pixels; the page must be accessible and fit at both (ui.md 5)."""
        assert list(problems(self.page, name, self._pictures)) == []
        assert self.complaints == []


def _expected(message: Any) -> bool:
    """Chromium writes every answer of 4xx to the console; those are what a test asks for."""
    return "Failed to load resource" in message.text and " 4" in message.text


@pytest.fixture
def window(chromium: Browser, site: Site, pictures: Path | None) -> Iterator[Any]:
    """Open a window as somebody: `window("wes")`, or `window()` for nobody; `script=False` for no JavaScript."""
    contexts = []

    def opened(name: str | None = None, *, script: bool = True) -> Eyes:
        context = chromium.new_context(base_url=site.address, java_script_enabled=script, locale="en-US")
        contexts.append(context)
        if name:
            context.add_cookies([site.cookie(name)])  # type: ignore[list-item]
        return Eyes(context.new_page(), pictures)

    yield opened
    for context in contexts:
        context.close()


Open = Callable[[str], tuple[Page, Eyes]]


@pytest.fixture
def open_as(window: Any) -> Open:
    """Open a window as somebody, and give its page beside its eyes."""

    def opened(name: str) -> tuple[Page, Eyes]:
        eyes = window(name)
        return eyes.page, eyes

    return opened
