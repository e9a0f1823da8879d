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
    page.get_by_text("Biller", exact=False).first.click()
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


def test_w3_wes_invites_a_person_and_sees_the_link_once(window: Any, site: Site) -> None:
    eyes = window("wes")
    page = eyes.page
    page.goto(f"/p/{site.world.lakeside}/people/new")
    eyes.look("new")
    page.get_by_label("Name").fill("Sol Vega")
    page.get_by_role("button", name="Make the invitation link").click()
    link = page.get_by_label("Link, works once").input_value()
    assert link.startswith(f"{site.address}/invitations/")
    eyes.look("invited")
    page.reload()
    assert "made already" in page.inner_text("main")
    page.goto(f"/p/{site.world.lakeside}/people")
    assert "Sol Vega" in page.inner_text("main")
