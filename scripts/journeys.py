"""Take one picture of each journey of a registered user (domain.md 12, RU-1 to RU-9) for docs/users.md.

Usage: `idp demo --fresh` in one terminal, then python scripts/journeys.py LINK (the invitation it printed).
It does what the pages say and nothing else: a person registers, is approved, adds a second login, looks up a claim,
loses the phone, gets back in, and looks at how to leave. Writes docs/pictures/ru*.png, each below 150 kB.
"""

import re
import shutil
import sys
import time
from pathlib import Path

import pyotp
from playwright.sync_api import Browser, Page, sync_playwright

from idp.demo.people import ANA, WES
from idp.demo.places import HOME, Places, remembered

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "pictures"
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
LARGEST = 150_000
MAIL, NAME, PASSWORD, NEW = (
    "ana.ruiz@home.example",
    "ana.r",
    "seven quiet lamps in a row",
    "nine loud kettles on a hill",
)


class Walk:
    """One person's walk through the pages, with a picture here and there."""

    def __init__(self, browser: Browser, places: Places, invitation: str) -> None:
        self.browser, self.places, self.invitation = browser, places, invitation
        self.page = self.window()
        self.codes: list[str] = []
        self.key = ""

    def window(self) -> Page:
        """A browser nobody has used."""
        page = self.browser.new_page(viewport={"width": 1280, "height": 760}, base_url=self.places.main, locale="en-US")
        page.set_default_timeout(15_000)
        return page

    def picture(self, name: str, page: Page | None = None) -> None:
        """Keep what stands on the page, whole."""
        (page or self.page).screenshot(path=FOLDER / f"{name}.png", full_page=True)

    def press(self, name: str, page: Page | None = None) -> None:
        """Press a button by its words."""
        (page or self.page).get_by_role("button", name=name).first.click()

    def go(self, name: str, page: Page | None = None) -> None:
        """Follow a link by its words."""
        (page or self.page).get_by_role("link", name=name).first.click()

    def fill(self, label: str, value: str, page: Page | None = None) -> None:
        """Type into a field by its label."""
        (page or self.page).get_by_label(label).fill(value)

    def choose(self, words: str, page: Page | None = None) -> None:
        """Choose a radio button or tick a box by its words."""
        (page or self.page).get_by_text(words).first.click()

    def mailed(self, pattern: str) -> str:
        """Read the newest mail that fits, in the demo's mailbox."""
        other = self.window()
        for _ in range(40):
            other.goto("/mailbox")
            found = re.findall(pattern, other.inner_text("main"))
            if found:
                other.close()
                return str(found[0])
            time.sleep(0.5)
        raise AssertionError(f"no mail with {pattern}")

    def sign_in(self, page: Page, name: str, password: str) -> None:
        """Type user name and password."""
        self.fill("E-mail or user name", name, page)
        self.press("Continue", page)
        self.fill("Password", password, page)
        self.press("Sign in", page)

    def at_evergreen(self, page: Page, *, steps: int) -> None:
        """Sign in at the affiliate, with its own second step."""
        self.sign_in(page, ANA.user_name, ANA.password)
        self.fill("Code", ANA.code(self.places, steps=steps), page)
        self.press("Confirm", page)

    def set_up_the_app(self) -> None:
        """Set up an authenticator app and keep the recovery codes."""
        self.press("Set up an authenticator app")
        shown = re.search(r"<code[^>]*>([A-Z2-7 ]+)</code>", self.page.content())
        assert shown
        self.key = shown.group(1).replace(" ", "")
        self.fill("Code", pyotp.TOTP(self.key).now())
        self.press("Confirm and turn on")
        self.codes = [one.inner_text() for one in self.page.locator("main li code").all()]
        self.go("I have saved them")

    def invited(self) -> None:
        """RU-1: an invitation, looked at."""
        page = self.window()
        page.goto(self.invitation)
        self.picture("ru1-invited", page)

    def registers(self) -> None:
        """RU-2: from the sign-in page to the page that waits, and the access manager's yes."""
        self.page.goto("/sign-in")
        self.go("Register")
        self.choose("new user name")
        self.press("Continue")
        self.fill("TIN", "12-3456789")
        self.press("Continue")
        self.fill("First name", "Ana")
        self.fill("Last name", "Ruiz")
        self.choose("Employee")
        self.page.locator("label[for^=bundle-biller]").click()
        self.page.locator("label[for^=clinician-no]").click()
        self.press("Continue")
        self.fill("E-mail", MAIL)
        self.press("Mail me a code")
        self.fill("Code", self.mailed(r"\b([A-Z2-7]{4}-[A-Z2-7]{4})\b"))
        self.press("Confirm my e-mail")
        self.fill("User name", NAME)
        self.fill("Password", PASSWORD)
        self.press("Create my account")
        for box in self.page.locator("input[name=accept] + label").all():
            box.click()
        self.press("Accept and continue")
        self.choose("I act for a licensed")
        self.fill("Name of the provider", "Lakeside Clinic")
        self.choose("This is true")
        self.press("Confirm")
        self.set_up_the_app()
        self.press("Send to my access manager")
        self.picture("ru2-waiting")
        wes = self.window()
        wes.goto("/p/prv_lakeside/inbox")
        self.sign_in(wes, WES.user_name, WES.password)
        self.fill("Code", WES.code(self.places), wes)
        self.press("Confirm", wes)
        self.go("Ana Ruiz", wes)
        self.press("Approve Ana Ruiz", wes)

    def comes_from_outside(self) -> None:
        """RU-3: an unknown login of an organization leads to the page that asks."""
        page = self.window()
        page.goto("/sign-in")
        self.go("Find your organization", page)
        self.go("Evergreen Health", page)
        self.at_evergreen(page, steps=0)
        page.wait_for_url(f"{self.places.main}/link*")
        self.picture("ru3-a-login-we-don-t-know", page)

    def adds_a_login(self) -> None:
        """RU-4: a second login is added from a session that was proved."""
        self.page.goto("/account/logins")
        self.go("Evergreen Health")
        if "/sign-in/confirm" in self.page.url:
            self.fill("Code", pyotp.TOTP(self.key).at(int(time.time()) + 30))
            self.press("Confirm")
        if self.page.url.startswith(self.places.affiliate):
            self.at_evergreen(self.page, steps=1)
        self.press("Add this login")
        self.page.wait_for_url(f"{self.places.main}/account/logins*")
        self.picture("ru4-logins")

    def looks_at_access(self) -> None:
        """RU-5: what can I do; RU-7: where am I signed in."""
        self.page.goto("/account")
        self.picture("ru5-what-can-i-do")
        self.page.goto("/account/activity")
        self.picture("ru7-devices-and-activity")

    def looks_up_a_claim(self) -> None:
        """RU-6: the claims app, which asks why."""
        page = self.page
        page.goto(self.places.claims)
        self.picture("ru6-claim")

    def loses_the_phone(self) -> None:
        """RU-8: a new computer, no phone, the list of recovery codes and the mailbox."""
        page = self.page = self.window()
        page.goto("/sign-in")
        self.go("Get back in")
        self.fill("User name or e-mail", NAME)
        self.press("Continue")
        self.press("Mail me a code")
        self.fill("Code from the mail", self.mailed(r"\b(\d{4}[ -]?\d{4})\b"))
        self.press("Use this mailed code")
        self.picture("ru8-second-proof")
        self.fill("Recovery code", self.codes[0])
        self.press("Use this recovery code")
        self.fill("New password", NEW)
        self.press("Save and sign out everywhere")
        self.go("Sign in")
        self.sign_in(page, NAME, NEW)
        self.set_up_the_app()

    def leaves(self) -> None:
        """RU-9: what leaving would end; it is not done."""
        self.page.goto("/account")
        self.go("I no longer work here")
        self.go("I no longer work for Lakeside Clinic")
        self.picture("ru9-leaves")


def main() -> int:
    """Walk every journey; return the exit status."""
    ports = remembered(HOME)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if ports is None or chromium is None or len(sys.argv) != 2:
        sys.stderr.write("A fresh demo (idp demo --fresh), the invitation it printed, and Chromium are needed.\n")
        return 1
    FOLDER.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=OPTIONS)
        walk = Walk(browser, Places(HOME, ports), sys.argv[1])
        for journey in (
            walk.invited,
            walk.registers,
            walk.comes_from_outside,
            walk.adds_a_login,
            walk.looks_at_access,
            walk.looks_up_a_claim,
            walk.loses_the_phone,
            walk.leaves,
        ):
            try:
                journey()
            except Exception:
                for page in [one for context in browser.contexts for one in context.pages]:
                    sys.stderr.write(f"{page.url}: {page.inner_text('main')[:500]}\n")
                sys.stderr.write(f"{journey.__name__}: stopped at {walk.page.url}\n{walk.page.inner_text('main')}\n")
                raise
        browser.close()
    sizes = {path.name: path.stat().st_size for path in sorted(FOLDER.glob("ru*.png"))}
    sys.stdout.write(f"{sizes}\n")
    return int(any(size > LARGEST for size in sizes.values()))


if __name__ == "__main__":
    sys.exit(main())
