"""Getting back in, looked at: every page at two widths, with axe, without a script on the way."""

import re
from typing import Any

from playwright.sync_api import expect
from sqlalchemy import text

from idp.accounts import local_logins, passwords, people, recovery_mail, second_factor
from idp.database import transaction
from tests.web.conftest import Eyes, Site

PASSWORD = "seven quiet lamps in a row"


def test_ru8_the_pages_of_getting_back_in(site: Site, window: Any) -> None:
    database, finn = site.world.database, site.world.finn
    hashed = passwords.hashed(database.ring, PASSWORD)
    with transaction(database) as db:
        local_logins.add(db, finn, "finn.oakes", hashed)
        people.add_contact(db, finn, "finn@example.com", verified=True)
        codes = second_factor.make_recovery_codes(db, finn)
    eyes: Eyes = window()
    page = eyes.page
    page.goto("/sign-in")
    page.get_by_role("link", name="Can't sign in? Get back in").click()
    eyes.look("recover-which")
    page.get_by_label("User name or e-mail").fill("finn.oakes")
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="Mail me a code").click()
    eyes.look("recover-first")
    page.get_by_label("Code from the mail").fill("00000000")
    page.get_by_role("button", name="Use this mailed code").click()
    expect(page).to_have_title(re.compile("^Error: First proof"))
    recovery_mail.send(database)
    with transaction(database) as db:
        facts, begun = (
            str(db.execute(text("SELECT facts FROM outbox WHERE template = 'recovery_code'")).scalar_one()),
            "",
        )
    page.get_by_label("Code from the mail").fill("".join(re.findall(r"\d", facts)))
    page.get_by_role("button", name="Use this mailed code").click()
    eyes.look("recover-second")
    page.get_by_role("button", name="Ask my access managers").click()
    eyes.look("recover-asked")
    with transaction(database) as db:
        begun = str(db.execute(text("SELECT facts FROM outbox WHERE template = 'recovery_begun'")).scalar_one())
    other: Eyes = window("wes")
    other.page.goto(f"/p/{site.world.lakeside}/people/{finn}")
    other.page.get_by_role("link", name="Lost their second step?").click()
    other.look("vouch")
    other.page.get_by_text("I spoke to").click()
    other.page.get_by_role("button", name="Vouch for Finn Oakes").click()
    other.look("vouched")
    page.get_by_label("Recovery code").fill(codes[0])
    page.get_by_role("button", name="Use this recovery code").click()
    eyes.look("recover-finish")
    page.get_by_label("New password").fill("nine loud kettles on a hill")
    page.get_by_role("button", name="Save and sign out everywhere").click()
    eyes.look("recover-done")
    found = re.search(r"/recover/stop/[\w-]+", begun)
    assert found
    page.goto(found[0])
    eyes.look("recover-stop")
