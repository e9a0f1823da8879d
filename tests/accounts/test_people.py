"""Accounts are created, put on hold, lifted and ended; what hangs on them follows in the same step."""

from collections.abc import Callable

import pytest
from sqlalchemy import text
from sqlmodel import Session

from idp.accounts import linking, login, opening, people, sessions
from idp.audit import log
from idp.database import Database, transaction
from idp.errors import Conflict, Invalid
from tests.sign_in_world import PASSWORD, World, link_ana, sign_in

HERE = opening.Browser()


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        (" Ana.Ruiz@Example.COM ", "ana.ruiz@example.com"),
        ("\uff41na@example.com", "ana@example.com"),
        ("ana@m\u00fcller.example", "ana@xn--mller-kva.example"),
    ],
)
def test_security_39_an_address_has_one_form(typed: str, kept: str) -> None:
    assert people.normalised_email(typed) == kept


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "ana",
        "@example.com",
        "ana@",
        "ana@localhost",
        "a b@example.com",
        "a@b@example.com",
        "a\n@example.com",
        "a,b@example.com",
        "x" * 250 + "@example.com",
        "ana@.example..com",
    ],
)
def test_bad_addresses_are_refused_clearly(typed: str) -> None:
    with pytest.raises(Invalid):
        people.normalised_email(typed)


def test_the_same_address_twice_is_one(database: Database) -> None:
    with transaction(database) as db:
        account = people.create(db, display_name="  Ana   Ruiz ", emails=["ana@example.com", "ANA@example.com"])
        assert account.display_name == "Ana Ruiz"
        assert len(people.contacts(db, account.id)) == 1
    for name in ("", " ", "x" * 201, "Ana\x00"):
        with pytest.raises(Invalid), transaction(database) as db:
            people.create(db, display_name=name)


def test_security_21_a_hold_ends_sessions_now_and_keeps_the_person_out_until_it_is_lifted(world: World) -> None:
    browser = sign_in(world.browser())
    account_id = world.ids()["ana"]
    with transaction(world.database) as db:
        before = db.execute(text("SELECT authz_epoch FROM account_version WHERE account_id = :a"), {"a": account_id})
        epoch = before.scalar_one()
        people.suspend(db, account_id, because="misuse", by="operator")
    assert browser.get("/account").status == 401
    assert "Your account is on hold" in browser.text, (
        "who held this session is told what would be told at the next sign-in"
    )
    with transaction(world.database) as db:
        after = db.execute(text("SELECT authz_epoch FROM account_version WHERE account_id = :a"), {"a": account_id})
        assert after.scalar_one() == epoch + 1
        kinds = [row[0] for row in db.execute(text("SELECT kind FROM revocation ORDER BY seq"))]
    assert [kind for kind in kinds if kind != "credential_changed"] == ["session_ended", "account_ended"]
    with pytest.raises(opening.OnHold, match="on hold"):
        login.by_password(world.database, user_name="ana.ruiz", password=PASSWORD, browser=HERE)
    with pytest.raises(login.WrongPassword):  # only the right password learns of the hold
        login.by_password(world.database, user_name="ana.ruiz", password="wrong", browser=HERE)
    with transaction(world.database) as db:
        people.reinstate(db, account_id, because="cleared", by="operator")
    assert login.by_password(world.database, user_name="ana.ruiz", password=PASSWORD, browser=HERE)
    assert {"account_suspended", "account_reinstated"} <= set(world.mails())


def test_t_17_ceasing_is_final_and_ends_sessions(world: World) -> None:
    browser = sign_in(world.browser())
    account_id = world.ids()["ana"]
    with transaction(world.database) as db:
        people.cease(db, account_id, because="left", by="operator")
        people.cease(db, account_id, because="left", by="operator")
    assert browser.get("/account").status == 401
    assert "Your access ended" in browser.text
    assert world.events("accounts.account.ceased") == 1
    for act in (people.suspend, people.reinstate):
        with pytest.raises(Conflict), transaction(world.database) as db:
            act(db, account_id, because="x", by="operator")


def test_security_73_no_change_without_its_record(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError("no space left")

    account_id = world.ids()["ana"]
    monkeypatch.setattr(log, "record", full)
    for act in (
        lambda db: people.suspend(db, account_id, because="x", by="operator"),
        lambda db: linking.link(db, account_id, upstream_id="u", issuer="https://i.example", subject="s"),
        lambda db: sessions.end_all(db, account_id, because="x"),
    ):
        with pytest.raises(OSError, match="space"):
            _in_one_step(world, account_id, act)
    assert world.count("account", "status = 'suspended'") == 0
    assert world.count("login", "subject = 's'") == 0
    assert world.count("session") == 0


def _in_one_step(world: World, account_id: str, act: Callable[[Session], object]) -> None:
    with transaction(world.database) as db:
        login_id = linking.logins(db, account_id)[0].id
        sessions.open_session(db, account_id=account_id, login_id=login_id, acr="", amr=[])
        act(db)


def test_invariant_1_one_login_belongs_to_at_most_one_account(world: World) -> None:
    link_ana(world)
    with pytest.raises(Conflict), transaction(world.database) as db:
        linking.link(db, world.ids()["wes"], upstream_id="ups_evergreen", issuer=world.evergreen.issuer, subject="ev-1")
    assert world.count("login", "subject = 'ev-1'") == 1


def test_ru9_a_later_sign_in_explains_that_access_ended(world: World) -> None:
    with transaction(world.database) as db:
        people.cease(db, world.ids()["ana"], because="left", by="operator")
    browser = sign_in(world.browser())
    assert browser.status == 403
    assert "Your access ended" in browser.text
    assert world.count("session", "ended_at IS NULL") == 0
