"""RU-4 and RU-7: a person lists, adds and removes logins, changes the password, and ends sessions."""

import re
from datetime import timedelta

import pytest
from freezegun import freeze_time

from idp import clock
from idp.accounts import linking
from idp.database import transaction
from idp.errors import Conflict
from tests.sign_in_world import PASSWORD, World, code_now, link_ana, sign_in

NEW = "eleven calm herons on a wire"


def test_ru4_the_list_names_each_login_and_what_it_sends(world: World) -> None:
    link_ana(world)
    world.browser().get("/login/ups_evergreen")
    browser = sign_in(world.browser()).get("/account/logins")
    assert "Evergreen Billing" in browser.text
    assert "email: a...@evergreen.example, name: Ana Ruiz" in browser.text
    assert "Your user name and password" in browser.text


def test_ru4_adding_asks_for_an_existing_login_first_and_confirms_side_by_side(world: World) -> None:
    browser = sign_in(world.browser()).get("/account/logins").click("Evergreen Billing")
    assert browser.path == "/link/confirm"
    assert world.count("login", "upstream_id IS NOT NULL") == 0
    browser.submit("Add this login")
    assert browser.path == "/account/logins"
    assert world.count("login", "upstream_id = 'ups_evergreen'") == 1


def test_ru4_adding_with_an_old_sign_in_asks_again(world: World) -> None:
    browser = sign_in(world.browser())
    with freeze_time(clock.now() + timedelta(minutes=11), tick=True):
        browser.get("/account/logins/add/ups_evergreen")
        assert browser.path == "/sign-in"
        assert world.evergreen.asked == []
        browser.submit("Continue", username="ana.ruiz").submit("Sign in", password=PASSWORD)
        assert browser.path == "/link/confirm"


def test_ru4_adding_with_a_second_step_asks_for_it(world: World) -> None:
    browser = sign_in(world.browser(), "wes.kane").submit("Confirm", code=code_now())
    with freeze_time(clock.now() + timedelta(minutes=11), tick=True):
        browser.get("/account/logins/add/ups_evergreen")
        assert browser.path == "/sign-in/confirm"
        browser.submit("Confirm", code=code_now())
        assert browser.path == "/link/confirm"


def test_security_29_a_login_begun_for_one_account_is_not_added_to_another(world: World) -> None:
    browser = sign_in(world.browser())
    browser.stop_at = world.evergreen.issuer
    browser.get("/account/logins/add/ups_evergreen")
    back = world.evergreen.client.get(browser.left, follow_redirects=False).headers["location"]
    sign_in_other = browser.get("/sign-in?other=true").submit("Continue", username="wes.kane")
    sign_in_other.submit("Sign in", password=PASSWORD).submit("Confirm", code=code_now())
    browser.get(back)
    assert browser.status == 400
    assert world.count("login", "upstream_id IS NOT NULL") == 0


def test_ru4_a_login_of_another_account_is_not_taken_over(world: World) -> None:
    link_ana(world)
    browser = sign_in(world.browser(), "wes.kane").submit("Confirm", code=code_now())
    browser.get("/account/logins/add/ups_evergreen").submit("Add this login")
    assert browser.status == 409
    assert world.count("login", "upstream_id IS NOT NULL") == 1


def test_ru4_removing_is_immediate_and_the_next_outside_sign_in_does_not_undo_it(world: World) -> None:
    link_ana(world)
    outside = world.browser().get("/login/ups_evergreen")
    browser = sign_in(world.browser()).get("/account/logins").click("Remove Evergreen Billing")
    assert "You can still sign in with: Your user name and password" in browser.text
    browser.submit("Remove this login")
    assert browser.path == "/account/logins"
    assert outside.get("/account").path == "/sign-in"
    assert world.browser().get("/login/ups_evergreen").path == "/link"
    assert "login_unlinked" in world.mails()
    assert world.events("accounts.login.unlinked") == 1


def test_ru4_the_last_login_cannot_go(world: World) -> None:
    browser = sign_in(world.browser()).get("/account/logins")
    assert "Your only login stays" in browser.text
    with transaction(world.database) as db:
        [only] = linking.logins(db, world.ids()["ana"])
    browser.get(f"/account/logins/{only.id}/remove")
    assert "so it stays" in browser.text
    key = dict(browser.page.forms[0].fields)["form_key"]
    browser.post(f"/account/logins/{only.id}/remove", {"form_key": key})
    assert browser.status == 409
    assert world.count("login", "ended_at IS NOT NULL") == 0


def test_security_66_two_removals_at_once_leave_one_login(world: World) -> None:
    import threading

    account_id = link_ana(world)
    with transaction(world.database) as db:
        ids = [one.id for one in linking.logins(db, account_id)]
    answers: list[str] = []
    gate = threading.Barrier(2)

    def remove(login_id: str) -> None:
        gate.wait()
        try:
            with transaction(world.database) as db:
                linking.unlink(db, account_id, login_id, by=account_id)
            answers.append("gone")
        except Conflict:
            answers.append("stays")

    threads = [threading.Thread(target=remove, args=(one,)) for one in ids]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(answers) == ["gone", "stays"]


def test_security_62_another_persons_login_looks_like_none(world: World) -> None:
    with transaction(world.database) as db:
        [theirs] = linking.logins(db, world.ids()["wes"])
    browser = sign_in(world.browser())
    assert browser.get(f"/account/logins/{theirs.id}/remove").status == 404
    assert browser.get("/account/logins/lgn_none/remove").status == 404


def test_security_10_a_new_password_needs_the_present_one_and_ends_other_sessions(world: World) -> None:
    other = sign_in(world.browser())
    browser = sign_in(world.browser()).get("/account/password")
    browser.submit("Change my password", password="wrong", new_password=NEW)
    assert browser.status == 422
    assert "not your present password" in browser.text
    browser.submit("Change my password", password=PASSWORD, new_password="password")
    assert browser.status == 422
    browser.submit("Change my password", password=PASSWORD, new_password=NEW)
    assert "1 other sign-in was ended" in browser.text
    assert browser.get("/account").path == "/account"
    assert other.get("/account").path == "/sign-in"
    assert sign_in(world.browser(), password=NEW).path == "/account"
    assert sign_in(world.browser()).status == 401
    assert "password_changed" in world.mails()


def test_security_16_notices_reach_every_address_there_was_before(world: World) -> None:
    before = len(world.mails())
    link_ana(world)
    assert world.mails()[before:] == ["login_linked", "login_linked"]


def test_ru7_a_person_sees_and_ends_their_sessions(world: World) -> None:
    others = [sign_in(world.browser(agent="Mozilla/5.0 (Macintosh) Firefox/150")) for _ in range(3)]
    browser = sign_in(world.browser()).get("/account/activity")
    assert "Where you are signed in: 4" in browser.text
    assert "Firefox on Mac" in browser.text
    browser.submit("Sign out Firefox on Mac")
    assert "1 signed out" in browser.text
    browser.submit("Sign out all others")
    assert "2 signed out" in browser.text
    assert [one.get("/account").path for one in others] == ["/sign-in"] * 3
    assert browser.get("/account").path == "/account"


def test_security_62_another_persons_session_looks_like_none(world: World) -> None:
    wes = sign_in(world.browser(), "wes.kane").submit("Confirm", code=code_now())
    with transaction(world.database) as db:
        from idp.accounts import sessions

        [theirs] = sessions.live_of(db, world.ids()["wes"])
    browser = sign_in(world.browser()).get("/account/activity")
    browser.post(f"/account/activity/sign-out/{theirs.id}", {"form_key": browser.form_key()})
    assert browser.status == 404
    assert wes.get("/account").path == "/account"


@pytest.mark.parametrize("path", ["/account/logins", "/account/second-step", "/account/activity", "/account/password"])
def test_account_pages_need_somebody_signed_in(world: World, path: str) -> None:
    browser = world.browser().get(path)
    assert browser.path == "/sign-in"
    browser.submit("Continue", username="ana.ruiz").submit("Sign in", password=PASSWORD)
    assert browser.path == path


def test_recovery_codes_are_shown_once_and_replace_older_ones(world: World) -> None:
    browser = sign_in(world.browser(), "wes.kane").submit("Confirm", code=code_now())
    browser.get("/account/second-step").click("Make new codes").submit("Make new codes")
    codes = re.findall(r"<code>([a-z2-7-]{19})</code>", browser.response.text)
    assert len(set(codes)) == 10
    again = sign_in(world.browser(), "wes.kane")
    assert again.submit("Confirm", code=codes[0]).path == "/account"
    third = sign_in(world.browser(), "wes.kane")
    assert third.submit("Confirm", code=codes[0]).status == 422
