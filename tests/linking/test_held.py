"""A login that went over to somebody else, the strength of a login, and what an organization sends us."""

import pytest
from sqlalchemy import text

from idp.accounts import moved
from idp.accounts.tables import Session
from idp.database import transaction
from tests.linking.people import login_of
from tests.sign_in_world import World, link_ana, sign_in

ANA = {"name": "Ana Ruiz", "email": "a.ruiz@evergreen.example"}


@pytest.mark.parametrize(
    ("now", "another"),
    [
        ({"name": "Ana Ruiz-Bell", "email": "a.bell@evergreen.example"}, False),
        ({"name": "Ána RUIZ", "email": "new@evergreen.example"}, False),
        ({"name": "Bob Stone", "email": "a.ruiz@evergreen.example"}, False),
        ({"name": "Bob Stone"}, False),
        ({"email": "b.stone@evergreen.example"}, False),
        ({}, False),
        ({"name": "", "email": ""}, False),
        ({"name": "Bob Stone", "email": "b.stone@evergreen.example"}, True),
        ({"name": "Dr. Bob Stone", "email": "A.STONE@evergreen.example"}, True),
    ],
)
def test_only_a_new_name_and_a_new_address_at_once_are_another_person(now: dict, another: bool) -> None:
    assert moved.seems_another(ANA, now) is another
    assert not moved.seems_another(None, now)


def moved_on(world: World) -> None:
    link_ana(world)
    world.evergreen.person |= ANA
    world.browser().get("/login/ups_evergreen")
    world.evergreen.person |= {"name": "Bob Stone", "email": "b.stone@evergreen.example"}


def test_a_login_given_to_another_person_there_is_refused_and_what_it_opened_ends(world: World) -> None:
    link_ana(world)
    world.evergreen.person |= ANA
    first = world.browser().get("/login/ups_evergreen")
    world.evergreen.person |= {"name": "Bob Stone", "email": "b.stone@evergreen.example"}
    browser = world.browser().get("/login/ups_evergreen")
    assert browser.status == 403
    assert "can't tell whose login" in browser.text
    assert "Ana" not in browser.text
    assert first.get("/account").path == "/sign-in"
    world.evergreen.person |= ANA
    assert world.browser().get("/login/ups_evergreen").status == 403  # held until resolved, not until it looks right
    assert world.events("accounts.login.held") == 1
    assert world.mails().count("login_held") == 2


def test_the_owner_signed_in_another_way_says_that_it_is_still_theirs(world: World) -> None:
    moved_on(world)
    world.browser().get("/login/ups_evergreen")
    browser = sign_in(world.browser()).get("/account/logins")
    assert "Evergreen Billing is paused" in browser.text
    browser.submit("It is still mine")
    assert browser.path == "/account/logins"
    assert world.browser().get("/login/ups_evergreen").path == "/account"
    assert world.events("accounts.login.released") == 1


def test_security_62_nobody_releases_another_persons_login(world: World) -> None:
    moved_on(world)
    world.browser().get("/login/ups_evergreen")
    held = login_of(world, "ev-1").id
    from tests.sign_in_world import code_now

    wes = sign_in(world.browser(), "wes.kane").submit("Confirm", code=code_now())
    wes.post(f"/account/logins/{held}/still-mine", {"form_key": wes.get("/account/logins").form_key()})
    assert wes.status == 404


def test_security_36_a_login_never_counts_for_more_than_the_sign_in_that_added_it(world: World) -> None:
    world.evergreen.claims["acr"] = "mfa"
    sign_in(world.browser()).get("/account/logins").click("Evergreen Billing").submit("Add this login")
    world.browser().get("/login/ups_evergreen")
    with transaction(world.database) as db:
        from sqlmodel import select

        born = [one for one in db.exec(select(Session)).all() if one.partner_id]
    assert [one.acr for one in born] == ["http://idmanagement.gov/ns/assurance/aal/1"]
    assert born[0].factor_time is None


def test_invariant_1_one_account_takes_several_logins_of_one_organization(world: World) -> None:
    link_ana(world)
    world.evergreen.person = {"sub": "ev-2", **ANA}
    browser = sign_in(world.browser()).get("/account/logins").click("Evergreen Billing another one")
    assert world.evergreen.asked[-1]["prompt"] == "select_account"
    browser.submit("Add this login")
    assert world.count("login", "upstream_id = 'ups_evergreen' AND ended_at IS NULL") == 2


def test_t_28_facts_are_shown_to_their_person_and_what_is_not_kept_is_named_in_the_log(world: World) -> None:
    link_ana(world)
    world.evergreen.person |= ANA | {"birthdate": "1980-01-01", "phone_number": "555", "ssn": "078-05-1120"}
    world.browser().get("/login/ups_evergreen")
    browser = sign_in(world.browser()).get("/account/logins")
    assert "name: Ana Ruiz" in browser.text
    assert "a...@evergreen.example" in browser.text
    assert "1980" not in browser.text
    with transaction(world.database) as db:
        written = b"".join(bytes(row[0]) for row in db.execute(text("SELECT leaf FROM audit_record")))
    assert written.count(b"birthdate") == 1
    assert b"1980-01" not in written
    assert b"078-05" not in written
    assert "birthdate" not in (login_of(world, "ev-1").facts or {})
