"""Confirming it's you: as strong as asked, back to the same page; a remembered device spares one step, never both."""

from datetime import datetime, timedelta

from freezegun import freeze_time
from sqlalchemy import text

from idp import clock
from idp.accounts import devices, second_factor
from idp.accounts.assurance import AAL1, AAL2, PHR
from idp.database import transaction
from tests.accounts.test_passkeys import answer, enroll, newest
from tests.browser import Browser
from tests.fakes.authenticator import Authenticator
from tests.sign_in_world import TOTP, World, code_now, sign_in

NEED_PHR = "/sign-in/confirm?next=/account/second-step&acr=phr"


def with_app(world: World, *, remember: bool) -> tuple[Browser, datetime]:
    """Ana, signed in with password and app; returns when her session ends."""
    with transaction(world.database) as db:
        second_factor.install(db, world.ids()["ana"], TOTP)
        second_factor.make_recovery_codes(db, world.ids()["ana"])
    browser = world.browser()
    sign_in(browser, where="/account")
    browser.get("/sign-in/confirm?next=/account")
    more = {"remember": "yes"} if remember else {}
    browser.submit("Confirm", code=code_now(), **more)
    session = newest(world)
    assert session.acr == AAL2
    return browser, session.expires_at


def test_domain_9_a_remembered_device_spares_the_second_step_after_the_idle_sign_out(world: World) -> None:
    browser, ends = with_app(world, remember=True)
    used = newest(world).factor_time
    with freeze_time(clock.now() + timedelta(minutes=16)):
        assert browser.get("/account").path == "/sign-in", "it never replaces signing in"
        sign_in(browser)
        again = newest(world)
        assert (again.acr, again.expires_at, again.factor_time) == (AAL2, ends, used), "inside the same overall limit"
        assert browser.get("/account/second-step/codes").path == "/sign-in/confirm", "what is fresh still asks"
    with freeze_time(ends):
        sign_in(browser)
        assert newest(world).acr == AAL1


def test_domain_9_a_device_is_remembered_only_where_the_person_said_so_and_only_that_one(world: World) -> None:
    browser, _ = with_app(world, remember=False)
    with freeze_time(clock.now() + timedelta(minutes=16)):
        sign_in(browser)
        assert newest(world).acr == AAL1
        browser.get("/sign-in/confirm?next=/account")
        browser.submit("Confirm", code=code_now(), remember="yes")
    with freeze_time(clock.now() + timedelta(minutes=17)):
        other = world.browser()
        sign_in(other)
        assert newest(world).acr == AAL1, "another device"


def test_security_23_signing_out_and_every_change_of_a_credential_forget_remembered_devices(world: World) -> None:
    browser, _ = with_app(world, remember=True)
    account = world.ids()["ana"]

    def remembered() -> int:
        return world.count("known_device", f"account_id = '{account}' AND remembered_until IS NOT NULL")

    def once_more() -> None:
        with transaction(world.database) as db:
            [one, *_] = devices.known_to(db, account)
            devices.remember(db, account, one.id, until=clock.now() + timedelta(hours=1))
        assert remembered() == 1

    once_more()
    browser.get("/account/activity").submit("Sign out")
    assert remembered() == 0
    sign_in(browser)
    once_more()
    with transaction(world.database) as db:
        [first, *_] = second_factor.steps(db, account)
        second_factor.install(db, account, "KRSXG5BAON2HE2LOM4QGM33SEB2GK43U")
        second_factor.remove(db, account, first.id)
    assert remembered() == 0


def test_decisions_6_a_manager_uses_the_second_step_at_every_sign_in(world: World) -> None:
    browser = world.browser()
    sign_in(browser, "wes.kane")
    assert "Remember this device" not in browser.text
    form = browser.page.forms
    fields = dict(next(f.fields for f in form if f.action == "/sign-in/confirm"))
    browser.post("/sign-in/confirm", {**fields, "code": code_now(), "remember": "yes"})
    assert world.count("known_device", "remembered_until IS NOT NULL") == 0
    with freeze_time(clock.now() + timedelta(minutes=16)):
        sign_in(browser, "wes.kane")
        assert browser.path == "/sign-in/confirm"


def test_rfc_9470_a_wish_for_phishing_resistance_is_met_by_a_passkey_and_returns(world: World) -> None:
    browser, _ = with_app(world, remember=False)
    browser.get(NEED_PHR)
    assert browser.path == "/sign-in/enroll", "nobody without a passkey is sent round in circles"
    assert "This needs a passkey" in browser.text
    assert "authenticator app" not in browser.text.lower()
    key = Authenticator(world.settings.issuer)
    enroll(browser, key, where=NEED_PHR)
    assert browser.path == "/account/second-step", "recovery codes are kept from before"
    assert newest(world).acr == PHR


def test_security_14_a_code_does_not_stand_in_where_a_passkey_is_asked_for(world: World) -> None:
    browser, _ = with_app(world, remember=False)
    key = Authenticator(world.settings.issuer)
    enroll(browser, key)
    with transaction(world.database) as db:
        db.execute(text("UPDATE session SET acr = :a"), {"a": AAL2})
    browser.get(NEED_PHR)
    assert "Code" not in browser.text
    fields = dict(next(f.fields for f in browser.page.forms if f.action == "/sign-in/confirm/passkey"))
    with freeze_time(clock.now() + timedelta(seconds=60)):
        sent = {name: fields[name] for name in ("flow", "form_key")}
        assert browser.post("/sign-in/confirm", {**sent, "code": code_now()}).status == 422
        assert newest(world).acr == AAL2
        key.verifies = False
        assert answer(browser.get(NEED_PHR), key).status == 422, "a touch alone is not phishing-resistant strength"
        key.verifies = True
        assert answer(browser.get(NEED_PHR), key).path == "/account/second-step"
    assert newest(world).acr == PHR
