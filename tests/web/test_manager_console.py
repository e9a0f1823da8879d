"""The access manager's console pages seen in a real browser, as pictures, by axe, at both widths."""

from datetime import timedelta
from typing import Any

from idp import clock
from idp.database import transaction
from idp.wam import reviews
from tests.wam.world import LINE
from tests.web.conftest import Site


def test_w7_w9_reviews_and_access_managers_are_plain_and_accessible(window: Any, site: Site) -> None:
    world = site.world
    with transaction(world.database) as db:
        made = reviews.open_review(db, world.lakeside, LINE, [world.finn], due_at=clock.now() + timedelta(days=45))
        assert made is not None
    eyes = window("wes")
    page = eyes.page
    page.goto(f"/p/{world.lakeside}/managers")
    eyes.look("managers")
    page.get_by_role("link", name="Appoint an access manager").click()
    eyes.look("manager-new")
    page.goto(f"/p/{world.lakeside}/managers")
    page.get_by_role("link", name="End the appointment of Wes").click()
    eyes.look("manager-end")
    page.goto(f"/p/{world.lakeside}/reviews")
    eyes.look("reviews")
    page.get_by_role("link", name="Who has what").click()
    eyes.look("review")
    page.get_by_role("button", name="Sign the review").click()
    eyes.look("review-error")
    page.get_by_text("Keep", exact=True).click()
    page.get_by_text("I looked at each person").click()
    page.get_by_role("button", name="Sign the review").click()
    assert "1 kept" in page.inner_text("main")
    eyes.look("review-report")


def test_t18_w2_w4_requests_and_second_words_are_plain_and_accessible(window: Any, site: Site) -> None:
    world = site.world
    ana = window("ana")
    ana.page.goto(f"/account/access/{world.lakeside}")
    ana.page.get_by_label("Function").select_option("medical:remit.view")
    ana.page.get_by_role("button", name="Ask for it").click()
    ana.look("my-access-error")
    ana.page.get_by_label("What do you need it for?").fill("I post payments")
    ana.page.get_by_role("button", name="Ask for it").click()
    ana.look("my-access")
    wes = window("wes")
    page = wes.page
    page.goto(f"/p/{world.lakeside}/people/{world.finn}/change/check?f=eft.manage&end=none")
    wes.look("check-two")
    page.get_by_label("Reason").fill("Moves the account")
    page.get_by_role("button", name="Confirm").click()
    wes.look("done-held")
    page.goto(f"/p/{world.lakeside}/inbox")
    wes.look("inbox-three")
    page.get_by_role("link", name="Ana Ruiz").click()
    wes.look("request")
    mia = window("mia")
    mia.page.goto(f"/p/{world.lakeside}/inbox")
    mia.page.get_by_role("link", name="Finn Oakes").click()
    mia.look("held")
    mia.page.get_by_role("button", name="Confirm").click()
    mia.look("held-confirmed")


def test_w3_w8_files_and_reports_are_plain_and_accessible(window: Any, site: Site) -> None:
    eyes = window("wes")
    page = eyes.page
    page.goto(f"/p/{site.world.lakeside}/people/new")
    page.get_by_role("link", name="Invite people from a file").click()
    eyes.look("import")
    page.get_by_label("File", exact=True).set_input_files(
        {
            "name": "people.csv",
            "mimeType": "text/csv",
            "buffer": b"name,email,job\nSol Vega,sol@c.example,Biller\nX,y,\n",
        }
    )
    page.get_by_role("button", name="Check the file").click()
    assert "1 of 2 lines" in page.inner_text("main")
    eyes.look("import-check")
    page.goto(f"/p/{site.world.lakeside}/reports")
    eyes.look("reports")
    page.get_by_role("link", name="Everything that happened").click()
    eyes.look("practice-log")
    page.get_by_label("What", exact=True).select_option("wam.")
    page.get_by_label("From", exact=True).fill("soon")
    page.get_by_role("button", name="Show").click()
    eyes.look("practice-log-error")
