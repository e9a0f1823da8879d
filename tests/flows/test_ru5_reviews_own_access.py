"""RU-5: a person of two practices looks through their own access and says what does not fit the role."""

from datetime import datetime

from idp import clock
from idp.accounts.tables import Account
from idp.database import transaction
from idp.entitlements import asking, grants
from idp.entitlements.decision import OURSELVES, Decision, Question, decide
from idp.entitlements.sentences import JOINING, sentence
from idp.providers import affiliations
from tests.flows.managing import Managed, filling, managed
from tests.wam.world import LINE

__all__ = ["filling", "managed"]


def test_ru5_an_increase_waits_for_the_manager_and_holds_once_approved(managed: Managed) -> None:
    ana = managed.as_("ana").get(f"/account/access/{managed.world.lakeside}")
    assert "Who controls my access?" in ana.text
    assert "Medical: Mia Ode, Wes Kane" in ana.text
    ana.submit("Ask for it", function="medical:remit.view", note="I post payments")
    assert "Waiting for an access manager: 1" in ana.text
    assert managed.held("ana") == set()
    wes = managed.as_("wes").get(f"{managed.here}/inbox").click("Ana Ruiz")
    assert "I post payments" in wes.text
    wes.submit("Approve", ends="11/30/2090")
    assert "Wes Kane approved this" in wes.text
    assert managed.held("ana") == {"remit.view"}
    mia = managed.as_("mia").get(wes.path)
    assert "Wes Kane approved this" in mia.text
    assert "Remittance: approved" in ana.get(f"/account/access/{managed.world.lakeside}").text


def test_ru5_ones_own_reduction_is_immediate_and_the_managers_hear_of_it(managed: Managed) -> None:
    before = managed.held("finn")
    finn = managed.as_("finn").get(f"/account/access/{managed.world.lakeside}")
    key = finn.form_key()
    finn.post(
        f"/account/access/{managed.world.lakeside}/give-back",
        {"form_key": key, "function": "medical:message.send"},
        origin=managed.settings.issuer,
    )
    assert managed.held("finn") == before - {"message.send"}
    assert managed.one("SELECT end_reason FROM grant WHERE end_reason = 'given_up'".replace("grant", '"grant"', 1))


def test_ru5_each_practice_is_looked_through_by_itself_with_who_gave_what_since_and_until_when(
    managed: Managed,
) -> None:
    world = managed.world
    with transaction(world.database) as db:
        affiliations.approve(db, account_id=world.people["ana"], provider_id=world.harbor, by="operator")
    managed.give("ana", "remit.view", by="wes")
    with transaction(world.database) as db:
        grants.grant(
            db,
            account_id=world.people["ana"],
            provider_id=world.harbor,
            line=LINE,
            entitlement="remit.view",
            by="operator",
            reason="there too",
        )
    ana = managed.as_("ana").get("/account")
    assert "Lakeside" in ana.text
    assert "Harbor" in ana.text
    ana.click("Something doesn't fit my role")
    assert ana.path == f"/account/access/{world.lakeside}"
    assert "Wes Kane" in ana.text
    assert "no end date" in ana.text
    assert "an access manager decides" in ana.text
    ana.submit("Give back Remittance, Medical")
    assert managed.held("ana") == set()
    with transaction(world.database) as db:
        there = [g.entitlement for g in grants.live(db, world.people["ana"], world.harbor, clock.now())]
    assert there == ["remit.view"]
    assert ana.get(f"/account/access/{world.harbor}").status == 200
    assert "Remittance" in ana.text
    stranger = managed.as_("finn").get(f"/account/access/{world.harbor}")
    assert stranger.status == 404


def _decided(managed: Managed, name: str, function: str, line: str, at: datetime | None = None) -> Decision:
    who = managed.world.people[name]
    asked = Question(who, function, managed.world.lakeside, OURSELVES, line=line, assume_authenticated=True, at=at)
    with transaction(managed.world.database) as db:
        return decide(asking.look_in_session(db, asked))


def test_ru_5_a_refusal_names_the_line_and_its_link_leads_to_who_can_help_with_the_request_begun(
    managed: Managed,
) -> None:
    refused = _decided(managed, "finn", "fee.view", LINE)
    assert refused.reason == "entitlement_not_granted"
    assert " for Medical at Lakeside" in (sentence(refused) or "")
    assert refused.help == f"/account/access/{managed.world.lakeside}?ask={LINE}:fee.view"
    finn = managed.as_("finn").get(refused.help)
    assert "have it here now. Ask " in finn.text
    assert "Wes Kane" in finn.text
    finn.submit("Ask for it", note="prices", function=f"{LINE}:fee.view")
    assert "Waiting for an access manager: 1" in finn.text
    for other in (f"{LINE}:nothing", "x", "x:fee.view", f"{LINE}:idcard.view", "<b>:fee.view"):
        assert "have it here now" not in finn.get(f"/account/access/{managed.world.lakeside}?ask={other}").text
    held = f"/account/access/{managed.world.lakeside}?ask=dental:idcard.view"
    assert "You have it for Medical, not for Dental." in finn.get(held).text


def test_se_6_who_has_not_finished_signing_up_is_not_said_to_be_on_hold(managed: Managed) -> None:
    with transaction(managed.world.database) as db:
        person = db.get_one(Account, managed.world.finn)
        person.status = "invited"
    said = {"invited": sentence(_decided(managed, "finn", "idcard.view", LINE))}
    with transaction(managed.world.database) as db:
        db.get_one(Account, managed.world.finn).status = "suspended"
    assert said["invited"] == JOINING
    on_hold = _decided(managed, "finn", "idcard.view", LINE)
    assert on_hold.reason == "account_inactive"
    assert "on hold" in (sentence(on_hold) or "")
