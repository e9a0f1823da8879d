"""What access managers, security staff and the insurer's people meet. A part of the tour (test_tour.py)."""

import re
from datetime import timedelta

import pyotp
from playwright.sync_api import Page

from idp import clock
from idp.audit.seal import Sealer
from idp.database import transaction
from idp.demo import history
from idp.demo.people import BEN, SAM, WES
from tests.web.guide import PASSWORD, Guide
from tests.web.tour_people import codes_work_again


def an_access_manager(guide: Guide) -> str:
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
    page.get_by_role("link", name="Why, and what if").click()
    look(page, "why", "Why, and what if", says="What if")
    page.locator("#function").select_option("claim.status.view")
    page.get_by_role("button", name="Show").click()
    look(page, "why-answer", "Why, and what if", says="Every check in order")
    page.locator("#without").select_option(index=1)
    page.get_by_role("button", name="Show").click()
    look(page, "why-what-if", "Why, and what if", says="A what-if")
    page.get_by_role("link", name="Ben Ortiz").click()
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


def a_security_analyst(guide: Guide) -> None:
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
    look(page, "sharing", "Shared logins", says="SC-")
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
    publishing(guide, page)
    page.goto("/security/links")
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Cases").click()
    page.get_by_role("navigation", name="Cases").get_by_role("link", name="Misuse reports").click()
    look(page, "misuse-reports", "Misuse reports", says="MR-")
    page.locator("tbody th a").first.click()
    look(page, "misuse-report", "Misuse report", says="Somebody used my badge")


def publishing(guide: Guide, page: Page) -> None:
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


def two_accounts(guide: Guide, key: str) -> None:
    """Ben says that Nina's account is his too, sees both side by side, and keeps them apart."""
    page, look = guide.window(), guide.look
    page.goto("/account/merge")
    guide.sign_in(page, BEN, code=False)
    codes_work_again(guide)
    page.get_by_role("button", name="Sign in to the other account").click()
    guide.confirm(page, BEN.code(guide.places))
    if page.get_by_role("button", name="Sign in to the other account").count():
        page.get_by_role("button", name="Sign in to the other account").click()
    page.get_by_label("E-mail or user name").fill("nina.frost")
    page.get_by_role("button", name="Continue", exact=True).click()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    codes_work_again(guide)
    if page.get_by_label("Code").count():
        guide.confirm(page, pyotp.TOTP(key).now())
    look(page, "merge-confirm", "Are both accounts yours?", says="Nina Frost")


def activity_and_misuse(guide: Guide) -> None:
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
