"""W-6 in a real browser: an access manager delegates, the company's administrator assigns, the manager ends it."""

import pytest

from idp.database import transaction
from idp.entitlements import grants
from idp.partners import register
from idp.providers import organisations
from tests.wam.third_parties import Parties, extend
from tests.wam.world import LINE, person
from tests.web.conftest import Open, Site


@pytest.fixture(scope="module")
def parties(site: Site) -> Parties:
    site.world = extend(site.world)
    assert isinstance(site.world, Parties)
    return site.world


def test_w6_delegates_to_a_billing_firm_whose_administrator_assigns_and_ends_it_again(
    parties: Parties, open_as: Open
) -> None:
    wes, eyes = open_as("wes")
    wes.goto(f"/p/{parties.lakeside}/people")
    wes.get_by_role("navigation", name="Main").get_by_role("link", name="Delegations").click()
    eyes.look("delegations-none")
    wes.get_by_role("link", name="Delegate to a company").click()
    eyes.look("delegation-new")
    wes.get_by_role("button", name="Check what this means").click()
    for words in ("Choose one of the companies", "Choose at least one function", "Choose at least one line"):
        assert words in wes.inner_text("#problem")  # all at once
    assert wes.locator("#company option[disabled]").inner_text() == "Cascade Billing"
    assert "Cascade Billing is paused by Meridian Health Plan" in wes.inner_text("main")
    eyes.look("delegation-new-error")
    wes.get_by_label("Company", exact=True).select_option(label="Evergreen Billing")
    for box in (
        "f-claim.status.view",
        "f-remit.view",
        "line-medical",
        f"place-{parties.north}",
        "where-all",
        "redelegable",
    ):
        wes.locator(f"label[for='{box}']").click()
    wes.get_by_role("button", name="Check what this means").click()
    assert 'You checked places, and "All of them" was chosen' in wes.inner_text("main")
    assert wes.get_by_label("Only those I check").is_checked()
    eyes.look("delegation-places-error")
    wes.get_by_role("button", name="Check what this means").click()
    for words in ("Claim status, Remittance", "Medical", "It ends by itself", "1 administrator, who chooses"):
        assert words in wes.inner_text("main")
    assert "No outside company works for" in wes.request.get(f"/p/{parties.lakeside}/delegations").text()
    eyes.look("delegation-check")
    wes.get_by_role("link", name="Back, keep choices").click()
    assert wes.locator("[id='f-remit.view']").is_checked()
    wes.get_by_role("button", name="Check what this means").click()
    wes.get_by_role("button", name="Delegate to Evergreen Billing").click()
    wes.wait_for_selector("text=Done: Evergreen Billing works for Lakeside Clinic")
    assert "Claim status, Remittance" in wes.get_by_role("status").inner_text()
    assert "until " in wes.get_by_role("status").inner_text()
    assert "rct_" in wes.inner_text("main")
    eyes.look("delegation-made")
    delegation = wes.url.partition("?")[0]
    assert "Done:" not in wes.request.get(delegation).text()
    assert wes.request.get(f"{delegation}?receipt=rct_none").status == 404  # an address alone confirms nothing

    ada, hers = open_as("ada")
    ada.goto("/account")
    ada.get_by_role("navigation", name="Your areas").get_by_role("link", name="Evergreen Billing").click()
    hers.look("company")
    ada.get_by_role("link", name="Lakeside Clinic").click()
    hers.look("company-delegation")
    ada.get_by_role("link", name="Let a person work for it").click()
    hers.look("company-assign")
    ada.get_by_label("Person", exact=True).select_option(label="Bo Lind")
    assert ada.locator("input[name=f]:checked").count() == 0  # least privilege: nothing is chosen for her
    assert ada.locator("input[name=place]").count() == 1  # the practice let them work for one of its places
    ada.get_by_role("button", name="Let them work").click()
    hers.look("company-assign-error")
    ada.get_by_label("Person", exact=True).select_option(label="Bo Lind")
    ada.locator("label[for='f-claim.status.view']").click()
    ada.locator("label[for='where-all']").click()
    ada.get_by_role("button", name="Let them work").click()
    ada.wait_for_selector("text=Who works for it: 1")
    hers.look("company-assigned")
    ada.get_by_role("link", name="Pass it on to a company").click()
    hers.look("company-pass-on")
    ada.get_by_label("Company", exact=True).select_option(label="Pine Coding")
    ada.locator("label[for='f-claim.status.view']").click()
    ada.locator("label[for='where-all']").click()
    ada.get_by_role("button", name="Pass it on").click()
    ada.wait_for_selector("text=Take it back")
    ada.get_by_role("link", name="Take it back").click()
    hers.look("company-end")
    before = ada.url
    ada.get_by_role("button", name="Take it back").click()
    ada.wait_for_selector("text=Signed receipt")
    hers.look("company-taken-back")
    assert ada.goto(before).status == 404  # ended already
    ada.go_back()
    ada.get_by_role("navigation", name="Main").get_by_role("link", name="People").click()
    hers.look("company-people")
    ada.get_by_role("link", name="Change Bo Lind").click()
    hers.look("company-person")

    there = {"location": parties.north, "type": "claim", "state": "denied", "billing_provider": parties.lakeside}
    asked = {"record": there, "purpose": "CLAIM_REDUCTION_REVIEW"}
    assert parties.can("bo", "claim.status.view", **asked)
    assert not parties.can("bo", "remit.view", **asked)
    bo, his = open_as("bo")
    bo.goto(f"/account/access/{parties.lakeside}")
    assert "Evergreen Billing, your company: Ada Poe" in bo.inner_text("main")
    his.look("access-through-a-company")
    wes.goto(delegation)
    wes.get_by_role("link", name="End it").click()
    assert "Bo Lind" in wes.inner_text("main")
    eyes.look("delegation-end")
    wes.get_by_text("The contract ended", exact=True).click()
    wes.get_by_role("button", name="End the delegation").click()
    wes.wait_for_selector("text=Nobody works by it any more")
    wes.get_by_text("Receipt", exact=True).wait_for()
    wes.locator("a[href*='/receipts/']").click()
    wes.get_by_role("heading", name="Receipt: Delegation ended").wait_for()
    assert "Bo Lind" in wes.get_by_role("table").inner_text()
    eyes.look("receipt")
    wes.go_back()
    assert wes.get_by_role("heading", level=1).inner_text() == "Evergreen Billing no longer works for Lakeside Clinic"
    assert "ended by Wes Kane: The contract ended" in wes.inner_text("main")
    assert "Claim status" in wes.get_by_role("row", name="Bo Lind").inner_text()  # who lost what, as shown before
    assert wes.get_by_role("link", name="Bo Lind").is_visible()
    eyes.look("delegation-ended")
    assert not parties.can("bo", "claim.status.view", **asked)
    wes.get_by_role("link", name="All delegations").click()
    eyes.look("delegations")
    ada.goto(f"/company/{parties.firm}/delegations/{delegation.rpartition('/')[2]}")
    assert ada.get_by_role("heading", level=1).inner_text() == "Lakeside Clinic: the work is over"
    assert "ended by Wes Kane: The contract ended" in ada.inner_text("main")
    assert "Claim status" in ada.get_by_role("row", name="Bo Lind").inner_text()
    hers.look("company-delegation-ended")
    for page in (wes, ada):  # strangers' addresses are not there
        assert page.goto(f"/company/{parties.helper}").status == 404
    assert ada.goto(f"/p/{parties.lakeside}/delegations").status == 404


def test_w6_a_company_asks_the_manager_accepts_less_and_staff_name_a_first_administrator(
    parties: Parties, open_as: Open
) -> None:
    with transaction(parties.database) as db:
        insurer = organisations.register(db, name="Meridian Health Plan", kind="insurer").id
        organisations.open_portal(db, insurer, LINE, by="operator")
        sam = person(db, parties, "sam", "Sam Ode", insurer, ial=2)
        register.record(db, name="Birch Billing", kind="third_party", status="active")
        grants.grant(
            db, account_id=sam, provider_id=insurer, line=LINE, entitlement="partner.manage", by="operator", reason="x"
        )
    ada, hers = open_as("ada")
    ada.goto(f"/company/{parties.firm}")
    ada.get_by_role("link", name="Ask a practice").click()
    ada.get_by_label("TIN of the practice").fill("12-3456789")
    ada.get_by_label("What do you do for it?").fill("Billing since 2019")
    for box in ("f-claim.status.view", "f-remit.view", "line-medical"):
        ada.locator(f"label[for='{box}']").click()
    hers.look("company-asks")
    ada.get_by_role("button", name="Ask the practice").click()
    ada.wait_for_selector("text=TIN ending 6789")
    hers.look("company-asked")
    wes, eyes = open_as("wes")
    wes.goto(f"/p/{parties.lakeside}/inbox")
    eyes.look("inbox-companies")
    wes.get_by_role("link", name="Evergreen Billing").click()
    wes.locator("label[for='f-remit.view']").click()  # checked before: not this one
    eyes.look("delegation-request")
    wes.locator("label[for='where-all']").click()
    wes.get_by_role("button", name="Accept").click()
    wes.wait_for_selector("text=Evergreen Billing works for Lakeside Clinic")
    assert "Remittance" not in wes.inner_text("main")
    staff, desk = open_as("sam")
    staff.goto("/insurer/companies")
    desk.look("insurer-companies")
    staff.get_by_label("Company", exact=True).select_option(label="Birch Billing")
    staff.get_by_label("Name").fill("Gus Hale")
    staff.get_by_label("E-mail").fill("gus@birch.example")
    staff.get_by_role("button", name="Mail the invitation").click()
    staff.wait_for_selector("text=invited until")
