"""RU-8, getting back in: two proofs, the same answers for everybody, nothing skipped, everybody told, stoppable."""

import threading
from datetime import timedelta

from freezegun import freeze_time
from sqlalchemy import text

from idp import clock
from idp.accounts import people, second_factor
from idp.accounts.tables import Account
from idp.database import transaction
from tests.accounts.test_passkeys import enroll, form_of
from tests.fakes.authenticator import Authenticator
from tests.flows.recovering import NEW, mailed, saved, started, stop_link, with_mail
from tests.sign_in_world import PASSWORD, World, code_now, link_ana, sign_in

__all__ = ["saved"]


def test_ru8_a_saved_and_a_mailed_code_bring_a_person_back_and_the_lost_second_step_is_replaced(
    world: World, saved: list[str]
) -> None:
    elsewhere = world.browser()
    sign_in(elsewhere)
    browser = with_mail(world)
    assert "Second proof" in browser.title
    browser.submit("Use this recovery code", saved=saved[0])
    browser.submit("Save and sign out everywhere", new_password=NEW)
    assert "You can sign in again" in browser.text
    assert elsewhere.get("/account").path == "/sign-in", "everywhere is signed out"
    browser.click("Sign in")
    browser.submit("Continue", username="ana.ruiz")
    browser.submit("Sign in", password=NEW)
    assert browser.path == "/sign-in/enroll"
    with transaction(world.database) as db:
        assert second_factor.steps(db, world.ids()["ana"]) == []
        assert second_factor.recovery_left(db, world.ids()["ana"]) == 0
    mails = world.mails()
    assert mails.count("account_recovered") == mails.count("recovery_begun") == 2, "each address is told"
    assert world.events("accounts.recovery.done") == 1


def test_ru8_with_the_app_as_a_proof_it_stays_and_is_asked_for_again(world: World, saved: list[str]) -> None:
    del saved
    browser = with_mail(world)
    browser.submit("Use this app code", factor=code_now())
    assert "Your second step stays" in browser.text
    browser.submit("Save and sign out everywhere", new_password=NEW)
    with freeze_time(clock.now() + timedelta(seconds=60)):
        sign_in(browser, password=NEW, where="/account/second-step/codes")
        assert browser.path == "/sign-in/confirm", "recovery signed nobody in, and skipped nothing"


def test_security_15_a_mailed_code_works_once_for_its_own_attempt_and_for_fifteen_minutes(
    world: World, saved: list[str]
) -> None:
    del saved
    first, second = started(world).submit("Mail me a code"), started(world).submit("Mail me a code")
    code = mailed(world)
    wrong = first if first.submit("Use this mailed code", mailed=code).status == 422 else second
    right = second if wrong is first else first
    assert wrong is first, "the newest mail is the second attempt's"
    with freeze_time(clock.now() + timedelta(minutes=15)):
        assert right.submit("Use this mailed code", mailed=code).status == 422
    assert right.submit("Use this mailed code", mailed=code).status == 200
    with transaction(world.database) as db:
        assert db.execute(text("SELECT count(*) FROM recovery WHERE code_hash IS NOT NULL")).scalar_one() == 1


def test_security_10_one_proof_twice_is_one_proof_and_steps_cannot_be_skipped(world: World, saved: list[str]) -> None:
    browser = started(world)
    fields = dict(next(f.fields for f in browser.page.forms if f.action == "/recover/proof/saved"))
    assert browser.post("/recover/finish", {**fields, "new_password": NEW}).status == 400
    for code in saved[:2]:
        browser.post("/recover/proof/saved", {**fields, "saved": code})
    assert browser.post("/recover/finish", {**fields, "new_password": NEW}).status == 400, "two saved codes: one way"
    thief = world.browser()
    thief.get("/recover")
    theirs = {**fields, "form_key": thief.form_key()}
    assert thief.post("/recover/code", theirs).status == 400, "another browser's attempt"


def test_security_11_two_finishes_at_once_are_one(world: World, saved: list[str]) -> None:
    browser = with_mail(world)
    browser.submit("Use this recovery code", saved=saved[0])
    fields = dict(next(f.fields for f in browser.page.forms if f.action == "/recover/finish"))
    answers: list[int] = []

    def knock(number: int) -> None:
        mine = world.browser()
        mine.cookies = {host: dict(jar) for host, jar in browser.cookies.items()}
        answers.append(mine.post("/recover/finish", {**fields, "new_password": f"{NEW} {number}"}).status)

    threads = [threading.Thread(target=knock, args=(n,)) for n in range(3)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert answers.count(200) == 1
    assert {*answers} <= {200, 400, 429}, "429: more passwords at once than this machine hashes"
    assert world.events("accounts.recovery.done") == 1


def test_ru8_the_stop_link_ends_every_attempt_and_looking_stops_nothing(world: World, saved: list[str]) -> None:
    browser = with_mail(world)
    owner = world.browser()
    owner.get(stop_link(world))
    browser.submit("Use this recovery code", saved=saved[0])
    assert "Save and sign out everywhere" in browser.response.text
    owner.submit("Stop it")
    assert "It is stopped" in owner.text
    assert browser.submit("Save and sign out everywhere", new_password=NEW).status == 400
    sign_in(owner)
    assert owner.path in ("/account", "/sign-in/confirm"), "the old password still is the password"
    assert world.browser().get("/recover/stop/nonsense").submit("Stop it").status == 200


def test_ru8_an_access_managers_word_counts_after_a_day_and_can_be_stopped(world: World, saved: list[str]) -> None:
    del saved
    asked = with_mail(world).submit("Ask my access managers")
    assert "were asked" in asked.text
    ana, wes = world.ids()["ana"], world.browser()
    assert world.mails()[-1] == "recovery_asked"
    sign_in(wes, "wes.kane", where=f"/p/prv_lakeside/people/{ana}/vouch")
    wes.submit("Confirm", code=code_now())
    assert wes.submit("Vouch for Ana Ruiz").status == 422, "speak first"
    wes.submit("Vouch for Ana Ruiz", spoke="yes")
    assert world.mails().count("recovery_vouched") == 2
    own = wes.page.forms[0].fields
    assert wes.post(f"/p/prv_lakeside/people/{ana}/vouch", {**dict(own), "spoke": "yes"}).status == 409
    with freeze_time(clock.now() + timedelta(hours=23, minutes=59)):
        early = with_mail(world).submit("I spoke to my access manager")
        assert early.path == "/recover/proof", "the wait is not over"
    with freeze_time(clock.now() + timedelta(hours=24, seconds=5)):
        early.get(early.url)
        assert early.path == "/recover/finish"
        early.submit("Save and sign out everywhere", new_password=NEW)
        assert "You can sign in again" in early.text
        late = with_mail(world).submit("Ask my access managers")
        assert late.path == "/recover/proof", "a word is used once"


def test_ru8_nobody_vouches_unasked_for_themselves_or_at_another_practice(world: World, saved: list[str]) -> None:
    del saved
    ids, wes = world.ids(), world.browser()
    sign_in(wes, "wes.kane", where="/account")
    wes.submit("Confirm", code=code_now())
    key = {"form_key": wes.form_key(), "spoke": "yes"}
    assert wes.post(f"/p/prv_lakeside/people/{ids['ana']}/vouch", key).status == 409
    assert wes.post(f"/p/prv_lakeside/people/{ids['wes']}/vouch", key).status == 403
    assert wes.post(f"/p/prv_harbor/people/{ids['ana']}/vouch", key).status == 404
    stranger = world.browser()
    sign_in(stranger, where="/account")
    assert stranger.post(f"/p/prv_lakeside/people/{ids['wes']}/vouch", {"form_key": stranger.form_key()}).status in (
        401,
        403,
        404,
    )
    assert world.count("vouching") == 0


def test_security_30_an_account_never_confirmed_loses_what_was_added_before_its_owner_came(
    world: World, saved: list[str]
) -> None:
    link_ana(world)
    with transaction(world.database) as db:
        account = db.get(Account, world.ids()["ana"])
        assert account
        account.status = "verified"
        db.add(account)
    browser = with_mail(world)
    browser.submit("Use this recovery code", saved=saved[0])
    browser.submit("Save and sign out everywhere", new_password=NEW)
    account_id = world.ids()["ana"]
    assert world.count("login", f"account_id = '{account_id}' AND ended_at IS NULL AND upstream_id IS NOT NULL") == 0
    assert world.count("factor", f"account_id = '{account_id}' AND ended_at IS NULL") == 0
    assert world.count("known_device", f"account_id = '{account_id}'") == 0
    assert world.events("accounts.account.cleansed") == 1


def test_ru8_a_hold_is_not_lifted_and_a_closed_password_opens_again(world: World, saved: list[str]) -> None:
    account = world.ids()["ana"]
    with transaction(world.database) as db:
        sql = "INSERT INTO throttle (key, failures, last_at, created_at) VALUES (:k, 100, 1, 1)"
        db.execute(text(sql), {"k": f"password/{account}"})
    browser = with_mail(world)
    browser.submit("Use this recovery code", saved=saved[0])
    with transaction(world.database) as db:
        people.suspend(db, account, because="misuse", by="operator")
    assert browser.submit("Save and sign out everywhere", new_password=NEW).status == 409
    with transaction(world.database) as db:
        people.reinstate(db, account, because="done", by="operator")
    assert world.count("throttle", f"key = 'password/{account}'") == 1, "refused, so nothing of it happened"
    with_mail(world).submit("Use this recovery code", saved=saved[1]).submit(
        "Save and sign out everywhere", new_password=NEW
    )
    stranger = world.browser()
    assert sign_in(stranger, password=NEW).path == "/account", "the password opens again on any device"


def test_domain_9_an_attempt_ends_after_an_hour_and_rules_hold_for_the_new_password(
    world: World, saved: list[str]
) -> None:
    browser = with_mail(world)
    browser.submit("Use this recovery code", saved=saved[0])
    assert browser.submit("Save and sign out everywhere", new_password="ana ruiz ana ruiz").status == 422
    before = browser.page
    with freeze_time(clock.now() + timedelta(hours=1)):
        assert browser.submit("Save and sign out everywhere", new_password=NEW).status == 400
    fields = dict(next(f.fields for f in before.forms if f.action == "/recover/finish"))
    assert browser.post("/recover/finish", {**fields, "new_password": NEW}).status == 200
    assert sign_in(world.browser(), password=PASSWORD).status == 401


def test_ru8_a_passkey_that_is_left_is_the_second_proof_and_stays(world: World) -> None:
    key = Authenticator(world.settings.issuer)
    enroll(sign_in(world.browser()), key)
    with transaction(world.database) as db:
        people.add_contact(db, world.ids()["ana"], "ana@example.com", verified=True)
    browser = started(world)
    assert "data-passkey" not in browser.response.text, "no stranger learns which keys there are"
    browser.submit("Mail me a code")
    other = with_mail(world)
    options, fields = form_of(other)
    stolen = {**fields, "attempt": browser.url.partition("attempt=")[2], "answer": key.get(options)}
    browser.post(stolen["to"], {**stolen, "form_key": browser.form_key()})
    assert browser.status == 400, "an attempt without a first proof"
    other.post(fields["to"], {**fields, "answer": Authenticator(world.settings.issuer).get(options)})
    assert other.status == 422, other.text
    options, fields = form_of(other)
    other.post(fields["to"], {**fields, "answer": key.get(options)})
    assert "Your second step stays" in other.text, other.text
    other.submit("Save and sign out everywhere", new_password=NEW)
    with transaction(world.database) as db:
        assert [one.kind for one in second_factor.steps(db, world.ids()["ana"])] == ["passkey"]


def test_security_3_the_new_password_is_not_the_practices_name(world: World, saved: list[str]) -> None:
    browser = with_mail(world).submit("Use this recovery code", saved=saved[0])
    browser.submit("Save and sign out everywhere", new_password="lakeside clinic 2026")
    assert browser.status == 422
    assert "mostly your name" in browser.text
