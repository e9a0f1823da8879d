"""Passkeys in a real Chromium with a virtual authenticator: added, used to confirm and to sign in; looked at."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from idp.accounts import local_logins, passwords
from idp.database import transaction
from tests.web.conftest import Eyes, Site

PASSWORD = "seven quiet lamps in a row"


def authenticator(page: Page) -> Any:
    """Plug a platform authenticator into a page; answers and verifies its user by itself."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return devtools


@pytest.fixture
def named(site: Site) -> str:
    """A user name and password of the person who has neither a second step nor a password yet."""
    hashed = passwords.hashed(site.world.database.ring, PASSWORD)
    with transaction(site.world.database) as db:
        local_logins.add(db, site.world.ana, "ana.ruiz", hashed)
    return "ana.ruiz"


def test_ru4_a_passkey_is_added_confirms_and_signs_in(site: Site, window: Any, named: str) -> None:
    eyes: Eyes = window()
    page = eyes.page
    authenticator(page)
    page.goto("/sign-in?next=/account/second-step")
    page.get_by_label("E-mail or user name").fill(named)
    page.get_by_role("button", name="Continue").click()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    eyes.look("second-step-none")
    page.get_by_role("link", name="Set up a second step").click()
    eyes.look("enroll")
    page.get_by_label("Name for it").fill("Office PC")
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.get_by_role("heading", name="Keep these recovery codes")).to_be_visible()
    eyes.look("recovery-codes")
    page.get_by_role("link", name="I have saved them").click()
    expect(page.get_by_text("Office PC", exact=True)).to_be_visible()
    eyes.look("second-step")
    page.get_by_role("link", name="Rename or remove Office PC").click()
    eyes.look("second-step-one")
    page.goto("/sign-in/confirm?next=/account/second-step")
    eyes.look("confirm-passkey")
    page.get_by_role("button", name="Use your passkey").click()
    expect(page).to_have_url(f"{site.address}/account/second-step")
    page.get_by_role("button", name="Sign out").first.click()
    # The browser's own offer answers by itself; nothing is pressed.
    page.goto("/sign-in?next=/account/second-step")
    expect(page).to_have_url(f"{site.address}/account/second-step")
    page.get_by_role("button", name="Sign out").first.click()
    # A browser without such an offer has the button.
    page.add_init_script("PublicKeyCredential.isConditionalMediationAvailable = async () => false")
    page.goto("/sign-in?next=/account/second-step")
    page.get_by_role("button", name="Use a passkey").click()
    expect(page).to_have_url(f"{site.address}/account/second-step")
    assert eyes.complaints == []


def test_ui_37_without_script_the_page_says_so_and_offers_the_app(window: Any) -> None:
    page = window("hana", script=False).page
    page.goto("/sign-in/enroll?next=/account/second-step")
    expect(page.get_by_text("Passkeys need JavaScript, which is off")).to_be_visible()
    expect(page.get_by_role("button", name="Add a passkey")).to_be_hidden()
    page.get_by_role("button", name="Set up an authenticator app").click()
    expect(page.get_by_role("button", name="Confirm and turn on")).to_be_visible()
