"""RU-1: an invited person opens the link, accepts, attests, enrolls a second step and lands on home."""

import re
from datetime import timedelta

import pytest
from freezegun import freeze_time
from sqlalchemy import text

from idp import clock
from idp.database import transaction
from idp.entitlements.tables import Appointment
from idp.providers import organisations
from idp.providers.tables import Provider
from idp.registration import invitations
from tests.browser import Browser
from tests.sign_in_world import PASSWORD, World, code_now, sign_in
from tests.wam.test_more_receipts import events


def invite(world: World, **more: str | None) -> str:
    """Wes invites Nina to Lakeside as a biller; return the link's secret."""
    with transaction(world.database) as db:
        facts: dict[str, str | None] = {
            "invited_by": world.ids()["wes"],
            "display_name": "Nina Frost",
            "email": "nina@example.com",
            "provider_id": "prv_lakeside",
            "bundle": "biller",
            **more,
        }
        return invitations.invite(db, **facts)[1]  # type: ignore[arg-type]


def to_the_end(browser: Browser) -> Browser:
    """Terms, attestation, second step, recovery codes, home."""
    assert browser.path == "/terms", (browser.url, browser.text[:300])
    ids = re.findall(r'value="(trm_[a-z0-9]+)"', browser.response.text)
    browser.submit("Accept and continue", accept=ids)
    assert browser.path == "/attest"
    browser.submit("Confirm", capacity="authorised_agent", principal="Lakeside Clinic", word="yes")
    assert browser.path == "/sign-in/enroll"
    browser.submit("Set up an authenticator app")
    key = re.search(r"<code[^>]*>([A-Z2-7 ]+)</code>", browser.response.text)
    assert key
    browser.submit("Confirm and turn on", code=code_now(key.group(1).replace(" ", "")))
    assert "Keep these recovery codes" in browser.text
    return browser.click("I have saved them")


def status_of(world: World, name: str) -> str:
    with transaction(world.database) as db:
        found = db.execute(text("SELECT status FROM account WHERE display_name = :n"), {"n": name})
        return str(found.scalar_one())


def test_ru1_with_a_new_user_name_and_password(world: World) -> None:
    with transaction(world.database) as db:  # who is invited gets what the practice holds
        organisations.open_portal(db, "prv_lakeside", "medical", by="operator")
        organisations.agree(db, "prv_lakeside", "medical")
        organisations.participate(db, "prv_lakeside", "medical")
    browser = world.browser().get(f"/invitations/{invite(world)}")
    assert "Wes Kane invites Nina Frost to work for Lakeside Clinic" in browser.text
    browser.submit("Accept and continue", way="local")
    browser.submit("Create my account", user_name="nina.frost", password="short")
    assert browser.status == 422
    assert "15 characters" in browser.text
    browser.submit("Create my account", user_name="ana.ruiz", password=PASSWORD)
    assert browser.status == 422
    assert "taken" in browser.text
    browser.submit("Create my account", user_name="nina.frost", password=PASSWORD)
    assert status_of(world, "Nina Frost") == "invited"
    to_the_end(browser)
    assert browser.path == "/account"
    assert "What can I do, Nina Frost?" in browser.text
    assert "Lakeside Clinic" in browser.text
    assert "Wes Kane" in browser.text
    assert status_of(world, "Nina Frost") == "active"
    assert world.count("affiliation", "ended_at IS NULL") == 3
    assert world.count('"grant"') > 5
    again = sign_in(world.browser(), "nina.frost")
    assert again.path == "/account"
    again.get("/account/access/prv_lakeside").click("signed receipt")
    assert "Receipt: Invitation taken up" in again.text
    promise = again.click("Save the signed receipt").response.json()
    promised = events(world.database, promise)
    assert {"registration.invitation.accepted", "providers.affiliation.approved"} <= set(promised)
    assert promised.count("entitlements.grant.added") == world.count('"grant"')
    assert sign_in(world.browser()).get("/account/access/prv_lakeside/receipt.json").status == 404


def test_ru1_with_an_organizations_login(world: World) -> None:
    world.evergreen.person = {"sub": "ev-nina", "email": "wes@example.com", "email_verified": True}
    browser = world.browser().get(f"/invitations/{invite(world)}")
    browser.submit("Accept and continue", way="organization").click("Evergreen Billing")
    assert browser.path == "/invitations/confirm"
    assert "You will use Evergreen Billing" in browser.text
    to_the_end(browser.submit("Accept"))
    assert "What can I do, Nina Frost?" in browser.text
    other = world.browser().get("/login/ups_evergreen")
    assert "What can I do, Nina Frost?" in other.text
    assert world.count("login", "subject = 'ev-nina'") == 1


def test_ru1_with_the_account_one_has_already(world: World) -> None:
    with transaction(world.database) as db:
        db.add(Provider(id="prv_harbor", name="Harbor Imaging"))
        db.flush()
        db.add(
            Appointment(
                account_id=world.ids()["wes"], provider_id="prv_harbor", verified_by="operator", starts_at=clock.now()
            )
        )
    secret = invite(world, provider_id="prv_harbor", display_name="Ana Ruiz")
    browser = world.browser().get(f"/invitations/{secret}")
    browser.submit("Accept and continue", way="existing")
    browser.submit("Continue", username="ana.ruiz").submit("Sign in", password=PASSWORD)
    assert browser.path == "/invitations/confirm"
    browser.submit("Accept")
    assert browser.path == "/sign-in/enroll"
    assert world.count("account") == 2
    assert world.count("affiliation", "provider_id = 'prv_harbor'") == 1


def test_ru1_a_link_works_once(world: World) -> None:
    secret = invite(world)
    browser = world.browser().get(f"/invitations/{secret}")
    browser.submit("Accept and continue", way="local")
    browser.submit("Create my account", user_name="nina.frost", password=PASSWORD)
    other = world.browser().get(f"/invitations/{secret}")
    assert other.status == 410
    assert "used already" in other.text
    assert "Ask Wes Kane for a new one" in other.text


def test_ru1_two_people_with_one_link_make_one_account(world: World) -> None:
    secret = invite(world)
    both = [world.browser().get(f"/invitations/{secret}").submit("Accept and continue", way="local") for _ in range(2)]
    both[0].submit("Create my account", user_name="nina.frost", password=PASSWORD)
    both[1].submit("Create my account", user_name="nina.other", password=PASSWORD)
    assert both[1].status == 410
    assert world.count("account") == 3
    assert world.count("login", "subject = 'nina.other'") == 0


@pytest.mark.parametrize("secret", ["x", "a" * 43, "%00", "..%2f..", "a" * 500])
def test_an_invented_link_is_refused_clearly(world: World, secret: str) -> None:
    browser = world.browser().get(f"/invitations/{secret}")
    assert browser.status in (400, 404, 410)
    assert world.count("account") == 2


def test_ru1_a_link_lives_twenty_four_hours(world: World) -> None:
    secret = invite(world)
    with freeze_time(clock.now() + timedelta(hours=24), tick=True):
        browser = world.browser().get(f"/invitations/{secret}")
    assert browser.status == 410
    assert "expired" in browser.text


def test_invariant_6_an_inviter_who_lost_their_authority_admits_nobody(world: World) -> None:
    secret = invite(world)
    browser = world.browser().get(f"/invitations/{secret}").submit("Accept and continue", way="local")
    with transaction(world.database) as db:
        db.execute(text("UPDATE appointment SET ended_at = :now"), {"now": clock.micros(clock.now())})
    browser.submit("Create my account", user_name="nina.frost", password=PASSWORD)
    assert browser.status == 410
    assert "no longer manages access" in browser.text
    assert world.count("account") == 2


def test_security_64_nobody_accepts_their_own_invitation(world: World) -> None:
    secret = invite(world)
    browser = sign_in(world.browser(), "wes.kane").submit("Confirm", code=code_now())
    browser.get(f"/invitations/{secret}").submit("Accept and continue", way="existing")
    if browser.path == "/sign-in":
        browser.submit("Continue", username="wes.kane").submit("Sign in", password=PASSWORD)
    browser.submit("Accept")
    assert browser.status == 409
    assert world.count("invitation", "spent_at IS NULL") == 1


def test_security_17_the_links_secret_is_not_in_the_database_but_for_the_mail(world: World) -> None:
    secret = invite(world)
    with transaction(world.database) as db:
        row = db.execute(text("SELECT * FROM invitation")).one()
        leaves = db.execute(text("SELECT leaf FROM audit_record")).all()
    assert secret not in str(tuple(row))
    assert not any(secret.encode() in bytes(leaf[0]) for leaf in leaves)
    assert "invitation" in world.mails()


def test_an_invitation_for_a_named_account_is_only_good_for_that_one(world: World) -> None:
    secret = invite(world, account_id=world.ids()["ana"])
    browser = world.browser().get(f"/invitations/{secret}")
    assert "Sign in to your account to accept" in browser.text
    browser.submit("Accept and continue")
    browser.submit("Continue", username="ana.ruiz").submit("Sign in", password=PASSWORD).submit("Accept")
    assert world.count("invitation", "spent_at IS NOT NULL") == 1


def test_ru1_who_stopped_half_way_goes_on_at_the_next_sign_in(world: World) -> None:
    browser = world.browser().get(f"/invitations/{invite(world)}").submit("Accept and continue", way="local")
    browser.submit("Create my account", user_name="nina.frost", password=PASSWORD)
    assert browser.path == "/terms"
    later = sign_in(world.browser(), "nina.frost")
    to_the_end(later)
    assert status_of(world, "Nina Frost") == "active"
