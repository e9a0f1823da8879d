"""W-2 to W-9 and the insurer's side as a person walks them: real Chromium, one server, one browser, in order.

Each page is looked at on a phone and a desktop: accessible and fitting. IDP_PICTURES=folder keeps the
pictures, of which docs/pictures holds one for each journey.
"""

import re
from datetime import timedelta
from typing import Any

import pytest

from idp import clock
from idp.audit import checkpoint
from idp.database import transaction
from idp.entitlements import grants
from idp.providers import organisations
from idp.wam import reviews
from tests.wam.world import LINE, person
from tests.web.conftest import Site


@pytest.fixture(scope="module")
def walked(site: Site) -> Site:
    """A review is open, and the insurer has staff."""
    world = site.world
    checkpoint.make_key(site.settings.audit_key_file)
    with transaction(world.database) as db:
        insurer = organisations.register(db, name="Meridian Health Plan", kind="insurer").id
        organisations.open_portal(db, insurer, LINE, by="operator")
        for name, shown, keys in (
            ("cat", "Cat Lowe", ("catalogue.manage", "duty.except")),
            ("sam", "Sam Ortiz", ("support.view",)),
        ):
            who = person(db, world, name, shown, insurer, ial=2)
            for key in keys:
                grants.grant(
                    db, account_id=who, provider_id=insurer, line=LINE, entitlement=key, by="operator", reason="staff"
                )
        reviews.open_review(db, world.lakeside, LINE, [world.finn], due_at=clock.now() + timedelta(days=30))
    return site


def press(page: Any, name: str) -> None:
    page.get_by_role("button", name=re.compile(f"^{name}")).first.click()


def follow(page: Any, name: str) -> None:
    page.get_by_role("link", name=name).first.click()


def test_w2_a_request_is_asked_for_shown_with_who_asks_and_decided_once(window: Any, walked: Site) -> None:
    arriving = window("ana")
    asker = arriving.page
    asker.goto(f"/account/access/{walked.world.lakeside}?ask={LINE}:remit.view")
    assert asker.get_by_label("Function").input_value() == f"{LINE}:remit.view"
    arriving.look("w2-refused-asks")
    asker.get_by_label("What do you need it for?").fill("I post payments")
    press(asker, "Ask")
    assert "Remittance" in asker.inner_text("main")
    eyes, second = window("wes"), window("mia").page
    page = eyes.page
    page.goto(f"/p/{walked.world.lakeside}/inbox")
    page.get_by_role("link", name=re.compile("Ana Ruiz")).first.click()
    second.goto(page.url)
    assert "I post payments" in page.inner_text("main")
    eyes.look("w2-decides")
    press(page, "Approve")
    assert "approved" in page.inner_text("main")
    press(second, "Approve")
    assert "Wes Kane approved this" in second.inner_text("main")
    asker.reload()
    assert "approved" in asker.inner_text("main")


def test_w3_people_are_added_from_a_file_after_a_look_at_each_line(window: Any, walked: Site) -> None:
    eyes = window("wes")
    page = eyes.page
    page.goto(f"/p/{walked.world.lakeside}/people/import")
    page.locator("textarea").fill("name,email,job\nNina Frost,nina@lakeside.example,Biller\n=cmd,x@lakeside.example,\n")
    press(page, "Check the file")
    assert "1 of 2 lines have to be mended" in page.inner_text("main")
    eyes.look("w3-adds")


def test_w4_a_change_shows_its_difference_before_it_is_made(window: Any, walked: Site) -> None:
    eyes = window("wes")
    page = eyes.page
    page.goto(f"/p/{walked.world.lakeside}/people/{walked.world.finn}/change")
    page.get_by_text("Biller", exact=False).first.click()
    press(page, "Check the changes")
    eyes.look("w4-changes")
    page.get_by_label("Reason").fill("Bills now")
    page.get_by_label("Reason").press("Enter")  # the keyboard alone sends it
    assert page.get_by_role("heading", level=1).count() == 1
    assert "Claim" in page.inner_text("main")


def test_w7_a_review_is_answered_signed_and_leaves_evidence(window: Any, walked: Site) -> None:
    eyes = window("wes")
    page = eyes.page
    page.goto(f"/p/{walked.world.lakeside}/reviews")
    page.get_by_role("link", name=re.compile("Who has what")).first.click()
    eyes.look("w7-reviews")
    page.locator(f"label[for='k-{walked.world.finn}']").click()
    page.locator("label[for='word-yes']").click()
    press(page, "Sign the review")
    assert "kept" in page.inner_text("main")
    with page.expect_download() as coming:
        follow(page, "Signed evidence, for print")
    assert coming.value.suggested_filename == "evidence.pdf"


def test_w8_reports_are_drawn_and_listed(window: Any, walked: Site) -> None:
    eyes = window("wes")
    page = eyes.page
    page.goto(f"/p/{walked.world.lakeside}/reports")
    follow(page, "As a picture, people by functions")
    assert page.locator("svg[role=img] path").count() > 20
    assert "Finn Oakes" in page.inner_text("table")
    eyes.look("w8-reports")


def test_w5_access_is_removed_and_proved(window: Any, walked: Site) -> None:
    eyes = window("wes")
    page = eyes.page
    page.goto(f"/p/{walked.world.lakeside}/people/{walked.world.finn}")
    follow(page, "Remove all access")
    page.get_by_text("Left the practice", exact=True).click()
    press(page, "Remove all access")
    assert "has ended" in page.inner_text("main")
    eyes.look("w5-removes")
    receipt = page.url
    page.reload()
    assert page.url == receipt
    assert "has ended" in page.inner_text("main")


def test_w9_access_managers_are_listed_and_the_last_one_stays(window: Any, walked: Site) -> None:
    eyes = window("wes")
    page = eyes.page
    page.goto(f"/p/{walked.world.lakeside}/managers")
    eyes.look("w9-managers")
    assert "Mia Ode" in page.inner_text("main")


def test_the_insurer_s_staff_change_a_job_and_support_explains(window: Any, walked: Site) -> None:
    eyes = window("cat")
    page = eyes.page
    page.goto("/insurer/jobs/front_desk")
    page.locator("label[for='f-claim.attach']").click()
    page.get_by_label("In effect from").fill(f"{clock.now() + timedelta(days=9):%m/%d/%Y}")
    press(page, "Check who is affected")
    assert "Hana Cho" in page.inner_text("main")
    eyes.look("insurer-job")
    page.goto("/insurer/duties")
    eyes.look("insurer-duties")
    eyes = window("sam")
    page = eyes.page
    page.goto(f"/support/people/{walked.world.hana}?p={walked.world.harbor}&f=fee.view&line={LINE}")
    assert "entitlement_not_granted" in page.inner_text("main")
    eyes.look("support")
