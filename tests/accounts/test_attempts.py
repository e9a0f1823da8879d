"""Guessing is slow and bounded; nobody can be locked out."""

import threading
from datetime import timedelta

import pytest
from freezegun import freeze_time
from sqlalchemy import text

from idp import clock
from idp.accounts import attempts, devices, login, opening, passwords, second_factor, stepping_up
from idp.configuration import Configuration, ConfigurationRow, Passwords
from idp.database import Database, transaction
from idp.errors import TooMany
from tests.sign_in_world import PASSWORD, TOTP, World, code_now, sign_in

HERE = opening.Browser()


def guess(world: World, name: str = "ana.ruiz", browser: opening.Browser = HERE, password: str = "wrong") -> str:
    try:
        login.by_password(world.database, user_name=name, password=password, browser=browser)
    except (login.WrongPassword, TooMany) as refused:
        return type(refused).__name__
    return "in"


@pytest.fixture
def evaluated(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was evaluated, without the work of hashing."""
    seen: list[str] = []

    def verify(database: Database, password: str, stored: str | None, limits: Passwords) -> tuple[bool, None]:
        seen.append(password)
        return password == PASSWORD and stored is not None, None

    monkeypatch.setattr(passwords, "verify", verify)
    return seen


def test_security_7_delays_grow_after_the_first_failures(world: World, evaluated: list[str]) -> None:
    with freeze_time(clock.now()) as time:
        assert [guess(world) for _ in range(6)] == ["WrongPassword"] * 5 + ["Throttled"]
        for wait in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900):
            time.tick(timedelta(seconds=wait - 1))
            assert guess(world) == "Throttled", wait
            time.tick(timedelta(seconds=1))
            assert guess(world) == "WrongPassword", wait


@pytest.mark.parametrize("name", ["ana.ruiz", "nobody.here"])
def test_security_7_at_most_a_hundred_failures_are_ever_evaluated(
    world: World, evaluated: list[str], name: str
) -> None:
    with freeze_time(clock.now()) as time:
        for _ in range(130):
            guess(world, name)
            time.tick(timedelta(minutes=16))
        assert len(evaluated) == 100
        assert guess(world, name, password=PASSWORD) == "Throttled"


def test_security_8_the_owner_gets_in_on_a_known_device_while_strangers_are_closed_out(
    world: World, evaluated: list[str]
) -> None:
    known = login.by_password(world.database, user_name="ana.ruiz", password=PASSWORD, browser=HERE)
    mine = opening.Browser(device_secret=known.device_secret)
    with freeze_time(clock.now()) as time:
        for _ in range(110):
            guess(world)
            time.tick(timedelta(minutes=16))
        assert guess(world, password=PASSWORD) == "Throttled"
        assert guess(world, browser=mine, password=PASSWORD) == "in"
        assert guess(world, password=PASSWORD) == "Throttled"


def test_security_7_a_known_device_has_a_limit_of_its_own(world: World, evaluated: list[str]) -> None:
    known = login.by_password(world.database, user_name="ana.ruiz", password=PASSWORD, browser=HERE)
    evaluated.clear()
    with freeze_time(clock.now()) as time:
        for _ in range(120):
            guess(world, browser=opening.Browser(device_secret=known.device_secret))
            time.tick(timedelta(minutes=16))
        assert len(evaluated) == 100
        assert guess(world, password=PASSWORD) == "in"


def test_security_8_a_right_password_alone_does_not_make_a_device_known_where_a_second_step_follows(
    world: World, evaluated: list[str]
) -> None:
    signed = login.by_password(world.database, user_name="wes.kane", password=PASSWORD, browser=HERE)
    with transaction(world.database) as db:
        assert devices.known_to(db, signed.account.id) == []
    browser = opening.Browser(device_secret=signed.device_secret)
    stepping_up.by_code(
        world.database,
        account_id=signed.account.id,
        session_id=signed.session.id,
        code=code_now(TOTP),
        browser=browser,
    )
    with transaction(world.database) as db:
        assert len(devices.known_to(db, signed.account.id)) == 1


def test_security_7_a_success_forgets_the_failures(world: World, evaluated: list[str]) -> None:
    for _ in range(3):
        for _ in range(4):
            assert guess(world) == "WrongPassword"
        assert guess(world, password=PASSWORD) == "in"


def test_security_7_tries_at_the_same_moment_are_all_counted(world: World) -> None:
    with transaction(world.database) as db:
        rules = Configuration(passwords=Passwords(max_failures=20, delays_after=1000))
        db.merge(ConfigurationRow(id=1, body=rules.model_dump_json()))
    allowed: list[int] = []

    def knock() -> None:
        for _ in range(5):
            try:
                with transaction(world.database) as db:
                    attempts.count(db, "password/acc_x")
                allowed.append(1)
            except TooMany:
                pass

    threads = [threading.Thread(target=knock) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(allowed) == 20


def test_security_7_codes_are_counted_too(world: World) -> None:
    browser = sign_in(world.browser(), "wes.kane")
    answers = []
    for _ in range(7):
        browser.submit("Confirm", code="000000" if code_now() != "000000" else "000001")
        answers.append(browser.status)
    assert answers == [422] * 5 + [429] * 2
    assert browser.response.headers["retry-after"]
    browser.submit("Confirm", code=code_now())
    assert browser.status == 429


def test_security_9_known_and_unknown_people_get_the_same_answers(world: World) -> None:
    seen = {}
    for name in ("ana.ruiz", "nobody.here", "wes.kane"):
        browser = world.browser()
        steps = []
        browser.get("/sign-in").submit("Continue", username=name)
        with freeze_time(clock.now()):  # a slow machine's tries would come after the delay they are to meet
            for _ in range(7):
                browser.submit("Sign in", password="wrong and long enough")
                flow = browser.form("Sign in").fields
                body = browser.response.text
                for _field, value in flow:
                    body = body.replace(value, "")
                headers = sorted(k for k in browser.response.headers if k not in ("content-length", "x-request-id"))
                steps.append((browser.status, body.replace(name, ""), tuple(headers), len(browser.cookies)))
        seen[name] = steps
    assert seen["ana.ruiz"] == seen["nobody.here"] == seen["wes.kane"]
    assert [step[0] for step in seen["ana.ruiz"]] == [401] * 5 + [429] * 2


def test_security_76_a_name_nobody_has_is_not_kept_readable(world: World) -> None:
    guess(world, "my-password-by-mistake")
    with transaction(world.database) as db:
        rows = db.execute(text("SELECT key FROM throttle")).all()
        leaves = db.execute(text("SELECT leaf FROM audit_record")).all()
    assert all("mistake" not in str(row[0]) for row in rows)
    assert all(b"mistake" not in bytes(row[0]) for row in leaves)


def test_security_8_a_stranger_with_the_password_cannot_close_the_owner_s_recovery_codes(world: World) -> None:
    with transaction(world.database) as db:
        codes = second_factor.make_recovery_codes(db, world.ids()["wes"])
    stranger = login.by_password(world.database, user_name="wes.kane", password=PASSWORD, browser=HERE)

    def code(typed: str, signed_in: opening.SignedIn) -> opening.SignedIn:
        return stepping_up.by_code(
            world.database,
            account_id=signed_in.account.id,
            session_id=signed_in.session.id,
            code=typed,
            browser=HERE,
        )

    with freeze_time(clock.now()):
        with pytest.raises(stepping_up.WrongCode):
            code("000000", stranger)
        with transaction(world.database) as db:  # ... and so on, for days
            db.execute(text("UPDATE throttle SET failures = 100 WHERE key LIKE 'code/%'"))
        with pytest.raises(TooMany):
            code(code_now(), stranger)
        for wrong in ("aaaa-bbbb-cccc-dddd", "x" * 16, "x" * 4000):
            with pytest.raises((stepping_up.WrongCode, TooMany)):
                code(wrong, stranger)
        owner = login.by_password(world.database, user_name="wes.kane", password=PASSWORD, browser=HERE)
        code(codes[0], owner)
        with pytest.raises(stepping_up.WrongCode):
            code(codes[0], owner)
