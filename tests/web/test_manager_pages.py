"""The access manager's pages in a real browser: seen, used by keyboard, without script, and by strangers."""

from datetime import timedelta
from typing import Any

from idp import clock
from idp.database import transaction
from idp.signals.stream_tables import FeedReceipt
from tests.web.conftest import Site


def test_w4_wes_gives_ana_the_biller_job_and_sees_before_and_after(window: Any, site: Site) -> None:
    eyes = window("wes")
    page = eyes.page
    page.goto(f"/p/{site.world.lakeside}/people")
    eyes.look("people")
    page.get_by_role("link", name="Ana Ruiz").click()
    eyes.look("person-without-access")
    page.get_by_role("link", name="Change access").click()
    eyes.look("change")
    assert page.get_by_label("Claim status").is_visible()
    page.get_by_text("Biller", exact=False).first.click()
    assert page.get_by_label("Claim status").is_hidden()  # folded: the job is enough
    eyes.look("change-job")
    page.get_by_role("button", name="Check the changes").click()
    assert page.get_by_role("heading", level=1).inner_text() == "Check the changes for Ana Ruiz"
    eyes.look("check")
    page.get_by_label("Reason").fill("New biller")
    page.get_by_role("button", name="Confirm 12 changes").click()
    assert page.get_by_role("heading", level=1).inner_text() == "Access of Ana Ruiz is changed"
    eyes.look("done")
    page.reload()
    page.get_by_role("link", name="See Ana Ruiz").click()
    assert "Claim status" in page.inner_text("main")
    eyes.look("person")
    page.get_by_role("link", name="Change access").click()
    assert page.get_by_label("Biller, as it is").is_checked()
    eyes.look("change-with-job")
    page.locator("label[for='f-fee.view']").click()
    page.get_by_role("button", name="Check the changes").click()
    assert "Ana Ruiz keeps the job Biller." in page.inner_text("main")
    page.get_by_role("link", name="Back, keep choices").click()
    page.locator("label[for='f-remit.view']").click()
    page.get_by_role("button", name="Check the changes").click()
    assert "Ana Ruiz leaves the job Biller. What is left of it" in page.inner_text("main")
    eyes.look("check-leaves-job")
    page.get_by_role("link", name="Back, keep choices").click()
    page.locator("label[for='bundle-front_desk']").click()
    page.get_by_role("button", name="Check the changes").click()
    assert "Ana Ruiz leaves the job Biller for it." in page.inner_text("main")
    assert "Besides the job, Ana Ruiz keeps Appeal status, " in page.inner_text("main")
    eyes.look("check-other-job")


def test_w5_wes_removes_all_of_finn_and_gets_a_proof(window: Any, site: Site) -> None:
    eyes = window("wes")
    page = eyes.page
    page.goto(f"/p/{site.world.lakeside}/people/{site.world.finn}")
    page.get_by_role("link", name="Remove all access").click()
    eyes.look("remove")
    page.get_by_role("button", name="Remove all access").click()
    assert page.title().startswith("Error: ")
    assert page.evaluate("document.activeElement.id") == "problem"
    eyes.look("remove-error")
    page.get_by_text("Left the practice", exact=True).click()
    page.get_by_role("button", name="Remove all access").click()
    assert "has ended" in page.get_by_role("heading", level=1).inner_text()
    eyes.look("removal")
    now = clock.now()
    with transaction(site.world.database) as db:  # one copy of the app hears, another has stopped asking
        for reader, seq, at in (("one", 0, now - timedelta(hours=1)), ("two", 0, now), ("one", 10_000, now)):
            db.add(FeedReceipt(client_id="claims", reader=reader, seq=seq, at=at))
    page.get_by_role("link", name="Who heard, and when").click()
    assert "1 of 2 processes" in page.inner_text("main")
    assert "asks us each time" in page.inner_text("main")
    eyes.look("removal-heard")
    page.goto(f"/p/{site.world.lakeside}/people")  # next week, without the link
    page.get_by_label("Search people by name").fill("finn")
    page.get_by_role("button", name="Search").click()
    assert "left on " in page.get_by_role("row", name="Finn Oakes").inner_text()
    eyes.look("people-left")
    page.get_by_role("link", name="Finn Oakes").click()
    assert "No longer works for Lakeside Clinic, left on " in page.inner_text("main")
    page.get_by_role("link", name="Receipt of ").first.click()
    page.wait_for_url("**/removals/rct_*")
    for where in ("reports", f"log?who={site.world.finn}"):
        page.goto(f"/p/{site.world.lakeside}/{where}")
        page.get_by_role("link", name="Finn Oakes").first.click()
        assert page.url.endswith(f"/people/{site.world.finn}")


def test_w3_wes_invites_a_person_and_sees_the_link_once(window: Any, site: Site) -> None:
    eyes = window("wes")
    page = eyes.page
    page.goto(f"/p/{site.world.lakeside}/people/new")
    eyes.look("new")
    page.get_by_label("Name").fill("Sol Vega")
    page.locator("label[for=bundle-biller]").click()
    page.get_by_role("button", name="Make the invitation link").click()
    link = page.get_by_label("Link, works once").input_value()
    assert link.startswith(f"{site.address}/invitations/")
    eyes.look("invited")
    page.reload()
    assert "made already" in page.inner_text("main")
    page.goto(f"/p/{site.world.lakeside}/people")
    eyes.look("people-invited")
    page.get_by_role("link", name="Sol Vega").click()
    eyes.look("invitation")
    page.get_by_role("button", name="Send again").click()
    assert page.get_by_label("Link, works once").input_value() != link
    eyes.look("invited-again")
    page.get_by_role("link", name="Back to people").click()
    page.get_by_role("link", name="Sol Vega").click()
    page.get_by_role("button", name="Take the invitation back").click()
    eyes.look("invitation-back")
    page.get_by_role("link", name="Back to people").click()
    assert "Sol Vega" not in page.inner_text("main")
