"""Registering in a real browser: with the keyboard alone, and without script; every page seen at two widths."""

import re
from typing import Any

import orjson
import pyotp
from playwright.sync_api import Page
from sqlalchemy import text

from idp import clock
from idp.database import transaction
from tests.web.conftest import Site

PASSWORD = "seven quiet lamps in a row"


def mailed_code(site: Site, address: str) -> str:
    with transaction(site.world.database) as db:
        rows = db.execute(text("SELECT facts FROM outbox WHERE recipient = :a ORDER BY id"), {"a": address}).all()
    return str([orjson.loads(row[0])["code"] for row in rows if "code" in orjson.loads(row[0])][-1])


class Keys:
    """Hands that have a keyboard and nothing else."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def to(self, name: str) -> None:
        """Tab to a field; never more stops than the page can have."""
        for _ in range(60):
            self.page.keyboard.press("Tab")
            if self.page.evaluate("document.activeElement.name || document.activeElement.id") == name:
                return
        raise AssertionError(f"{name} cannot be reached by Tab on {self.page.url}")

    def type(self, name: str, words: str) -> None:
        self.to(name)
        self.page.keyboard.insert_text(words)

    def choose(self, name: str, value: str) -> None:
        """Go to a group and move with the arrows, as a radio group wants it."""
        self.to(name)
        self.page.keyboard.press("Space")
        for _ in range(12):
            if self.page.evaluate("document.activeElement.value") == value:
                return
            self.page.keyboard.press("ArrowDown")
        raise AssertionError(f"{value} cannot be chosen")

    def tick(self, name: str) -> None:
        self.to(name)
        self.page.keyboard.press("Space")

    def enter(self) -> None:
        """Send the form from where one is."""
        with self.page.expect_navigation():
            self.page.keyboard.press("Enter")

    def press(self, words: str) -> None:
        """Tab to a button or link by its words, and press it."""
        for _ in range(60):
            self.page.keyboard.press("Tab")
            if words in self.page.evaluate("document.activeElement.innerText || ''"):
                return self.enter()
        raise AssertionError(f"{words} cannot be reached by Tab on {self.page.url}")


def test_ru2_w2_somebody_registers_with_the_keyboard_alone_and_is_approved(window: Any, site: Site) -> None:
    eyes = window()
    page, keys = eyes.page, Keys(eyes.page)
    page.goto("/sign-in")
    keys.press("Register")
    eyes.look("register-start")
    keys.choose("way", "new")
    keys.enter()
    eyes.look("register-practices")
    keys.type("tins", "12-345")
    keys.press("Continue")
    assert page.title().startswith("Error: ")
    assert page.evaluate("document.activeElement.id") == "problem"
    eyes.look("register-practices-error")
    page.keyboard.press("Tab")
    keys.to("tins")
    page.keyboard.press("Control+A")
    page.keyboard.insert_text("12-3456789")
    keys.press("Continue")
    eyes.look("register-you")
    keys.type("given_name", "Nina")
    keys.type("family_name", "Frost")
    keys.choose("capacity", "employee")
    keys.choose("clinician", "yes")
    keys.type("npi", "1234567890")
    keys.type("licence_state", "IL")
    keys.type("licence_number", "036-123456")
    keys.type("licence_until", "11/30/2030")
    keys.enter()
    assert "wrong check digit" in page.inner_text("main")
    eyes.look("register-you-error")
    keys.to("npi")
    page.keyboard.press("Control+A")
    page.keyboard.insert_text("1234567893")
    keys.enter()
    eyes.look("register-email")
    keys.type("email", "nina@example.com")
    keys.enter()
    eyes.look("register-code")
    keys.type("code", mailed_code(site, "nina@example.com"))
    keys.enter()
    eyes.look("register-password")
    keys.type("user_name", "nina.frost")
    keys.type("password", PASSWORD)
    keys.enter()
    keys.tick("accept")
    keys.tick("accept")
    keys.press("Accept and continue")
    keys.choose("capacity", "licensed_provider")
    keys.type("principal", "Lakeside Clinic")
    keys.tick("word")
    keys.enter()
    keys.press("Set up an authenticator app")
    keys.type("code", pyotp.TOTP(_key(page)).at(clock.now()))
    keys.enter()
    keys.press("I have saved them")
    eyes.look("register-send")
    keys.press("Send to my access manager")
    assert page.get_by_role("heading", level=1).inner_text() == "Waiting for your access manager"
    assert "Wes" not in page.inner_text("main")
    eyes.look("register-waiting")
    _the_manager_approves(window, site)


def _the_manager_approves(window: Any, site: Site) -> None:
    """W-2: the access manager sees who asks, is told what a denial needs, and approves."""
    eyes = window("wes")
    page = eyes.page
    page.goto(f"/p/{site.world.lakeside}/inbox")
    eyes.look("inbox")
    page.get_by_role("link", name="Nina Frost").click()
    eyes.look("application")
    page.get_by_role("button", name="Deny").click()
    assert page.title().startswith("Error: ")
    eyes.look("application-error")
    page.get_by_role("button", name="Approve Nina Frost").click()
    assert "approved Nina Frost" in page.inner_text("main")
    eyes.look("application-approved")
    page.goto("/account/leave")
    eyes.look("leave")
    page.get_by_role("link", name="Close my account").click()
    eyes.look("leave-close")
    page.goto("/account/terms")
    eyes.look("my-terms")


def _key(page: Page) -> str:
    found = re.search(r"<code[^>]*>([A-Z2-7 ]+)</code>", page.content())
    assert found
    return found.group(1).replace(" ", "")


def test_ru2_somebody_registers_without_script(window: Any, site: Site) -> None:
    page = window(script=False).page
    page.goto("/register")
    page.get_by_text("With a new user name and password").click()
    page.get_by_role("button", name="Continue").click()
    page.get_by_label("Taxpayer number").fill("98-7650412")
    page.get_by_role("button", name="Continue").click()
    page.get_by_label("First name").fill("Omar")
    page.get_by_label("Last name").fill("Diaz")
    page.get_by_text("The practice employs me.").click()
    page.locator("label[for=clinician-no]").click()
    page.get_by_role("button", name="Continue").click()
    page.get_by_label("Your own e-mail").fill("omar@example.com")
    page.get_by_role("button", name="Mail me a code").click()
    page.get_by_label("Code from the mail").fill(mailed_code(site, "omar@example.com"))
    page.get_by_role("button", name="Confirm my e-mail").click()
    page.get_by_label("User name").fill("omar.diaz")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Create my account").click()
    for box in page.locator("label[for^=accept-]").all():
        box.click()
    page.get_by_role("button", name="Accept and continue").click()
    page.locator("label[for=capacity-authorised_agent]").click()
    page.get_by_label("Name of the provider").fill("Harbor Imaging")
    page.locator("label[for=word]").click()
    page.get_by_role("button", name="Confirm").click()
    page.get_by_role("button", name="Set up an authenticator app").click()
    page.get_by_label("Code").first.fill(pyotp.TOTP(_key(page)).at(clock.now()))
    page.get_by_role("button", name="Confirm and turn on").click()
    page.get_by_role("link", name="I have saved them").click()
    page.get_by_role("button", name="Send to my access manager").click()
    assert page.title().startswith("Waiting")
