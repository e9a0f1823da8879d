"""RU-9: somebody leaves or no longer qualifies: everything ends in one step, managers told, sign-in explains (T-17)."""

from datetime import timedelta

from freezegun import freeze_time

from idp import clock
from idp.accounts import attestations
from idp.database import transaction
from idp.jobs import expiries
from idp.leaving import people
from idp.providers import affiliations
from idp.registration import invitations
from tests.flows.registering import HARBOR, TIN, harbor, mails_to, manager, world
from tests.sign_in_world import World, link_ana, sign_in

__all__ = ["harbor", "world"]


def test_ru9_one_step_ends_everything_and_the_later_sign_in_explains(harbor: World) -> None:
    ana_id = harbor.ids()["ana"]
    with transaction(harbor.database) as db:
        waiting_link = invitations.invite(
            db, invited_by=harbor.ids()["wes"], display_name="Ana Ruiz", provider_id=HARBOR, account_id=ana_id
        )[1]
    elsewhere = sign_in(harbor.browser())
    ana = sign_in(harbor.browser())
    ana.click("I no longer work here").click("I don't work for any practice any more")
    assert "You are signed out everywhere (2 now)" in ana.text
    ana.submit("End all my access")
    assert ana.status == 422, "said only on purpose"
    ana.submit("End all my access", sure="yes")
    assert ana.path == "/signed-out"
    assert elsewhere.get("/account").status == 401  # the browser that was signed in is told plainly
    assert "Your access ended on" in elsewhere.text
    assert harbor.browser().get("/account").path == "/sign-in"  # a stranger is asked to sign in
    for table in ("session", "token_family", "affiliation", '"grant"', "assignment"):
        assert harbor.count(table, f"account_id = '{ana_id}' AND ended_at IS NULL") == 0, table
    assert "withdrawn" in harbor.browser().get(f"/invitations/{waiting_link}").text
    back = sign_in(harbor.browser())
    assert back.status == 403
    assert "Your access ended on" in back.text
    assert "because you told us that you no longer work there" in back.text
    assert "ask an access manager" in back.text
    wes = dict(mails_to(harbor, "wes@example.com"))
    assert wes["person_left"]["name"] == "Ana Ruiz"
    assert harbor.events("accounts.account.ceased") == 1


def test_ru9_a_suspected_insiders_flow_does_not_outlive_the_account(harbor: World) -> None:
    """A journey begun before the end is over after it, whoever reported it (T-17)."""
    ana_id = harbor.ids()["ana"]
    ana = sign_in(harbor.browser())
    ana.get("/register").submit("Continue")
    ana.submit("Continue", tins=TIN)
    address, key = ana.url, ana.form_key()
    with transaction(harbor.database) as db:
        assert people.cease(db, ana_id, because="licence_lapsed", by="system")
        assert not people.cease(db, ana_id, because="again", by="system")
    assert ana.get(address).status == 400
    ana.post("/register/you", {"r": address.rpartition("r=")[2], "form_key": key, "capacity": "employee"})
    assert ana.status == 400
    assert "we were told that you no longer qualify" in sign_in(harbor.browser()).text
    assert harbor.mails().count("person_left") == 1
    assert harbor.mails().count("account_ceased") == 2, "one to each of her addresses"


def test_ru9_leaving_one_practice_keeps_the_others(harbor: World) -> None:
    ana_id = harbor.ids()["ana"]
    with transaction(harbor.database) as db:
        affiliations.approve(db, account_id=ana_id, provider_id=HARBOR, by="operator")
    ana = sign_in(harbor.browser())
    ana.get("/account/leave").click("I no longer work for Harbor Imaging").submit("Leave Harbor Imaging", sure="yes")
    assert ana.path == "/account"
    assert "Lakeside Clinic" in ana.text
    assert harbor.count("affiliation", f"account_id = '{ana_id}' AND ended_at IS NULL") == 1
    assert ana.get(f"/account/leave/{HARBOR}").status == 404, "what she left looks like what never was"
    assert mails_to(harbor, "wes@example.com")[-1][1]["provider"] == "Harbor Imaging"


def test_ru9_a_closed_account_keeps_its_log_and_nothing_else_of_the_person(world: World) -> None:
    ana_id = link_ana(world)
    ana = sign_in(world.browser())
    ana.get("/account/leave/close").submit("Close my account", sure="yes")
    assert ana.path == "/signed-out"
    assert world.count("account", f"id = '{ana_id}' AND status = 'closed' AND display_name = 'Closed account'") == 1
    assert world.count("contact", f"account_id = '{ana_id}'") == 0
    assert world.count("login", f"account_id = '{ana_id}' AND ended_at IS NULL") == 0
    assert world.count("audit_record", f"account_id = '{ana_id}'") > 3
    assert [m for m, _ in mails_to(world, "ana@example.com")][-1] == "account_closed"
    again = sign_in(world.browser())
    assert "don't match" in again.text
    assert world.browser().get("/login/ups_evergreen").path == "/link", "the outside login is nobody's now"


def test_invariant_7_the_only_access_manager_names_a_successor_first(harbor: World) -> None:
    ana_id = harbor.ids()["ana"]
    with transaction(harbor.database) as db:
        affiliations.approve(db, account_id=ana_id, provider_id=HARBOR, by="operator")
    wes = manager(harbor)
    wes.get("/account/leave/everything")
    assert "You are the only access manager of" in wes.text
    key = wes.form_key()
    assert wes.post("/account/leave/everything", {"form_key": key, "sure": "yes"}).status == 409
    assert harbor.count("account", "status = 'ceased'") == 0


def test_security_24_ending_everything_needs_a_recent_sign_in(world: World) -> None:
    ana = sign_in(world.browser())
    key = ana.form_key()
    with freeze_time(clock.now() + timedelta(minutes=11), tick=True):
        assert ana.post("/account/leave/close", {"form_key": key, "sure": "yes"}).status in (401, 200)
        assert ana.path != "/signed-out"
    assert world.count("account", "status <> 'active'") == 0


def test_t10_a_representation_ends_with_its_last_day(harbor: World) -> None:
    ana_id = harbor.ids()["ana"]
    ends = clock.now() + timedelta(days=2)
    with transaction(harbor.database) as db:
        affiliations.approve(db, account_id=ana_id, provider_id=HARBOR, by="operator", ends_at=ends)
    for when, live in ((ends - timedelta(seconds=1), 2), (ends, 1)):
        with freeze_time(when):
            expiries.run(harbor.database)
        assert harbor.count("affiliation", f"account_id = '{ana_id}' AND ended_at IS NULL") == live
    assert harbor.reasons("providers.affiliation.ended") == ["expired"]
    assert mails_to(harbor, "wes@example.com")[-1][0] == "person_left"


def test_t14_an_attestation_is_asked_for_before_its_year_is_over(world: World) -> None:
    """Reminded 30 and 7 days before, each once; renewed early, nobody is reminded again."""
    begun = clock.now()
    for days, mails in ((300, 0), (336, 2), (340, 2), (359, 4)):
        with freeze_time(begun + timedelta(days=days)):
            expiries.remind(world.database)
            assert [m for m, _ in mails_to(world, "ana@example.com")].count("attestation_due") == mails // 2
    with freeze_time(begun + timedelta(days=360), tick=True):
        with transaction(world.database) as db:
            assert attestations.renewable(db, world.ids()["ana"])
        ana = sign_in(world.browser())
        assert "Confirm why you may act" in ana.text
        ana.get("/attest").submit("Confirm", capacity="licensed_provider", principal="Lakeside Clinic", word="yes")
        assert "Confirm why you may act" not in ana.get("/account").text
    with freeze_time(begun + timedelta(days=362)):
        expiries.remind(world.database)
    assert [m for m, _ in mails_to(world, "ana@example.com")].count("attestation_due") == 2


def test_ru5_whoever_is_removed_reads_at_once_and_later_what_ended_and_whom_to_ask(harbor: World) -> None:
    ids = harbor.ids()
    ana = sign_in(harbor.browser())
    lakeside = ana.get("/account").text
    assert "ended" not in lakeside.split("My account")[0]
    with transaction(harbor.database) as db:
        for provider in ("prv_lakeside", HARBOR):
            people.leave(db, ids["ana"], provider, reason="left", by=ids["wes"])
    assert "Your work for" in ana.get("/account").text  # still signed in: told on the next page
    assert "You can do nothing there any more" in ana.text
    with transaction(harbor.database) as db:
        people.suspend(db, ids["ana"], because="review", by="system")
    assert ana.get("/account").status == 401
    assert "Your account is on hold. Your information is kept." in ana.text
    assert "is on hold" not in harbor.browser().get("/account").text


def test_ru5_a_stranger_learns_nothing_from_a_cookie_of_nobody(harbor: World) -> None:
    browser = harbor.browser()
    sign_in(browser)
    for jar in browser.cookies.values():
        for name in list(jar):
            if "session" in name:
                jar[name] = "x" * 43
    assert browser.get("/account").path == "/sign-in"
