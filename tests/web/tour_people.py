"""What a new person, and somebody with an organization's login, meet. A part of the tour (test_tour.py)."""

import time
from typing import Any
from urllib.parse import urlencode

import pyotp
from sqlalchemy import text

from idp.database import transaction
from idp.demo.people import ANA, BEN
from idp.demo.places import Places
from tests.web.guide import PASSWORD, Guide


def a_new_person(guide: Guide, link: str) -> str:
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


def through_an_affiliate(guide: Guide, key: str) -> None:
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


def two_practices_and_consent(guide: Guide) -> None:
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
    page.goto(ask(places, client_id="ledger", redirect_uri=f"{places.claims}/callback"))
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


def codes_work_again(guide: Guide) -> None:
    """Forget which time step's code was spent: a tour is faster than half a minute."""
    with transaction(guide.database) as db:
        db.execute(text("UPDATE factor SET last_step = 0"))


def refusals(guide: Guide) -> None:
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


def ask(places: Places, **facts: str) -> str:
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
