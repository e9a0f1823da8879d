"""Where each way of registering is open (T-20 to T-24), and the first access manager's claim (W-1)."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from freezegun import freeze_time
from sqlmodel import select

from idp import clock, configuration
from idp.configuration import Configuration, ConfigurationRow
from idp.database import transaction
from idp.errors import NotFound, Refused
from idp.oauth import clients
from idp.provisioning import people as provisioned
from idp.registration import first_manager, starting
from idp.registration.tables import FirstManagerClaim
from idp.signals import epochs
from tests.flows.registering import (
    HARBOR,
    TIN,
    UNKNOWN,
    WORKS,
    account_of,
    code_for,
    harbor,
    manager,
    open_application,
    registered,
    second_manager,
    to_the_end,
    world,
)
from tests.flows.test_from_an_app_and_back import ask, landed
from tests.sign_in_world import PASSWORD, World, sign_in

__all__ = ["harbor", "world"]


def settle(world: World, **registration: object) -> None:
    """Apply registration settings."""
    with transaction(world.database) as db:
        row = db.get(ConfigurationRow, 1) or ConfigurationRow(id=1)
        row.body = Configuration.model_validate({"registration": registration}).model_dump_json(exclude_defaults=True)
        db.add(row)
        db.flush()
        configuration.changed(db)
        epochs.changed_policy(db)


def test_t20_a_way_that_is_closed_is_not_offered_and_not_taken(harbor: World) -> None:
    browser = harbor.browser().get("/register")
    stale = harbor.browser().get("/register")
    going = harbor.browser().get("/register").submit("Continue", way="new")
    settle(harbor, routes=["affiliate"])
    stale.submit("Continue", way="new")
    assert stale.status == 422
    going.submit("Continue", tins=TIN)
    assert going.status == 403, "closing holds for who is on the way, too"
    browser.get("/register")
    assert "user name and password" not in browser.text
    settle(harbor, routes=[])
    assert "Registering by yourself is not open here" in browser.get("/register").text
    assert harbor.count("account") == 2


def test_t24_one_organizations_login_and_one_practice_can_be_closed_alone(harbor: World) -> None:
    settle(harbor, closed={"ptr_evergreen": ["third_party"], HARBOR: ["new"]})
    browser = harbor.browser().get("/register").submit("Continue", way="third_party").submit("Continue", tins=TIN)
    browser.submit("Continue", given_name="Nina", family_name="Frost", capacity="employee", clinician="no")
    browser.submit("Mail me a code", email="nina@example.com")
    browser.submit("Confirm my e-mail", code=code_for(harbor, "nina@example.com"))
    assert "Evergreen" not in browser.text
    other = harbor.browser().get("/register").submit("Continue", way="new").submit("Continue", tins=f"{TIN}\n{UNKNOWN}")
    other.submit("Continue", given_name="Omar", family_name="Diaz", **WORKS)
    other.submit("Mail me a code", email="omar@example.com")
    other.submit("Confirm my e-mail", code=code_for(harbor, "omar@example.com"))
    other.submit("Create my account", user_name="omar.diaz", password=PASSWORD)
    to_the_end(other)
    assert "This practice does not take registrations this way" in other.text
    other.submit("Send to my access manager")
    assert harbor.count("application") == 1


def test_w1_five_wrong_proofs_lock_the_claim_and_a_right_one_comes_too_late(harbor: World) -> None:
    registered(harbor, tins=UNKNOWN)
    with transaction(harbor.database) as db:
        claim = db.exec(select(FirstManagerClaim)).one()
        claim_id, account_id = claim.id, claim.account_id
    said: list[str] = []

    def attempt(right: bool) -> None:
        try:
            with transaction(harbor.database) as db:
                first_manager.attempt(
                    db, claim_id, account_id=account_id, kind="mailed_key", proof=lambda _db, _c: right
                )
                said.append("proven")
        except Refused as refusal:
            said.append(refusal.code)

    with pytest.raises(NotFound), transaction(harbor.database) as db:
        first_manager.attempt(db, claim_id, account_id="acc_other", kind="x", proof=lambda _db, _c: True)
    for _ in range(5):
        attempt(right=False)
    attempt(right=True)
    assert said == ["wrong_proof"] * 5 + ["claim_locked"]
    assert harbor.count("first_manager_claim", "status = 'locked' AND tries = 5") == 1
    assert harbor.events("registration.claim.refused") == 5
    assert harbor.events("registration.claim.locked") == 1


def test_w1_a_right_proof_is_recorded_and_waits_for_the_insurer(harbor: World) -> None:
    nina = registered(harbor, tins=UNKNOWN)
    with transaction(harbor.database) as db:
        claim = db.exec(select(FirstManagerClaim)).one()
        proven = first_manager.attempt(
            db, claim.id, account_id=claim.account_id, kind="call_back", proof=lambda _db, _c: True
        )
        assert proven.status == "proven"
    assert "You proved that you may manage access" in nina.get("/register/waiting").text
    assert harbor.count("appointment", f"account_id = '{proven.account_id}'") == 0, "proof alone appoints nobody"


def test_ru2_who_began_in_an_app_is_led_back_to_it_once_approved(harbor: World) -> None:
    with transaction(harbor.database) as db:
        for key in ("claims", "billing"):
            clients.register(
                db, client_id=key, name=key.title(), redirect_uris=["https://claims.meridian.example/callback"]
            )
    nina = ask(harbor.browser()).click("Register")
    nina.submit("Continue", way="new").submit("Continue", tins=TIN)
    nina.submit("Continue", given_name="Nina", family_name="Frost", **WORKS)
    nina.submit("Mail me a code", email="nina@example.com")
    nina.submit("Confirm my e-mail", code=code_for(harbor, "nina@example.com"))
    nina.submit("Create my account", user_name="nina.frost", password=PASSWORD)
    to_the_end(nina).submit("Send to my access manager")
    assert "Go on to" not in nina.text, "not before it is approved"
    manager(harbor).get(f"/p/{HARBOR}/inbox").click("Nina Frost").submit("Approve Nina Frost")
    nina.get("/register/waiting")
    assert [words for words, _ in nina.page.links if words.startswith("Go on to")] == ["Go on to Claims"]
    assert dict(nina.page.links)["Go on to Claims"] == "https://claims.meridian.example/"
    assert landed(ask(nina))["code"], "and there they are signed in"


def test_security_6_one_network_begins_a_bounded_number_of_registrations_an_hour(harbor: World) -> None:
    settle(harbor, starts_per_hour=2)
    hour = clock.now().replace(minute=30, second=0, microsecond=0)
    with freeze_time(hour):
        for _ in range(2):
            assert harbor.browser().get("/register").submit("Continue", way="new").path == "/register/practices"
        third = harbor.browser().get("/register").submit("Continue", way="new")
        assert third.status == 429
        assert "invite you" in third.text
        assert third.response.headers["retry-after"] == "1800"
        assert sign_in(harbor.browser()).path == "/account", "signing in is not touched"
    assert harbor.count("registration") == 2
    with freeze_time(hour + timedelta(minutes=30)):
        assert harbor.browser().get("/register").submit("Continue", way="new").path == "/register/practices"


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:aaaa::1", "2001:db8:1:2::"),
        ("testclient", "testclient"),
    ],
)
def test_security_6_a_network_is_an_ipv4_address_or_a_64_of_ipv6(address: str, network: str) -> None:
    assert starting.network(address) == network


def test_t22_somebody_with_an_account_adds_a_practice_with_it(harbor: World) -> None:
    second_manager(harbor, provider_id="prv_lakeside", line="dental")
    mia = harbor.browser().get("/register").submit("Continue", way="existing")
    assert mia.path == "/sign-in"
    mia.submit("Continue", username="mia.lund").submit("Sign in", password=PASSWORD)
    from tests.sign_in_world import code_now

    mia.submit("Confirm", code=code_now())
    assert mia.path == "/register"
    assert "signed in as Mia Lund" in mia.text
    mia.submit("Continue").submit("Continue", tins=TIN).submit("Continue", capacity="representative", clinician="no")
    assert mia.path == "/register/send"
    mia.submit("Send to my access manager")
    assert "W. K." in mia.text
    assert harbor.count("account") == 3
    home = mia.get("/account")
    assert "Waiting for an access manager" in home.text


def test_t23_with_an_affiliates_login_from_an_unknown_login_on(harbor: World) -> None:
    harbor.lakeside.person = {"sub": "ls-nina", "email": "ana@example.com", "email_verified": True}
    browser = harbor.browser().get("/login/ups_lakeside")
    assert browser.path == "/link"
    browser.submit("Continue", choice="new")
    assert "You signed in at Lakeside Health System" in browser.text
    browser.submit("Continue").submit("Continue", tins=TIN)
    browser.submit("Continue", given_name="Nina", family_name="Frost", **WORKS)
    browser.submit("Mail me a code", email="nina@example.com")
    browser.submit("Confirm my e-mail", code=code_for(harbor, "nina@example.com"))
    assert "It will open your account here" in browser.text
    browser.submit("Create my account")
    to_the_end(browser).submit("Send to my access manager")
    assert browser.path == "/register/waiting"
    assert harbor.count("login", "subject = 'ls-nina' AND ended_at IS NULL") == 1
    ana = harbor.ids()["ana"]
    assert harbor.count("login", f"account_id = '{ana}'") == 1, "never linked by e-mail"


def test_t24_with_a_third_partys_login_chosen_at_the_login_step(harbor: World) -> None:
    harbor.evergreen.person = {"sub": "ev-nina", "email": "n@evergreen.example", "email_verified": True}
    browser = harbor.browser().get("/register").submit("Continue", way="third_party").submit("Continue", tins=TIN)
    assert "My job there" not in browser.text, "their functions come from the delegation"
    browser.submit("Continue", given_name="Nina", family_name="Frost", capacity="employee", clinician="no")
    browser.submit("Mail me a code", email="nina@example.com")
    browser.submit("Confirm my e-mail", code=code_for(harbor, "nina@example.com"))
    assert "Lakeside Health System" not in browser.text, "an affiliate is another way"
    browser.click("Evergreen Billing")
    assert browser.path == "/register/login"
    browser.submit("Create my account")
    to_the_end(browser).submit("Send to my access manager")
    wes = open_application(manager(harbor))
    assert "Comes from Evergreen Billing" in wes.text
    wes.submit("Approve Nina Frost")
    account_id, _ = account_of(harbor)
    assert harbor.count("affiliation", f"account_id = '{account_id}' AND partner_id = 'ptr_evergreen'") == 1


def partner_pauses(world: World) -> None:
    world.set_partner("ptr_lakeside", "suspended")


def organization_turns_the_person_off(world: World) -> None:
    with transaction(world.database) as db:
        facts = {"active": False}
        provisioned.create(db, "ptr_lakeside", name_key="nina", external_id="ls-nina", facts=facts)


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("meanwhile", "told"),
    [(partner_pauses, "paused"), (organization_turns_the_person_off, "this login is no longer in use")],
)
def test_security_35_a_partner_suspended_while_somebody_registers_makes_no_account(
    harbor: World, meanwhile: Callable[[World], None], told: str
) -> None:
    harbor.lakeside.person = {"sub": "ls-nina"}
    browser = harbor.browser().get("/login/ups_lakeside").submit("Continue", choice="new")
    browser.submit("Continue").submit("Continue", tins=TIN)
    browser.submit("Continue", given_name="Nina", family_name="Frost", **WORKS)
    browser.submit("Mail me a code", email="nina@example.com")
    browser.submit("Confirm my e-mail", code=code_for(harbor, "nina@example.com"))
    meanwhile(harbor)
    browser.submit("Create my account")
    assert told in browser.text
    assert harbor.count("account") == 2
