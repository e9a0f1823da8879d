"""RU-3: a person signs in through an affiliate or a third party."""

import pytest

from idp.accounts.tables import Session
from idp.database import transaction
from tests.browser import Browser
from tests.fakes.upstreams.oidc import GONE
from tests.sign_in_world import TOTP, World, code_now, link_ana, sign_in


def through_evergreen(browser: Browser, where: str = "/account") -> Browser:
    browser.get(f"/sign-in?next={where}").click("Find your organization")
    return browser.click("Evergreen Billing")


def test_ru3_a_linked_login_opens_the_same_account_as_the_local_one(world: World) -> None:
    account_id = link_ana(world)
    browser = through_evergreen(world.browser())
    assert browser.path == "/account"
    assert "What can I do, Ana Ruiz?" in browser.text
    with transaction(world.database) as db:
        from sqlmodel import select

        session = db.exec(select(Session)).one()
    assert (session.account_id, session.partner_id) == (account_id, "ptr_evergreen")
    assert session.acr == "http://idmanagement.gov/ns/assurance/aal/1"
    assert world.events("accounts.login.succeeded") == 1


def test_ru3_a_login_nobody_has_leads_to_the_page_that_asks_and_to_no_account(world: World) -> None:
    world.evergreen.person["email"] = "ana@example.com"
    world.evergreen.person["email_verified"] = True
    browser = through_evergreen(world.browser())
    assert browser.path == "/link"
    assert "We don't know this login yet" in browser.text
    assert "a...@example.com" in browser.text
    assert browser.cookie("session") is None
    assert world.count("session") == 0
    assert world.count("login", "upstream_id IS NOT NULL") == 0


@pytest.mark.parametrize("verified", [True, False, "true", 1, None, GONE])
def test_security_28_an_email_never_links_however_it_is_verified(world: World, verified: object) -> None:
    world.evergreen.person |= {"email": "ana@example.com", "email_verified": verified, "preferred_username": "ana.ruiz"}
    browser = through_evergreen(world.browser())
    assert browser.path == "/link"
    assert world.count("session") == 0


def test_ru3_an_unknown_login_is_linked_after_proof_of_an_existing_one_in_the_same_browser(world: World) -> None:
    browser = through_evergreen(world.browser())
    browser.submit("Continue", choice="existing")
    browser.submit("Continue", username="ana.ruiz").submit("Sign in", password="seven quiet lamps in a row")
    assert browser.path == "/link/confirm"
    assert "These two will open the same account" in browser.text
    browser.submit("Add this login")
    assert browser.path == "/account"
    assert world.events("accounts.login.linked") == 3
    assert world.mails().count("login_linked") == 2 + 1 + 2
    other = through_evergreen(world.browser())
    assert "What can I do, Ana Ruiz?" in other.text


def test_ru3_linking_asks_for_the_second_step_of_an_account_that_has_one(world: World) -> None:
    browser = through_evergreen(world.browser())
    browser.submit("Continue", choice="existing")
    browser.submit("Continue", username="wes.kane").submit("Sign in", password="seven quiet lamps in a row")
    assert browser.path == "/sign-in/confirm"
    browser.submit("Confirm", code=code_now(TOTP))
    assert browser.path == "/link/confirm"
    browser.submit("Add this login")
    assert world.count("login", "upstream_id = 'ups_evergreen' AND ended_at IS NULL") == 1


def test_ru3_two_people_keep_two_logins(world: World) -> None:
    browser = sign_in(world.browser())
    browser.get("/sign-in?other=true").click("Find your organization").click("Evergreen Billing")
    assert browser.path == "/link"
    browser.submit("Continue", choice="existing")
    assert browser.path == "/link/confirm"
    browser.submit("These are two people")
    assert browser.path == "/account"
    assert world.count("login", "upstream_id IS NOT NULL") == 0
    assert world.count("pending_link", "spent_at IS NULL") == 0


def test_security_29_a_proved_login_cannot_be_taken_from_another_browser(world: World) -> None:
    browser = through_evergreen(world.browser())
    flow = browser.url.partition("flow=")[2]
    thief = sign_in(world.browser(), "wes.kane")
    thief.submit("Confirm", code=code_now(TOTP))
    thief.get(f"/link/confirm?flow={flow}")
    assert thief.status == 400
    assert "another browser" in thief.text


def test_security_29_a_pending_link_works_once(world: World) -> None:
    browser = through_evergreen(world.browser())
    browser.submit("Continue", choice="existing")
    browser.submit("Continue", username="ana.ruiz").submit("Sign in", password="seven quiet lamps in a row")
    form = browser.form("Add this login")
    fields = dict(form.fields) | {"answer": "add"}
    browser.submit("Add this login")
    assert browser.path == "/account"
    browser.post("/link/confirm", fields, origin=browser.home)
    assert browser.status == 400
    assert world.count("login", "upstream_id IS NOT NULL") == 1


def test_ru3_an_outside_reset_changes_nothing_here(world: World) -> None:
    link_ana(world)
    world.evergreen.person |= {"email": "wes@example.com", "name": "Wes Kane"}
    browser = through_evergreen(world.browser())
    assert "What can I do, Ana Ruiz?" in browser.text


def test_ru3_a_strong_outside_login_counts_for_what_the_partner_proves(world: World) -> None:
    link_ana(world)
    world.evergreen.claims["acr"] = "mfa"
    through_evergreen(world.browser())
    assert world.count("session", "acr LIKE '%aal/2' AND factor_time IS NOT NULL") == 1


def test_security_36_an_unknown_acr_is_the_lowest_strength(world: World) -> None:
    link_ana(world)
    world.evergreen.claims["acr"] = "http://idmanagement.gov/ns/assurance/aal/2"
    through_evergreen(world.browser())
    assert world.count("session", "acr LIKE '%aal/1' AND factor_time IS NULL") == 1


def test_ru3_a_manager_signing_in_outside_uses_our_second_step(world: World) -> None:
    with transaction(world.database) as db:
        from idp.accounts import linking

        linking.link(db, world.ids()["wes"], upstream_id="ups_evergreen", issuer=world.evergreen.issuer, subject="ev-1")
    browser = through_evergreen(world.browser())
    assert browser.path == "/sign-in/confirm"
    before = browser.cookie("session")
    browser.submit("Confirm", code=code_now())
    assert browser.path == "/account"
    assert browser.cookie("session") != before
