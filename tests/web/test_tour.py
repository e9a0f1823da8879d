"""A tour of every page a registered user, an access manager and a security analyst meet (ui.md 5).

The demo's four servers on SQLite in threads of this process, real Chromium. At 1280 and 390 pixels every page must
fit, pass axe, break no policy, have one heading and a title, speak in people's words, and keep Sign out in reach.
What is wrong is collected, so one run names all of it; IDP_PICTURES=folder keeps the pictures.
"""

import re
import time
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pyotp
from playwright.sync_api import Page
from sqlalchemy import text

from idp import clock
from idp.audit.seal import Sealer
from idp.database import transaction
from idp.demo import history
from idp.demo.people import ANA, BEN, SAM, WES
from idp.demo.places import ROOT, Places
from tests.web.guide import PASSWORD, Guide, guide

__all__ = ["guide"]


def test_our_own_style_stays_small() -> None:
    assert (ROOT / "idp" / "web" / "assets" / "app.css").stat().st_size <= 8192


def test_every_page_fits_is_accessible_and_speaks_plainly(guide: Guide) -> None:
    _two_practices_and_consent(guide)
    invitation = _an_access_manager(guide)
    key = _a_new_person(guide, invitation)
    _through_an_affiliate(guide, key)
    _two_accounts(guide, key)
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
    page.get_by_role("link", name="Who heard, and when").click()
    look(page, "removal-heard", "Who heard of the removal", says="Reload this page")
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
    page.goto("/security/reviews")
    look(page, "security-reviews", "Access reviews")
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Log proof").click()
    page.get_by_role("navigation", name="Log proof").get_by_role("link", name="Revocations").click()
    look(page, "revocations", "Revocations", says="taken away")
    page.locator("tbody th a").first.click()
    look(page, "revocation", "", says="Who heard of revocation")
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Log proof").click()
    page.get_by_role("button", name="Verify the log now").click()
    look(page, "log-proof", "Log proof", says="The log is whole")
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Who could").click()
    page.get_by_role("navigation", name="Who could").get_by_role("link", name="Logins of a person").click()
    look(page, "person-logins", "Logins of a person")
    page.get_by_label("Account id").fill("acc_ben")
    page.get_by_role("button", name="Show").click()
    look(page, "person-logins-found", "Logins of a person", says="Ben Ortiz")
    with transaction(guide.database) as db:
        history.add(db, guide.database)
    history.find(guide.database)
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Cases").click()
    look(page, "cases", "Cases", says="Ben Ortiz")
    page.locator("tbody th a").first.click()
    look(page, "case", "Case SC-", says="1 of 3: take it up")
    page.get_by_role("button", name="Go on to the reason").click()
    look(page, "case-error", "Error: Case SC-")
    page.get_by_text("Shared: somebody else used").click()
    page.get_by_role("button", name="Go on to the reason").click()
    look(page, "decide", "Decide, case SC-")
    page.goto("/security/sharing")
    look(page, "sharing", "Shared logins", says="Ben Ortiz")
    page.locator("tbody th a").first.click()
    look(page, "score", "Score of Ben Ortiz")
    for name, path, title in (
        ("timeline", f"/security/timeline?device={next(iter(history.DESKS))}", "A device over time"),
        ("acting", "/security/acting?of=acc_ben", ""),
        ("tail", "/security/tail?person=acc_ben", "Watching the log"),
    ):
        page.goto(path)
        look(page, name, title)
    page.goto("/security/cases/new")
    look(page, "case-new", "Open a case")
    _publishing(guide, page)
    page.goto("/security/links")
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Cases").click()
    page.get_by_role("navigation", name="Cases").get_by_role("link", name="Misuse reports").click()
    look(page, "misuse-reports", "Misuse reports", says="MR-")
    page.locator("tbody th a").first.click()
    look(page, "misuse-report", "Misuse report", says="Somebody used my badge")


def _publishing(guide: Guide, page: Page) -> None:
    """Sam looks at the terms and prepares a version, as far as its check."""
    look = guide.look
    page.goto("/insurer/terms")
    look(page, "terms-versions", "Terms", says="In force")
    page.get_by_role("link", name="Publish a new version").click()
    look(page, "terms-new", "New version of the terms")
    page.get_by_role("button", name="Check the difference").click()
    look(page, "terms-new-error", "Error: ")
    page.locator("label[for=kind-site]").click()
    page.get_by_label("Version").fill("9.1")
    page.get_by_label("Title").fill("Site-specific terms")
    page.get_by_label("Text").fill("One paragraph.")
    page.get_by_label("In effect from").fill(f"{clock.now() + timedelta(days=40):%m/%d/%Y}")
    page.get_by_role("button", name="Check the difference").click()
    look(page, "terms-check", "Check the new version", says="1 paragraph new")


def _two_accounts(guide: Guide, key: str) -> None:
    """Ben says that Nina's account is his too, sees both side by side, and keeps them apart."""
    page, look = guide.window(), guide.look
    page.goto("/account/merge")
    guide.sign_in(page, BEN, code=False)
    _codes_work_again(guide)
    page.get_by_role("button", name="Sign in to the other account").click()
    guide.confirm(page, BEN.code(guide.places))
    if page.get_by_role("button", name="Sign in to the other account").count():
        page.get_by_role("button", name="Sign in to the other account").click()
    page.get_by_label("E-mail or user name").fill("nina.frost")
    page.get_by_role("button", name="Continue", exact=True).click()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    _codes_work_again(guide)
    if page.get_by_label("Code").count():
        guide.confirm(page, pyotp.TOTP(key).now())
    look(page, "merge-confirm", "Are both accounts yours?", says="Nina Frost")


def _codes_work_again(guide: Guide) -> None:
    """Forget which time step's code was spent: a tour is faster than half a minute."""
    with transaction(guide.database) as db:
        db.execute(text("UPDATE factor SET last_step = 0"))


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
