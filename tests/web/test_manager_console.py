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
