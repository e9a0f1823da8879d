"""Two things at once: a merge half done, and the sign-out, hold, pause or recovery that comes in between."""

import pytest
from sqlalchemy import text
from sqlmodel import col, select

from idp import clock
from idp.accounts import moved, people, recovery
from idp.accounts.link_tables import LinkOperation
from idp.accounts.tables import Account, Login
from idp.database import transaction
from idp.entitlements import grants
from idp.errors import Conflict
from idp.leaving import partners
from idp.leaving import people as leaving
from idp.merging import split
from idp.notices import reading
from idp.notices.tables import Outbox
from idp.partners import members
from idp.providers.tables import Practitioner
from idp.registration import invitations
from idp.security import reports
from tests.accounts.test_passkeys import answer, enroll, newest
from tests.browser import Browser
from tests.fakes.authenticator import Authenticator
from tests.linking.people import KEYS, strong, with_steps
from tests.linking.test_merge import begun, second
from tests.sign_in_world import PASSWORD, World, link_ana, sign_in

pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


def merge_page(world: World) -> str:
    with transaction(world.database) as db:
        return f"/account/merge/{db.execute(text('SELECT id FROM pending_merge ORDER BY created_at DESC')).scalar()}"


def still_opens(world: World, browser: Browser) -> bool:
    """Whether who holds this browser can still make the other account part of the one proved first."""
    address = merge_page(world)
    if browser.path != address:
        browser.get("/sign-out").submit("Sign out") if browser.get("/account").path == "/account" else None
        strong(browser, "twin", where=address)
    if browser.path == address and "Make them one" in browser.text:
        browser.submit("Make them one")
    return world.count("link_operation") > 0


def signed_out(world: World, browser: Browser) -> None:
    browser.get("/account").get("/sign-out").submit("Sign out")


def everywhere(world: World, browser: Browser) -> None:
    with transaction(world.database) as db:
        leaving.sign_out(db, world.ids()["ana"], because="signed_out_by_owner", by="owner")


def recovered_meanwhile(world: World, browser: Browser) -> None:
    from idp.accounts import recovered
    from idp.accounts.proof_tables import Recovery

    with transaction(world.database) as db:
        row = recovery.begin(db, "ana.ruiz", browser="another", device_secret=None)
        row.saved_proved_at = row.code_proved_at = clock.now()
        db.add(row)
        db.flush()
        recovered.finish(db, db.get_one(Recovery, row.id), None)


def first_login_held(world: World, browser: Browser) -> None:
    with transaction(world.database) as db:
        login = db.exec(select(Login).where(col(Login.subject) == "ana.ruiz")).one()
        moved.hold_for_security(db, login.id, by="desk")


@pytest.mark.parametrize("between", [signed_out, everywhere, recovered_meanwhile, first_login_held])
def test_security_29_a_merge_half_done_ends_with_the_session_that_proved_the_first_account(
    world: World, between
) -> None:
    with_steps(world)
    browser = begun(world)
    between(world, browser)
    assert not still_opens(world, browser)


def test_security_35_a_merge_does_not_rest_on_a_login_whose_partner_was_suspended_meanwhile(world: World) -> None:
    with_steps(world)
    link_ana(world)
    browser = world.browser().get("/login/ups_evergreen")
    browser.get("/sign-in/confirm?next=/account/merge")
    from tests.sign_in_world import code_now

    browser.submit("Confirm", code=code_now(KEYS["ana"])).submit("Sign in to the other account")
    assert browser.path == "/sign-in", browser.text
    second(browser)
    assert "Are both accounts yours?" in browser.text
    with transaction(world.database) as db:
        assert partners.suspend(db, "ptr_evergreen", because="test")
    browser.submit("Make them one")
    assert world.count("link_operation") == 0


def test_ru8_after_a_merge_an_address_both_accounts_had_still_leads_to_the_one_that_stays(world: World) -> None:
    ids = with_steps(world)
    with transaction(world.database) as db:
        people.add_contact(db, ids["ana"], "ana@example.com", verified=True)
        people.add_contact(db, ids["twin"], "ana@example.com", verified=True)
        people.add_contact(db, ids["twin"], "twin@example.com", verified=True)
    second(begun(world)).submit("Make them one")
    with transaction(world.database) as db:
        for typed in ("ana@example.com", "twin@example.com", "ana.ruiz"):
            row = recovery.begin(db, typed, browser="b", device_secret=None)
            assert row.account_id == ids["ana"], typed


def test_security_64_what_an_account_gave_that_became_part_of_one_of_the_two_is_ones_own_word(world: World) -> None:
    ids = with_steps(world)
    with transaction(world.database) as db:
        earlier = people.create(db, display_name="Earlier Ruiz", status="closed")
        earlier.merged_into = ids["ana"]
        db.add(earlier)
        place = {"account_id": ids["twin"], "provider_id": "prv_lakeside", "line": "medical"}
        grants.grant(db, **place, entitlement="report.financial", by=earlier.id, reason="to myself")
    assert "Nobody gives themselves access" in second(begun(world)).text
    assert world.count("link_operation") == 0


def test_security_35_a_login_that_was_stopped_is_not_let_in_by_removing_and_adding_it(world: World) -> None:
    ana = link_ana(world)
    world.evergreen.person = {"sub": "ev-1", "name": "Ana Ruiz", "email": "ana@evergreen.example"}
    browser = sign_in(world.browser())
    with transaction(world.database) as db:
        login = db.exec(select(Login).where(col(Login.subject) == "ev-1")).one()
        moved.hold_for_security(db, login.id, by="desk")
        login_id = login.id
    browser.get(f"/account/logins/{login_id}/remove")
    if browser.status == 200:
        browser.submit("Remove")
    browser.get("/account/logins")
    if any("Evergreen" in words for words, _ in browser.page.links):
        browser.click("Evergreen Billing")
        if browser.path == "/link/confirm":
            browser.submit("Add this login")
    del ana
    assert world.browser().get("/login/ups_evergreen").path != "/account"
    with transaction(world.database) as db:
        live = db.exec(select(Login).where(col(Login.subject) == "ev-1", col(Login.ended_at).is_(None))).all()
        assert all(one.held_at is not None for one in live)


def test_ru1_an_invitation_for_the_account_that_was_closed_by_a_merge_is_good_for_the_one_that_stays(
    world: World,
) -> None:
    ids = with_steps(world)
    with transaction(world.database) as db:
        _, secret = invitations.invite(
            db,
            invited_by=world.ids()["wes"],
            display_name="Twin",
            account_id=ids["twin"],
            provider_id="prv_lakeside",
            bundle="biller",
        )
    second(begun(world)).submit("Make them one")
    browser = world.browser().get(f"/invitations/{secret}").submit("Accept and continue")
    browser.submit("Continue", username="ana.ruiz").submit("Sign in", password=PASSWORD)
    assert browser.path == "/invitations/confirm"
    browser.submit("Accept")
    assert world.count("invitation", "spent_at IS NOT NULL") == 1, (browser.url, browser.text)


def test_domain_7_closing_for_good_forgets_the_accounts_that_became_part_of_it(world: World) -> None:
    ids = with_steps(world)
    second(begun(world)).submit("Make them one")
    with transaction(world.database) as db:
        leaving.close_for_good(db, ids["ana"], by=ids["ana"])
    with transaction(world.database) as db:
        for one in ("ana", "twin"):
            account = db.get_one(Account, ids[one])
            assert account.display_name == "Closed account", one
            assert people.contacts(db, ids[one]) == []
            sql = f"SELECT count(*) FROM password p JOIN login l ON l.id = p.login_id WHERE l.account_id = '{ids[one]}'"
            assert db.execute(text(sql)).scalar_one() == 0
    with transaction(world.database) as db:
        [operation] = db.exec(select(LinkOperation)).all()
        with pytest.raises(Conflict):
            split.undo_operation(db, operation.id, by="operator", because="two people after all")


def test_t_17_undoing_a_merge_gives_nobody_a_way_round_a_hold(world: World) -> None:
    ids = with_steps(world)
    second(begun(world)).submit("Make them one")
    with transaction(world.database) as db:
        leaving.suspend(db, ids["ana"], because="misuse", by="desk")
        [operation] = db.exec(select(LinkOperation)).all()
        try:
            split.undo_operation(db, operation.id, by="operator", because="two people after all")
        except Conflict:
            return
    with transaction(world.database) as db:
        assert db.get_one(Account, ids["twin"]).status == "suspended"


def test_security_10_getting_back_in_stops_every_other_attempt(world: World) -> None:
    from idp.accounts import recovered
    from idp.accounts.proof_tables import Recovery

    with_steps(world, twin=False)
    with transaction(world.database) as db:
        thief = recovery.begin(db, "ana.ruiz", browser="thief", device_secret=None)
        thief.saved_proved_at = clock.now()
        mine = recovery.begin(db, "ana.ruiz", browser="mine", device_secret=None)
        mine.saved_proved_at = mine.code_proved_at = clock.now()
        db.add_all([thief, mine])
        db.flush()
        recovered.finish(db, db.get_one(Recovery, mine.id), None)
        thief_id = thief.id
    with transaction(world.database) as db, pytest.raises(recovery.Lost):
        recovery.find(db, thief_id, "thief")


def test_aal_a_passkey_follows_through_two_merges(world: World) -> None:
    ids = with_steps(world)
    twin = strong(world.browser(), "twin")
    key = Authenticator(world.settings.issuer)
    enroll(twin, key)
    with transaction(world.database) as db:
        third = people.create(db, display_name="Third Ruiz")
        db.execute(
            text("UPDATE account SET status='closed', merged_into=:t WHERE id=:a"), {"t": third.id, "a": ids["twin"]}
        )
        db.execute(
            text("UPDATE account SET status='closed', merged_into=:t WHERE id=:a"), {"t": ids["ana"], "a": third.id}
        )
        db.execute(
            text("UPDATE factor SET account_id=:t WHERE account_id=:a AND kind='passkey'"),
            {"t": ids["ana"], "a": ids["twin"]},
        )
    browser = world.browser().get("/sign-in?next=/account")
    answer(browser, key)
    assert browser.path == "/account", browser.text
    assert newest(world).account_id == ids["ana"]


def test_security_35_a_session_opened_while_its_login_was_being_held_is_none(world: World) -> None:
    link_ana(world)
    browser = world.browser().get("/login/ups_evergreen")
    assert browser.get("/account").path == "/account"
    with transaction(world.database) as db:  # what a hold at the same moment leaves: it did not see this session
        db.execute(text("UPDATE login SET held_at = created_at WHERE subject = 'ev-1'"))
    assert browser.get("/account").path == "/sign-in"


def test_security_65_an_outside_companys_administrator_is_not_closed_by_a_merge(world: World) -> None:
    ids = with_steps(world)
    with transaction(world.database) as db:
        members.record(db, partner_id="ptr_evergreen", account_id=ids["twin"], by="operator", administrator=True)
    browser = second(begun(world))
    assert browser.status == 409
    assert "manages other people" in browser.text


def test_w_6_membership_of_a_company_and_a_clinicians_number_come_along_and_go_back(world: World) -> None:
    ids = with_steps(world)
    with transaction(world.database) as db:
        members.record(db, partner_id="ptr_evergreen", account_id=ids["twin"], by="operator")
        db.add(Practitioner(npi="1234567893", name="Twin Ruiz", account_id=ids["twin"]))

    def whose() -> tuple[str, list[str]]:
        with transaction(world.database) as db:
            number = db.exec(select(Practitioner)).one().account_id
            return str(number), [one.account_id for one in members.in_force(db, "ptr_evergreen")]

    second(begun(world)).submit("Make them one")
    assert whose() == (ids["ana"], [ids["ana"]])
    with transaction(world.database) as db:
        [operation] = db.exec(select(LinkOperation)).all()
        split.undo_operation(db, operation.id, by="operator", because="two people after all")
    assert whose() == (ids["twin"], [ids["twin"]])


def test_t_38_this_was_not_me_locks_the_account_that_took_the_readers_over(world: World) -> None:
    ids = with_steps(world)
    second(begun(world)).submit("Make them one")
    with transaction(world.database) as db:
        mail = db.exec(
            select(Outbox).where(col(Outbox.template) == "accounts_merged", col(Outbox.account_id) == ids["twin"])
        ).one()
        reports.by_link(db, reading.token(world.database.ring, mail))
    with transaction(world.database) as db:
        assert db.get_one(Account, ids["ana"]).status == "suspended"
    assert "on hold" in sign_in(world.browser()).text
