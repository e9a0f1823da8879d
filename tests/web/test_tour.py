"""A tour of every page a registered user, an access manager and a security analyst meet (ui.md 5).

The demo's four servers on SQLite in threads of this process, real Chromium. At 1280 and 390 pixels every page must
fit, pass axe, break no policy, have one heading and a title, speak in people's words, and keep Sign out in reach.
What is wrong is collected, so one run names all of it; IDP_PICTURES=folder keeps the pictures.
"""

from idp.demo.places import ROOT
from tests.web import tour_people, tour_staff
from tests.web.guide import Guide, guide

__all__ = ["guide"]


def test_our_own_style_stays_small() -> None:
    assert (ROOT / "idp" / "web" / "assets" / "app.css").stat().st_size <= 8192


def test_every_page_fits_is_accessible_and_speaks_plainly(guide: Guide) -> None:
    tour_people.two_practices_and_consent(guide)
    invitation = tour_staff.an_access_manager(guide)
    key = tour_people.a_new_person(guide, invitation)
    tour_people.through_an_affiliate(guide, key)
    tour_staff.two_accounts(guide, key)
    tour_staff.activity_and_misuse(guide)
    tour_staff.a_security_analyst(guide)
    tour_people.refusals(guide)
    assert not guide.problems, "\n".join(guide.problems)
