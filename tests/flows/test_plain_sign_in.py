"""The plain sign-in in the lane does what the pages' lane does, and leaves it what is not plain."""

from typing import Any

import pytest
from sqlalchemy import text

from idp.accounts import local_logins, login, passwords, plain_login
from idp.accounts.opening import Browser
from idp.audit import log
from idp.database import transaction
from tests.sign_in_world import PASSWORD, World, sign_in

SESSION = (
    "SELECT account_id, login_id, partner_id, acr, amr, factor_time, channel, expires_at - last_seen_at FROM session"
)
RECORD = "SELECT event, outcome, account_id, reason FROM audit_record WHERE seq > {} ORDER BY seq"


@pytest.fixture
def lanes(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Count which lane opened a session."""
    taken = {"lane": 0, "pages": 0}
    plain, pages = plain_login.opening, login.after_password

    def opening(*given: Any, **more: Any) -> Any:
        taken["lane"] += 1
        return plain(*given, **more)

    def after(*given: Any, **more: Any) -> Any:
        taken["pages"] += 1
        return pages(*given, **more)

    monkeypatch.setattr(plain_login, "opening", opening)
    monkeypatch.setattr(login, "after_password", after)
    return taken


def rows(world: World, statement: str) -> list[tuple[Any, ...]]:
    with transaction(world.database) as db:
        return [tuple(row) for row in db.execute(text(statement)).all()]


def test_both_lanes_write_the_same(world: World, lanes: dict[str, int]) -> None:
    for name, known in (("ana.ruiz", 1), ("wes.kane", 0)):
        [(start,)] = rows(world, "SELECT max(seq) FROM audit_record")
        sign_in(world.browser(), name)
        [by_lane] = rows(world, SESSION)
        said = rows(world, RECORD.format(start))
        assert world.count("known_device") == known, "a password alone makes a device known only without a second step"
        assert world.count("throttle") == 0
        assert world.count("login", "last_used_at IS NOT NULL") == 1
        with transaction(world.database) as db:
            for table in ("session", "known_device", "device"):
                db.execute(text(f"DELETE FROM {table}"))
            db.execute(text("UPDATE login SET last_used_at = NULL"))
        [(start,)] = rows(world, "SELECT max(seq) FROM audit_record")
        login.by_password(world.database, user_name=name, password=PASSWORD, browser=Browser())
        [by_pages] = rows(world, SESSION)
        assert by_lane == by_pages
        assert said == rows(world, RECORD.format(start))
        with transaction(world.database) as db:
            for table in ("session", "known_device", "device"):
                db.execute(text(f"DELETE FROM {table}"))
            db.execute(text("UPDATE login SET last_used_at = NULL"))
    assert lanes == {"lane": 2, "pages": 2}


def test_what_is_not_plain_is_left_to_the_pages(world: World, lanes: dict[str, int]) -> None:
    browser = sign_in(world.browser())
    browser.get("/sign-in?other=true").submit("Continue", username="wes.kane").submit("Sign in", password=PASSWORD)
    assert lanes == {"lane": 1, "pages": 1}, "somebody was signed in on this browser"
    assert world.count("session", "ended_at IS NULL") == 1
    with transaction(world.database) as db:
        db.execute(text("UPDATE account SET status = 'suspended'"))
    held = sign_in(world.browser())
    assert held.status == 403
    assert lanes == {"lane": 1, "pages": 2}
    wrong = sign_in(world.browser(), password="wrong")
    assert wrong.status == 401
    nobody = sign_in(world.browser(), "nobody", "wrong")
    assert (nobody.status, nobody.path) == (401, wrong.path)
    assert lanes == {"lane": 1, "pages": 2}, "what is only wrong is refused in the lane"
    assert world.reasons("accounts.login.refused")[-3:] == ["account_inactive", "wrong_password", "wrong_password"]
    assert world.count("throttle") == 2


@pytest.mark.parametrize("name", ["ana.ruiz", "nobody"])
def test_security_7_both_lanes_refuse_a_wrong_password_alike(world: World, name: str) -> None:
    seen = []
    for by_lane in (True, False):
        [(start,)] = rows(world, "SELECT max(seq) FROM audit_record")
        if by_lane:
            browser = sign_in(world.browser(), name, "wrong")
            assert browser.status == 401
            assert "don't match" in browser.text
        else:
            with pytest.raises(login.WrongPassword):
                login.by_password(world.database, user_name=name, password="wrong", browser=Browser())
        seen.append((rows(world, RECORD.format(start)), world.count("throttle"), world.count("session")))
    assert seen[0] == seen[1]


def test_security_9_the_form_cannot_name_another_person_than_the_journey(world: World, lanes: dict[str, int]) -> None:
    browser = world.browser().get("/sign-in?next=/account").submit("Continue", username="nobody")
    sent = {"form_key": browser.form_key(), "flow": browser.flow()}
    browser.post("/sign-in/password", {**sent, "user_name": "ana.ruiz", "password": PASSWORD})
    assert browser.status == 401
    assert world.count("session") == 0
    assert lanes["lane"] == 0


def test_security_7_the_plain_way_counts_each_try_before_it_is_evaluated(world: World) -> None:
    statuses = [sign_in(world.browser(), password="wrong").status for _ in range(6)]
    assert statuses == [401] * 5 + [429]
    assert sign_in(world.browser()).status == 429, "the right password is not evaluated either"
    assert world.count("session") == 0


def test_a_login_that_ended_while_the_password_was_hashed_opens_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from idp.accounts import passwords

    verify = passwords.verify

    def slow(*given: Any) -> Any:
        found = verify(*given)
        with transaction(world.database) as db:
            db.execute(text("UPDATE login SET ended_at = 1 WHERE upstream_id IS NULL"))
        return found

    monkeypatch.setattr(passwords, "verify", slow)
    assert sign_in(world.browser()).status == 401
    assert world.count("session") == 0
    assert world.reasons("accounts.login.refused") == ["login_removed"]


def test_a_record_of_the_lane_can_be_done_again_and_makes_the_person_s_key(world: World) -> None:
    """A group that fails is done again, item by item: what an item writes must not be used up by the first try."""
    from idp import clock
    from idp.audit.events import Event
    from idp.audit.log import StoredKey
    from idp.database.lane import Append

    event = Event("accounts.login.succeeded", account="acc_nobody")
    for stored in (None, StoredKey(None)):
        recorded = log.person_record(world.database, event, clock.now(), stored)
        for _ in range(2):
            work, answer = recorded(), None
            step = next(work)
            while not isinstance(step, Append):
                assert isinstance(step, tuple)
                with transaction(world.database) as db:
                    named = {f"p{n}": value for n, value in enumerate(step[1], start=1)}
                    result = db.execute(text(step[0].named), named)
                    answer = list(result.all()) if result.returns_rows else []
                step = work.send(answer)
            assert (b'"personal_of"' in step.row[15]) is False, "nobody's address was known here"
    assert world.count("subject_key", "account_id = 'acc_nobody' AND key IS NOT NULL") == 1


@pytest.mark.parametrize("known", [False, True])
def test_security_6_a_password_changed_while_it_is_hashed_opens_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    """A change ends every session; one that began with the old password must not begin after it."""
    browser = world.browser()
    if known:  # somebody is signed in here: the pages' lane
        sign_in(browser)
        browser.get("/sign-in?other=true").submit("Continue", username="ana.ruiz")
    else:
        browser.get("/sign-in").submit("Continue", username="ana.ruiz")
    verify = passwords.verify

    def changed_meanwhile(*given: Any) -> Any:
        found = verify(*given)
        better = passwords.hashed(world.database.ring, "another good pass phrase")
        with transaction(world.database) as db:
            local_logins.change_password(db, world.ids()["ana"], better, keep_session=None)
        return found

    monkeypatch.setattr(passwords, "verify", changed_meanwhile)
    browser.submit("Sign in", password=PASSWORD)
    assert browser.status == 401
    assert world.count("session", "ended_at IS NULL") == 0


def test_domain_9_a_remembered_second_step_counts_in_the_lane_until_it_is_forgotten(
    world: World, lanes: dict[str, int]
) -> None:
    from datetime import timedelta

    from idp import clock
    from idp.accounts import devices

    browser = sign_in(world.browser())
    until = clock.now() + timedelta(hours=1)
    with transaction(world.database) as db:
        [(account, device)] = db.execute(text("SELECT account_id, device_id FROM known_device")).all()
        devices.remember(db, account, device, until=until, used=clock.now())
    for remembered in (True, False):
        browser.cookies["localhost:8000"].pop("idp_8000_session")
        sign_in(browser)
        newest = "ORDER BY auth_time DESC LIMIT 1"
        [(acr, amr, ends, factor)] = rows(world, f"SELECT acr, amr, expires_at, factor_time FROM session {newest}")
        assert (acr.rpartition("/")[2], factor is not None) == (("2", True) if remembered else ("1", False))
        assert ("mfa" in amr) is remembered
        assert (ends == clock.micros(until)) is remembered, "the strength of an earlier session ends with it"
        with transaction(world.database) as db:
            devices.ask_again(db, account)
    assert lanes == {"lane": 3, "pages": 0}


def test_security_20_a_session_that_outlived_its_persons_suspension_opens_no_page(world: World) -> None:
    """A sign-in committed in the same moment as the suspension is not among the sessions that ended with it."""
    browser = sign_in(world.browser())
    assert browser.get("/account").response.url.path == "/account"
    with transaction(world.database) as db:
        db.execute(text("UPDATE account SET status = 'suspended'"))
    assert browser.get("/account").status == 401
    assert "on hold" in browser.text
