"""RU-8 in the hands of strangers: nothing is learned, nobody is locked out, guessing ends."""

import re
from datetime import timedelta

from freezegun import freeze_time

from idp import clock
from idp.accounts import recovery, recovery_mail, vouching
from idp.database import transaction
from tests.flows.recovering import mailed, saved, started, with_mail
from tests.sign_in_world import World, code_now, sign_in

__all__ = ["saved"]


def test_security_9_every_answer_is_the_same_for_a_name_nobody_has(world: World, saved: list[str]) -> None:
    del saved

    def told(name: str) -> list[tuple[int, str, list[str]]]:
        browser = started(world, name)
        seen = []

        def keep() -> None:
            names = sorted(browser.cookies[browser.home.partition("://")[2]])
            seen.append((browser.status, re.sub(r"rec_\w+", "rec", browser.text), names))

        keep()
        browser.submit("Mail me a code")
        keep()
        browser.submit("Use this mailed code", mailed="12345678")
        keep()
        browser.submit("Use this recovery code", saved="abcdefghijklmnop")
        keep()
        return seen

    known, unknown, address = told("ana.ruiz"), told("nobody.at.all"), told("nobody@nowhere.example")
    assert known == unknown == address
    mailed(world)
    assert world.mails().count("recovery_code") == 2, "a job writes the mail, the answer waits for none"


def test_security_9_asking_costs_the_same_statements_for_everybody(world: World, saved: list[str]) -> None:
    del saved
    from sqlalchemy import event

    def statements(name: str) -> list[str]:
        browser, seen = started(world, name), []

        def heard(_c: object, _cur: object, sql: str, *_more: object) -> None:
            if "session" not in sql.split("WHERE", maxsplit=1)[0]:
                seen.append(sql)

        event.listen(world.database.engine, "before_cursor_execute", heard)
        browser.submit("Mail me a code")
        browser.submit("Use this mailed code", mailed="12345678")
        event.remove(world.database.engine, "before_cursor_execute", heard)
        return [one for one in seen if "audit" not in one and "subject_key" not in one]

    assert statements("ana.ruiz") == statements("nobody.at.all")


def test_security_7_ten_tries_end_an_attempt_and_nobody_elses(world: World, saved: list[str]) -> None:
    browser = started(world)
    for _ in range(recovery.MOST_TRIES):
        assert browser.submit("Use this recovery code", saved="wrong").status == 422
    fields = dict(next(f.fields for f in browser.page.forms if f.action == "/recover/proof/saved"))
    assert browser.post("/recover/proof/saved", {**fields, "saved": saved[0]}).status == 400
    owner = started(world)
    assert owner.submit("Use this recovery code", saved=saved[0]).status == 200, "a stranger locked nobody out"


def test_security_7_a_stranger_never_reaches_the_app_codes_tries(world: World, saved: list[str]) -> None:
    browser = started(world)
    fields = dict(next(f.fields for f in browser.page.forms if f.action == "/recover/proof/saved"))
    assert browser.post("/recover/proof/factor", {**fields, "factor": code_now()}).status == 400
    assert world.count("throttle") == 0
    browser.get(f"/recover/proof?attempt={fields['attempt']}")
    browser.submit("Use this recovery code", saved=saved[0])
    assert browser.submit("Use this app code", factor="000000").status == 422
    assert world.count("throttle") == 1


def test_security_8_an_hour_of_foreign_mails_never_keeps_the_owners_own_device_waiting(
    world: World, saved: list[str]
) -> None:
    del saved
    own = world.browser()
    sign_in(own)
    own.get("/sign-in/confirm?next=/account")
    own.submit("Confirm", code=code_now())
    for _ in range(recovery_mail.MOST_IN_AN_HOUR + 2):
        started(world).submit("Mail me a code")
    mailed(world)
    sent = world.mails().count("recovery_code")
    assert sent == 2 * recovery_mail.MOST_IN_AN_HOUR, "two addresses each; the rest is not sent"
    own.get("/recover")
    own.submit("Continue", username="ana.ruiz").submit("Mail me a code")
    assert own.submit("Use this mailed code", mailed=mailed(world)).status == 200


def test_security_11_who_comes_to_the_same_computer_a_day_later_does_not_end_what_another_began(
    world: World, saved: list[str]
) -> None:
    del saved
    browser = with_mail(world).submit("Ask my access managers")
    began = clock.now()
    with transaction(world.database) as db:
        vouching.vouch(db, world.ids()["ana"], "prv_lakeside", by=world.ids()["wes"])
    with freeze_time(began + timedelta(minutes=59)):
        assert browser.get(browser.url).path == "/recover/proof"
    with freeze_time(began + timedelta(hours=25)):
        for where in ("proof", "finish"):
            browser.get(browser.url.replace("/proof", f"/{where}"))
            assert browser.status == 400, "both proofs stand, but nobody knows who sits there now"
        again = with_mail(world).submit("I spoke to my access manager")
        assert again.path == "/recover/finish", "with a proof of today the word counts"
