"""Passkeys over the pages: an answer counts once, for its own journey, account and origin, and has its strength."""

import copy
import html
import json
import re
import threading
from datetime import timedelta

from freezegun import freeze_time
from sqlalchemy import text

from idp import clock
from idp.accounts.assurance import AAL1, AAL2, PHR
from idp.accounts.tables import Session
from idp.database import transaction
from tests.browser import Browser
from tests.fakes.authenticator import Authenticator
from tests.sign_in_world import World, code_now, link_ana, sign_in

HOME = "/sign-in/enroll?next=/account/second-step"


def form_of(browser: Browser, kind: str = "get") -> tuple[str, dict[str, str]]:
    """The options and the hidden fields of the passkey form of a page."""
    wanted = rf'<form[^>]*action="([^"]*)" data-passkey="{kind}" data-options="([^"]*)"'
    found = re.search(wanted, browser.response.text)
    assert found, browser.text[:400]
    hidden = next(f.fields for f in browser.page.forms if f.action == found[1])
    return html.unescape(found[2]), {**dict(hidden), "to": found[1]}


def answer(browser: Browser, key: Authenticator, **more: str) -> Browser:
    """Answer the passkey form of the page shown, as our script does."""
    options, fields = form_of(browser)
    return browser.post(fields.pop("to"), {**fields, "answer": key.get(options), **more})


def enroll(browser: Browser, key: Authenticator, name: str = "Office key", where: str = HOME) -> Browser:
    browser.get(where)
    options, fields = form_of(browser, "create")
    return browser.post(fields.pop("to"), {**fields, "answer": key.create(options), "name": name})


def with_key(world: World, **more: bool) -> tuple[Browser, Authenticator]:
    """Ana, signed in, with a passkey."""
    browser, key = world.browser(), Authenticator(world.settings.issuer, **more)
    sign_in(browser)
    enroll(browser, key)
    assert browser.status == 200, browser.text
    return browser, key


def newest(world: World) -> Session:
    with transaction(world.database) as db:
        found = db.execute(text("SELECT id FROM session WHERE ended_at IS NULL ORDER BY created_at DESC")).first()
        assert found
        session = db.get(Session, found[0])
        assert session
        db.expunge(session)
        return session


def refused(world: World, browser: Browser, reason: str, status: int = 422) -> None:
    assert browser.status == status, browser.text
    assert world.reasons("accounts.factor.refused")[-1:] == [reason]


def test_security_14_a_passkey_is_added_named_told_of_and_used(world: World) -> None:
    browser, key = with_key(world)
    assert "Keep these recovery codes" in browser.text
    assert newest(world).acr == PHR
    assert world.mails().count("factor_added") == 3, "one to each of her two addresses, one earlier to Wes"
    assert "Office key" in browser.get("/account/second-step").text
    again = world.browser()
    again.get("/sign-in?next=/account/second-step")
    answer(again, key)
    assert again.path == "/account/second-step"
    found = newest(world)
    assert (found.acr, found.amr) == (PHR, ["mfa", "pop", "user"])
    assert found.factor_time is not None


def test_aal_a_key_that_verifies_nobody_is_a_second_step_and_no_way_in_alone(world: World) -> None:
    _, key = with_key(world, verifies=False)
    assert newest(world).acr == AAL2
    other = world.browser()
    other.get("/sign-in?next=/account")
    answer(other, key)
    refused(world, other, "InvalidAuthenticationResponse")
    sign_in(other, where="/account/second-step")
    assert newest(world).acr == AAL1
    answer(other.get("/sign-in/confirm?next=/account/second-step"), key)
    assert newest(world).acr == AAL2


def test_security_35_a_passkey_alone_does_not_pass_by_the_organization(world: World) -> None:
    _, key = with_key(world)
    link_ana(world)
    with transaction(world.database) as db:
        db.execute(text("UPDATE login SET ended_at = 1 WHERE upstream_id IS NULL AND subject = 'ana.ruiz'"))
    other = world.browser()
    other.get("/sign-in?next=/account")
    answer(other, key)
    assert other.status == 422
    assert "organization" in other.text
    assert world.reasons("accounts.login.refused")[-1] == "passkey_alone"


def test_security_15_a_challenge_is_answered_once_by_whoever_is_first(world: World) -> None:
    _, key = with_key(world)
    other = world.browser()
    other.get("/sign-in?next=/account")
    options, fields = form_of(other)
    to, said = fields.pop("to"), {**fields, "answer": key.get(options)}
    codes: list[int] = []

    def knock() -> None:
        mine = world.browser()
        mine.cookies = {host: dict(jar) for host, jar in other.cookies.items()}
        codes.append(mine.post(to, said).status)

    threads = [threading.Thread(target=knock) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(codes) == [200, 422, 422, 422]


def test_security_15_a_wrong_answer_uses_the_challenge_up(world: World) -> None:
    browser, key = with_key(world)
    browser.get("/sign-in/confirm?next=/account")
    options, fields = form_of(browser)
    to = fields.pop("to")
    assert browser.post(to, {**fields, "answer": "{}"}).status == 422
    assert browser.post(to, {**fields, "answer": key.get(options)}).status == 422
    assert answer(browser, key).status == 200, "the page shown again carries a new challenge"


def test_security_11_a_challenge_belongs_to_its_purpose_journey_browser_and_session(world: World) -> None:
    browser, key = with_key(world)
    browser.get("/sign-in/confirm?next=/account")
    options, fields = form_of(browser)
    made = {**fields, "answer": key.get(options)}
    to = made.pop("to")
    thief = world.browser()
    sign_in(thief)
    thief.get("/sign-in/confirm?next=/account")
    foreign = dict(form_of(thief)[1])
    assert thief.post(to, {**made, "form_key": foreign["form_key"]}).status == 400, "another browser's journey"
    assert thief.post(to, {**made, "form_key": foreign["form_key"], "flow": foreign["flow"]}).status == 422
    at_sign_in = world.browser()
    at_sign_in.get("/sign-in?next=/account")
    moved = {**made, "challenge": form_of(at_sign_in)[1]["challenge"]}
    assert browser.post(to, moved).status == 422, "a challenge of another purpose"
    assert browser.post(to, made).status == 200, "none of this used the real one up"


def test_security_15_a_challenge_ends_with_the_time_of_its_journey(world: World) -> None:
    _, key = with_key(world)
    other = world.browser()
    other.get("/sign-in?next=/account")
    with freeze_time(clock.now() + timedelta(minutes=9, seconds=59)):
        assert answer(other, key).status == 200
    other = world.browser()
    other.get("/sign-in?next=/account")
    with freeze_time(clock.now() + timedelta(minutes=10, seconds=1)):
        assert answer(other, key).status == 400


def test_security_33_an_answer_made_elsewhere_or_for_somebody_else_is_refused(world: World) -> None:
    _, key = with_key(world)
    other = world.browser()
    other.get("/sign-in?next=/account")
    wes = world.ids()["wes"].encode()
    for lie, handle in (("origin", None), ("frame", None), ("handle", wes), ("signature", None)):
        options, fields = form_of(other)
        liar = copy.copy(key)
        if lie == "origin":
            liar.origin = "http://localhost.evil.example:8000"
        elif lie == "frame":
            liar.cross_origin = True
        elif lie == "signature":
            liar.key = Authenticator(key.origin).key
        other.post(fields.pop("to"), {**fields, "answer": liar.get(options, handle=handle)})
        assert other.status == 422, lie
        assert "That passkey did not work" in other.text
        assert other.cookie("session") is None
    assert answer(other, key).status == 200, "the honest one still works"


def test_security_28_another_accounts_passkey_confirms_nothing(world: World) -> None:
    _, anas = with_key(world)
    wes = world.browser()
    sign_in(wes, "wes.kane")
    wes.submit("Confirm", code=code_now())
    enroll(wes, Authenticator(world.settings.issuer), "Wes's own")
    wes.get("/sign-in/confirm?next=/account")
    answer(wes, anas)
    refused(world, wes, "another_accounts_passkey")


def test_security_15_a_counter_that_goes_back_is_refused_and_its_owner_told(world: World) -> None:
    browser, key = with_key(world)
    browser.get("/sign-in/confirm?next=/account")
    assert answer(browser, key).status == 200
    key.counter = 0
    browser.get("/sign-in/confirm?next=/account")
    answer(browser, key)
    refused(world, browser, "counter_went_back")
    assert world.mails()[-1] == "passkey_copied"
    key.counter = 7
    assert answer(browser, key).status == 200


def test_a_synced_passkey_that_does_not_count_goes_on_working(world: World) -> None:
    browser, key = with_key(world, counter=None)
    for _ in range(2):
        browser.get("/sign-in/confirm?next=/account")
        assert answer(browser, key).status == 200


def test_security_26_adding_a_passkey_needs_our_own_page(world: World) -> None:
    browser, key = world.browser(), Authenticator(world.settings.issuer)
    sign_in(browser)
    browser.get(HOME)
    options, fields = form_of(browser, "create")
    to = fields.pop("to")
    said = {**fields, "answer": key.create(options), "name": "Mine"}
    assert browser.post(to, said, origin="https://evil.example").status == 403
    assert browser.post(to, {**said, "form_key": "x"}).status == 403
    assert world.count("passkey") == 0
    assert browser.post(to, said).status == 200


def test_security_24_a_stale_or_weak_session_adds_no_passkey(world: World) -> None:
    browser, key = world.browser(), Authenticator(world.settings.issuer)
    sign_in(browser)
    with freeze_time(clock.now() + timedelta(minutes=10)):
        assert browser.get(HOME).path == "/sign-in"
    thief = world.browser()
    sign_in(thief, "wes.kane")  # the password alone, where a second step is set up
    assert thief.get(HOME).path == "/sign-in/confirm"
    assert world.count("passkey") == 0
    del key


def test_one_key_is_not_kept_twice(world: World) -> None:
    browser, key = with_key(world)
    assert enroll(browser, key).status == 409
    wes = world.browser()
    sign_in(wes, "wes.kane")
    wes.submit("Confirm", code=code_now())
    assert enroll(wes, key).status == 409
    assert world.count("passkey") == 1


def test_a_bent_answer_is_a_refusal_and_no_fault(world: World) -> None:
    browser, key = with_key(world)
    real = json.dumps({**json.loads(key.get('{"challenge": "AAAA"}')), "response": {"clientDataJSON": "e30"}})
    browser.get("/sign-in/confirm?next=/account")
    bent = ["", "null", "[]", "{", '{"rawId": 7}', '{"rawId": "AAAA"}', "[" * 9000, "x" * 20000, real]
    for said in bent:
        _, fields = form_of(browser)
        assert browser.post(fields.pop("to"), {**fields, "answer": said}).status == 422, said[:40]
    browser.get("/sign-in/enroll?next=/account/second-step")
    for said in bent:
        _, fields = form_of(browser, "create")
        assert browser.post(fields.pop("to"), {**fields, "answer": said}).status == 422, said[:40]


def test_security_15_second_steps_are_renamed_and_removed_by_their_owner_and_the_last_one_stays(world: World) -> None:
    browser, _ = with_key(world)
    [mine] = re.findall(r"/account/second-step/(fac_\w+)", browser.get("/account/second-step").response.text)
    browser.get(f"/account/second-step/{mine}")
    assert "only second step" in browser.text
    key = browser.form_key()
    assert browser.post(f"/account/second-step/{mine}/remove", {"form_key": key}).status == 409
    assert browser.post(f"/account/second-step/{mine}/name", {"form_key": key, "name": " "}).status == 422
    assert "Desk key" in browser.post(f"/account/second-step/{mine}/name", {"form_key": key, "name": "Desk key"}).text
    enroll(browser, Authenticator(world.settings.issuer), "Second")
    stranger = world.browser()
    sign_in(stranger, "wes.kane")
    stranger.submit("Confirm", code=code_now())
    own = stranger.get("/account/second-step").page.forms[0].fields
    assert stranger.post(f"/account/second-step/{mine}/remove", dict(own)).status == 404
    browser.get(f"/account/second-step/{mine}")
    browser.submit("Remove Desk key")
    assert "Desk key" not in browser.text
    assert world.mails().count("factor_removed") == 2
