"""A tour of every page a registered user, an access manager and a security analyst meet (ui.md 5).

The demo's four servers on SQLite in threads of this process, real Chromium. At 1280 and 390 pixels every page must
fit, pass axe, break no policy, have one heading and a title, speak in people's words, and keep Sign out in reach.
What is wrong is collected, so one run names all of it; IDP_PICTURES=folder keeps the pictures.
"""

import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pyotp
import pytest
import uvicorn
from axe_playwright_python.base import AXE_FILE_PATH
from playwright.sync_api import Browser, BrowserContext, Error, Page, Response

from idp.app import create_app
from idp.apply.run import apply_file
from idp.audit import checkpoint, origin
from idp.audit.seal import Sealer
from idp.database import Database, transaction
from idp.demo import filling
from idp.demo.people import ANA, BEN, SAM, WES, DemoPerson
from idp.demo.places import ROOT, Places, free
from idp.entitlements import catalog
from idp.oauth import keys
from samples.claims.app import create_app as claims_app
from samples.hsconnect.app import create_app as hsconnect_app
from tests import engines

WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
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
"""
"""What the demo lacks: a login that is down, an app that asks for consent, a second practice for Ben."""
PASSWORD = "seven quiet lamps in a row"


class Guide:
    """Opens windows, looks at pages, remembers what is wrong with them."""

    def __init__(self, browser: Browser, places: Places, database: Database) -> None:
        self._browser, self.places, self.database = browser, places, database
        self.problems: list[str] = []
        self.seen: list[str] = []
        self._pictures = os.environ.get("IDP_PICTURES")
        self._contexts: list[BrowserContext] = []

    def window(self) -> Page:
        """Open a browser that nobody has used."""
        context = self._browser.new_context(base_url=self.places.main, locale="en-US")
        context.set_default_timeout(10_000)
        context.add_init_script(path=AXE_FILE_PATH)
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
        for width, height in ((390, 844), (1280, 900)):
            page.set_viewport_size({"width": width, "height": height})
            if self._pictures:
                page.screenshot(path=Path(self._pictures) / f"{name}-{width}.png", full_page=True)
            spare = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            if spare > 0:
                wrong(f"{spare} px too wide at {width}")
            found = page.evaluate(
                "([tags, contrast]) => axe.run(document, {runOnly: tags, resultTypes: ['violations'],"
                " rules: {'color-contrast': {enabled: contrast}}})"
                ".then(r => r.violations.map(v => v.id + ': ' + v.nodes.map(n => n.target).slice(0, 3)))",
                [WCAG, width > 640],  # colors are the same at both widths, and slow to ask about
            )
            if found:
                wrong(f"axe at {width}: {found}")

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
    chromium: Browser, _sqlite: engines.SqliteEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
            open_now.enter_context(_serving(create_app(settings), places.ports[number]))
        added = places.secrets / "added.yaml"
        added.write_text(ADDED.replace("$claims", places.claims), encoding="utf-8")
        apply_file(databases[0], added)
        for number, key, made in ((2, "claims", claims_app), (3, "hsconnect", hsconnect_app)):
            monkeypatch.setenv("APP_ISSUER", places.main)
            monkeypatch.setenv("APP_ORIGIN", (places.claims, places.hsconnect)[number - 2])
            monkeypatch.setenv("APP_CLIENT_ID", key)
            monkeypatch.setenv("APP_CLIENT_SECRET_FILE", str(places.secrets / f"{key}.secret"))
            open_now.enter_context(_serving(made(), places.ports[number]))
        there = Guide(chromium, places, databases[0])
        yield there
        there.close()


@contextmanager
def _serving(app: Any, port: int) -> Iterator[None]:
    """Serve an application in a thread."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning", lifespan="on"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < deadline, "a server did not start"
        time.sleep(0.02)
    yield
    server.should_exit = True
    thread.join(10)


def test_our_own_style_stays_small() -> None:
    assert (ROOT / "idp" / "web" / "assets" / "app.css").stat().st_size <= 8192


def test_every_page_fits_is_accessible_and_speaks_plainly(guide: Guide) -> None:
    _two_practices_and_consent(guide)
    invitation = _an_access_manager(guide)
    key = _a_new_person(guide, invitation)
    _through_an_affiliate(guide, key)
    _activity_and_misuse(guide)
    _a_security_analyst(guide)
    _refusals(guide)
    assert not guide.problems, "\n".join(guide.problems)


def _an_access_manager(guide: Guide) -> str:
    """Wes signs in, changes and removes Ben's access, invites Nina; return her link."""
    page, look = guide.window(), guide.look
    page.goto("/p/prv_lakeside/people")
    look(page, "sign-in", "Sign in")
    page.get_by_role("button", name="Continue", exact=True).click()
    look(page, "sign-in-error", "Error: Sign in", says="Enter your e-mail or user name")
    page.get_by_role("link", name="Find your organization").click()
    look(page, "organizations", "Find your organization", says="Evergreen Health")
    page.get_by_role("link", name="Sign in with a user name").click()
    page.get_by_label("E-mail or user name").fill("wes")
    page.get_by_role("button", name="Continue", exact=True).click()
    look(page, "password", "Password")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    look(page, "password-error", "Error: Password", says="don't match")
    page.get_by_label("Password").fill(WES.password)
    page.get_by_role("button", name="Sign in").click()
    look(page, "confirm", "Confirm it's you")
    guide.confirm(page, "000000")
    look(page, "confirm-error", "Error: Confirm it's you")
    guide.confirm(page, WES.code(guide.places))
    look(page, "people", "People", says="Ben Ortiz")
    page.get_by_role("link", name="Ben Ortiz").click()
    look(page, "person", "Person", says="Medicare Advantage")
    page.get_by_role("link", name="Change access").click()
    look(page, "change", "Change access", says="Biller")
    page.get_by_role("button", name="Check the changes").click()
    look(page, "change-nothing", "Change access, check", says="Nothing would change")
    page.get_by_role("link", name="Back, keep choices").click()
    page.get_by_text("Biller", exact=False).first.click()
    page.get_by_role("button", name="Check the changes").click()
    look(page, "check", "Change access, check")
    page.get_by_label("Reason").fill("New biller")
    page.get_by_role("button", name=re.compile("^Confirm")).click()
    look(page, "done", "Change access, done")
    page.get_by_role("link", name="See Ben Ortiz").click()
    look(page, "person-with-access", "Person", says="Claim status")
    page.get_by_role("link", name="Remove all access").click()
    look(page, "remove", "Remove access")
    page.get_by_role("button", name="Remove all access").click()
    look(page, "remove-error", "Error: Remove access")
    page.get_by_text("Left the practice", exact=True).click()
    page.get_by_role("button", name="Remove all access").click()
    look(page, "removal", "Access removed", says="has ended")
    page.goto("/p/prv_lakeside/people/new")
    look(page, "invite", "Add a person")
    page.get_by_label("Name").fill("Nina Frost")
    page.locator("label[for=bundle-biller]").click()
    page.get_by_role("button", name="Make the invitation link").click()
    look(page, "invited", "Invitation")
    link = page.get_by_label("Link, works once").input_value()
    page.goto("/p/prv_harbor/people")
    look(page, "strangers-practice", "There is nothing at this address", refused=True)
    page.goto("/account")
    look(page, "home-manager", "What can I do")
    page.get_by_role("button", name="Sign out").click()
    look(page, "signed-out", "Signed out")
    return link


def _a_new_person(guide: Guide, link: str) -> str:
    """Nina takes up the invitation with a user name of her own; return her authenticator's key."""
    page, look = guide.window(), guide.look
    page.goto(link)
    look(page, "invitation", "Invitation", says="Wes Kane invites Nina Frost")
    page.get_by_role("button", name="Accept and continue").click()
    look(page, "invitation-error", "Error: Invitation")
    page.get_by_text("With a new user name and password").click()
    page.get_by_role("button", name="Accept and continue").click()
    look(page, "register", "Choose a user name and password")
    page.get_by_label("User name").fill("nina.frost")
    page.get_by_label("Password").fill("short")
    page.get_by_role("button", name="Create my account").click()
    look(page, "register-error", "Error: Choose a user name", says="15 characters")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Create my account").click()
    look(page, "terms", "Terms")
    page.get_by_role("button", name="Accept and continue").click()
    look(page, "terms-error", "Error: Terms")
    for label in page.locator(".usa-checkbox__label").all():
        label.click()
    page.get_by_role("button", name="Accept and continue").click()
    look(page, "attest", "Why you may act")
    page.get_by_role("button", name="Confirm").click()
    look(page, "attest-error", "Error: Why you may act")
    page.locator(".usa-radio__label").first.click()
    page.get_by_label("Name of the provider").fill("Lakeside Clinic")
    page.locator(".usa-checkbox__label").click()
    page.get_by_role("button", name="Confirm").click()
    look(page, "enroll", "Set up a second step")
    page.get_by_role("button", name="Set up an authenticator app").click()
    look(page, "enroll-key", "Set up a second step", says="Add this key to your app")
    key = page.locator("main code").inner_text().replace(" ", "")
    page.get_by_label("Code").fill("000000")
    page.get_by_role("button", name="Confirm and turn on").click()
    look(page, "enroll-error", "Error: Set up a second step")
    page.get_by_label("Code").fill(pyotp.TOTP(key).now())
    page.get_by_role("button", name="Confirm and turn on").click()
    look(page, "recovery-codes", "Recovery codes")
    page.get_by_role("link", name="I have saved them").click()
    look(page, "home", "What can I do", says="Wes Kane")
    for name, title in (
        ("Logins", "Logins"),
        ("Second step", "Second step"),
        ("Devices and activity", "Devices and activity"),
    ):
        page.get_by_role("navigation", name="Main").get_by_role("link", name=name).click()
        look(page, name.lower().replace(" ", "-"), title)
    page.goto("/account/password")
    look(page, "change-password", "Change your password")
    page.get_by_role("button", name="Change my password").click()
    look(page, "change-password-error", "Error: Change your password")
    page.goto("/account/second-step/codes")
    look(page, "new-codes", "Recovery codes")
    page.goto("/sign-out")
    look(page, "sign-out", "Sign out")
    return key


def _through_an_affiliate(guide: Guide, key: str) -> None:
    """From the Claims app by Evergreen's login, which nobody knows yet; then the app itself."""
    page, look, places = guide.window(), guide.look, guide.places
    page.goto(places.claims)
    look(page, "sign-in-for-an-app", "Sign in", says="To continue to Claims")
    page.get_by_role("link", name="Find your organization").click()
    page.get_by_role("link", name="Evergreen Health").click()
    guide.sign_in(page, ANA)
    look(page, "link", "We don't know this login yet", says="Evergreen Health")
    page.get_by_role("button", name="Continue").click()
    look(page, "link-error", "Error: We don't know this login yet")
    page.get_by_text("I already have an account here").click()
    page.get_by_role("button", name="Continue").click()
    page.get_by_label("E-mail or user name").fill("nina.frost")
    page.get_by_role("button", name="Continue", exact=True).click()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    if page.get_by_label("Code").count():
        guide.confirm(page, pyotp.TOTP(key).at(int(time.time()) + 30))
    look(page, "link-confirm", "Add this login", says="same account")
    page.get_by_role("button", name="Add this login").click()
    page.wait_for_url(f"{places.claims}/**")
    look(page, "claims", "Look up a claim", says="CLM-1")
    page.goto(f"{places.claims}/claims/CLM-1")
    look(page, "claims-no-purpose", "Not shown", says="Say why you need this claim")
    for number, title in (
        ("CLM-1", "Claim CLM-1"),
        ("CLM-2", "Not shown"),
        ("CLM-3", ""),
        ("CLM-4", "Handled elsewhere"),
    ):
        page.goto(f"{places.claims}/look-up?number={number}&purpose=CLAIM_REDUCTION_REVIEW")
        look(page, f"claims-{number}", title)
    page.goto(f"{places.claims}/nothing")
    look(page, "claims-missing", "Nothing here")
    page.goto("/account/logins")
    look(page, "logins-two", "Logins", says="Evergreen Health")
    page.get_by_role("link", name="make them one").click()
    look(page, "merge", "Make two accounts one")
    page.go_back()
    page.get_by_role("link", name="Remove Evergreen Health").click()
    look(page, "login-remove", "Remove a login", says="You can still sign in with")


def _two_practices_and_consent(guide: Guide) -> None:
    """Ben, who works for two practices, opens HSConnect and allows an app that is not ours."""
    page, look, places = guide.window(), guide.look, guide.places
    page.goto(places.hsconnect)
    guide.sign_in(page, BEN, code=False)
    look(page, "practice", "Practice", says="Harbor Imaging")
    page.get_by_role("button", name="Continue").click()
    look(page, "practice-error", "Error: Practice")
    page.get_by_text("Lakeside Clinic").click()
    page.get_by_role("button", name="Continue").click()
    look(page, "hsconnect", "Members")
    page.get_by_role("link", name="Check eligibility").first.click()
    guide.confirm(page, BEN.code(places))
    look(page, "hsconnect-member", "Member", says="Plan")
    page.goto(_ask(places, client_id="ledger", redirect_uri=f"{places.claims}/callback"))
    page.get_by_text("Lakeside Clinic").click()
    page.get_by_role("button", name="Continue").click()
    look(page, "consent", "Allow Ledger Books", says="Lakeside")
    page.get_by_role("button", name="Allow").click()
    look(page, "claims-refused", "Not shown")
    page.goto("/account")
    look(page, "home-two-practices", "What can I do", says="Apps you allowed")
    page.get_by_role("button", name="Take it back from Ledger Books").click()
    assert "Ledger Books" not in page.inner_text("main")
    page.goto("/oauth/logout?" + urlencode({"client_id": "ledger"}))
    look(page, "logout", "Sign out", says="Ledger Books asks to sign you out")
    page.get_by_role("button", name="Sign out").last.click()
    look(page, "logged-out", "You are signed out")


def _activity_and_misuse(guide: Guide) -> None:
    """Ben looks where he is signed in and reports misuse, then again signed out."""
    page, look = guide.window(), guide.look
    page.goto("/account/activity")
    guide.sign_in(page, BEN, code=False)
    page.goto("/account/activity")
    look(page, "activity", "Devices and activity", says="network")
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Notices").click()
    look(page, "notices", "Notices", says="Two are better than one")
    page.get_by_role("link", name="Add or confirm an address").click()
    guide.confirm(page, BEN.code(guide.places))
    page.get_by_role("button", name="Mail me the link").click()
    look(page, "notices-add-error", "Error: Add an address", says="Enter an e-mail")
    page.goto("/still-there?next=/account/activity")
    look(page, "still-there", "Are you still there?")
    page.goto("/account/activity")
    page.get_by_role("link", name="Report misuse").last.click()
    look(page, "report", "Report misuse", says="Lock my account now")
    page.get_by_role("button", name="Send report").click()
    look(page, "report-error", "Error: Report misuse", says="Say in a sentence")
    page.get_by_label("What happened").fill("Somebody used my badge.")
    page.get_by_role("button", name="Send report").click()
    look(page, "report-sent", "Report sent", says="Receipt number")
    other = guide.window()
    other.goto("/report")
    look(other, "report-signed-out", "Report misuse", says="Whose account")


def _a_security_analyst(guide: Guide) -> None:
    """Sam searches, opens a record, proves the log."""
    page, look = guide.window(), guide.look
    Sealer(guide.database).seal_all()
    page.goto("/security/search")
    guide.sign_in(page, SAM)
    look(page, "search", "Search the log")
    page.get_by_label("Person").fill("Wes Kane")
    page.get_by_role("button", name="Search").click()
    look(page, "search-found", "Search the log", says="Wes Kane")
    page.locator("tbody th a").first.click()
    look(page, "record", "Record")
    page.goto("/security/search")
    page.get_by_label("Person").fill("nobody at all")
    page.get_by_role("button", name="Search").click()
    look(page, "search-error", "Error: Search the log")
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Log proof").click()
    page.get_by_role("button", name="Verify the log now").click()
    look(page, "log-proof", "Log proof", says="The log is whole")
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Logins of a person").click()
    look(page, "person-logins", "Logins of a person")
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Misuse reports").click()
    look(page, "misuse-reports", "Misuse reports", says="MR-")
    page.locator("tbody th a").first.click()
    look(page, "misuse-report", "Misuse report", says="Somebody used my badge")


def _refusals(guide: Guide) -> None:
    """Every refusal keeps a sentence, a way on and a reference."""
    page, look = guide.window(), guide.look
    page.goto("/no/such/page")
    look(page, "not-found", "There is nothing at this address", refused=True)
    page.goto("/sign-in/password?flow=flw_gone")
    look(page, "flow-lost", "", refused=True)
    page.goto("/invitations/" + "a" * 43)
    look(page, "invitation-unknown", "", refused=True)
    page.goto("/login/ups_cascade")
    look(page, "paused", "", says="Cascade", refused=True)
    page.goto("/login/ups_summit")
    look(page, "login-down", "", says="Summit Billing", refused=True)
    page.goto("/oauth/authorize?client_id=nobody")
    look(page, "app-unknown", "", refused=True)
    page.goto("/sign-in")
    page.evaluate("document.querySelector('input[name=form_key]').value = 'wrong'")
    page.get_by_label("E-mail or user name").fill("wes")
    page.get_by_role("button", name="Continue", exact=True).click()
    look(page, "form-wrong", "", refused=True)


def _ask(places: Places, **facts: str) -> str:
    """Return an authorization request as an app would make it."""
    asked: dict[str, Any] = {
        "response_type": "code",
        "scope": "openid profile",
        "state": "tour",
        "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        "code_challenge_method": "S256",
        **facts,
    }
    return f"{places.main}/oauth/authorize?{urlencode(asked)}"
