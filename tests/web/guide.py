"""Who walks a tour of the pages: opens windows in Chromium, looks at pages, remembers what is wrong."""

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, Response

from idp.app import create_app
from idp.apply.run import apply_file
from idp.audit import checkpoint, origin
from idp.database import Database, transaction
from idp.demo import filling
from idp.demo.people import DemoPerson
from idp.demo.places import Places, free
from idp.entitlements import catalog
from idp.oauth import keys
from samples.claims.app import create_app as claims_app
from samples.hsconnect.app import create_app as hsconnect_app
from tests import engines
from tests.loopback import serving
from tests.web import looking

UNWANTED = re.compile(
    r"\b(entitlements?|grants?|granted|revoked?|wam|organisations?|upstreams?|recertif\w*|step-up|second factor|"
    r"providers? organi\w+|please|sorry|oops|invalid|illegal|undefined)\b",
    re.IGNORECASE,
)
"""The service's own words and the ones ui.md 1 bans; codes such as entitlement_not_granted are one word and pass."""
ADDED = """
partners:
  - {ref: summit, id: ptr_summit, name: Summit Billing, kind: affiliate, status: active}
clients:
  - client_id: ledger
    name: Ledger Books
    auth_method: none
    first_party: false
    redirect_uris: ["$claims/callback"]
    post_logout_redirect_uris: ["$claims/"]
    grants: [authorization_code]
    scopes: [openid, profile, email]
upstreams:
  - ref: summit
    id: ups_summit
    partner: summit
    display_name: Summit Billing
    issuer: http://localhost:10
    client_id: meridian
    client_secret: a-secret-of-forty-characters-or-even-more
    algorithms: [ES256]
people:
  - ref: ben
    id: acc_ben
    name: Ben Ortiz
    affiliations: [{provider: prv_harbor, capacity: representative, from: 2024-01-01}]
grants:
  - {person: acc_sam, provider: prv_meridian, line: medical, entitlement: terms.publish, reason: legal desk}
"""
"""What the demo lacks: a login that is down, an app that asks for consent, Ben at two practices, a legal desk."""
PASSWORD = "seven quiet lamps in a row"


class Guide:
    """Opens windows, looks at pages, remembers what is wrong with them."""

    def __init__(self, browser: Browser, places: Places, database: Database, pictures: Path | None) -> None:
        self._browser, self.places, self.database = browser, places, database
        self.problems: list[str] = []
        self.seen: list[str] = []
        self._pictures = pictures
        self._contexts: list[BrowserContext] = []

    def window(self) -> Page:
        """Open a browser that nobody has used."""
        context = self._browser.new_context(base_url=self.places.main, locale="en-US")
        context.set_default_timeout(10_000)
        self._contexts.append(context)
        page = context.new_page()
        page.on("console", lambda m: self._complain(page, m.text) if m.type == "error" else None)
        page.on("response", self._answered)
        page.on("pageerror", lambda e: self._complain(page, str(e)))
        return page

    def _complain(self, page: Page, text: str) -> None:
        if "Failed to load resource" not in text:  # a page's own status; of its parts `_answered` tells
            self.problems.append(f"{page.url}: {text}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400 and response.request.resource_type != "document":
            self.problems.append(f"{response.url}: {response.status}")

    def close(self) -> None:
        """Close every window."""
        for context in self._contexts:
            context.close()

    def look(self, page: Page, name: str, title: str, *, says: str = "", refused: bool = False) -> None:
        """Look at a page at both widths; `title` begins it, `says` stands in it."""
        self.seen.append(name)

        def wrong(text: str) -> None:
            self.problems.append(f"{name} ({page.url}): {text}")

        words = self._arrived(page, title, says)
        if not page.title().startswith(title):
            wrong(f"the title is {page.title()!r}, not {title!r}")
        if says not in words:
            wrong(f"it does not say {says!r}: {words[:300]!r}")
        if unwanted := UNWANTED.findall(words):
            wrong(f"words: {unwanted}")
        if page.locator("h1").count() != 1:
            wrong("not exactly one h1")
        if refused and not re.search(r"reference:?\s*\S{8}", words, re.IGNORECASE):
            wrong("no reference")
        ours = page.url.startswith(self.places.main)
        session = f"idp_{self.places.ports[0]}_session"
        signed_in = any(c.get("name") == session for c in page.context.cookies(page.url))
        if ours and signed_in and not page.get_by_role("button", name="Sign out").count():
            wrong("no Sign out")
        if page.title().startswith("Error: ") and page.evaluate("document.activeElement.id") != "problem":
            wrong("the error summary is not focused")
        for link in page.locator("#problem a").all():
            target = (link.get_attribute("href") or "").removeprefix("#")
            if not page.locator(f"[id='{target}']").count():
                wrong(f"the error summary leads to #{target}, which is not there")
            elif not page.locator(".usa-error-message").count():
                wrong("the sentence does not stand at the field")
        for problem in looking.problems(page, name, self._pictures):
            wrong(problem)

    def _arrived(self, page: Page, title: str, says: str) -> str:
        """Wait until the page a click leads to is there; return its words."""
        deadline = time.monotonic() + 5
        while True:
            try:
                page.wait_for_load_state("load")
                words = page.inner_text("main")
                if (page.title().startswith(title) and says in words) or time.monotonic() > deadline:
                    return words
            except Error:  # the page before went away under our question
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.05)

    def sign_in(self, page: Page, person: DemoPerson, *, code: bool = True) -> None:
        """Type user name, password and, where it is asked, the code."""
        page.get_by_label("E-mail or user name").fill(person.user_name)
        page.get_by_role("button", name="Continue", exact=True).click()
        page.get_by_label("Password").fill(person.password)
        page.get_by_role("button", name="Sign in").click()
        if code:
            self.confirm(page, person.code(self.places))

    def confirm(self, page: Page, code: str) -> None:
        """Type a one-time code."""
        page.get_by_label("Code").fill(code)
        page.get_by_role("button", name="Confirm", exact=True).click()


@pytest.fixture
def guide(
    chromium: Browser,
    _sqlite: engines.SqliteEngine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    pictures: Path | None,
) -> Iterator[Guide]:
    """Serve the demo on free ports, with what it lacks applied on top."""
    places = Places(tmp_path / "demo", free())
    filling.prepare(places)
    with ExitStack() as open_now:
        databases = []
        for number, name in enumerate(filling.SERVICES):
            home = tmp_path / name
            home.mkdir()
            url = open_now.enter_context(_sqlite.fresh(home))
            address = (places.main, places.affiliate)[number]
            settings = engines.settings_for(url, home, issuer=address, port=places.ports[number])
            checkpoint.make_key(settings.audit_key_file)
            database = Database(settings)
            open_now.callback(database.dispose)
            with origin.acting_as("operator"), transaction(database) as db:
                catalog.load_default(db)
            keys.ensure(database)
            apply_file(database, places.secrets / f"{name}.yaml")
            databases.append(database)
            open_now.enter_context(serving(create_app(settings), places.ports[number]))
        added = places.secrets / "added.yaml"
        added.write_text(ADDED.replace("$claims", places.claims), encoding="utf-8")
        apply_file(databases[0], added)
        for number, key, made in ((2, "claims", claims_app), (3, "hsconnect", hsconnect_app)):
            monkeypatch.setenv("APP_ISSUER", places.main)
            monkeypatch.setenv("APP_ORIGIN", (places.claims, places.hsconnect)[number - 2])
            monkeypatch.setenv("APP_CLIENT_ID", key)
            monkeypatch.setenv("APP_CLIENT_SECRET_FILE", str(places.secrets / f"{key}.secret"))
            open_now.enter_context(serving(made(), places.ports[number]))
        there = Guide(chromium, places, databases[0], pictures)
        yield there
        there.close()
