"""Why, and what if: a manager about their own people, support and security about anybody; nothing is changed by it."""

import re

import pytest

from tests.browser import Browser
from tests.catalogue import test_pages
from tests.engines import Filling
from tests.flows.managing import Managed
from tests.wam.world import LINE

pytestmark = test_pages.pytestmark
desk = test_pages.desk


@pytest.fixture
def filling() -> Filling:
    return test_pages.FILLING


def _answer(browser: Browser) -> str:
    """Return the reason of the gate that made the answer, or yes."""
    assert browser.status == 200, browser.text
    found = re.search(r"(\w+), the answer", browser.text)
    return found[1] if found else "yes"


def _grant(browser: Browser) -> str:
    """Return the one grant of secure messages the page offers to suppose away."""
    [held] = re.findall(r'<option value="(grt_\w+)"[^>]*>Secure messages', browser.response.text)
    return str(held)


def test_w8_a_manager_asks_why_and_what_if_and_nothing_is_changed(desk: Managed) -> None:
    here = f"{desk.here}/people/{desk.world.finn}"
    before = desk.held("finn")
    wes = desk.as_("wes").get(f"{here}/why")
    assert "Ask otherwise" not in wes.text
    wes.get(f"{here}/why?function=message.send&line={LINE}")
    assert wes.text.count(" yes ") >= 8
    held = _grant(wes)
    asked = f"{here}/why?function=message.send&line={LINE}"
    assert _answer(wes) == "yes"
    assert _answer(wes.get(f"{asked}&without={held}")) == "entitlement_not_granted"
    assert "Secure messages, since" in wes.text
    assert _answer(wes.get(f"{here}/why?function=fee.view&line={LINE}")) == "entitlement_not_granted"
    assert _answer(wes.get(f"{here}/why?function=fee.view&line={LINE}&give=fee.view")) != "entitlement_not_granted"
    assert _answer(wes.get(f"{asked}&at=01/01/2001")) != "yes"
    wes.get(f"{here}/why?function=claim.status.view&line={LINE}")
    assert "Finn Oakes reads: Nobody has given you Claim status" in wes.text
    wes.get(f"{here}/why?function=claim.status.view&line={LINE}&give=claim.status.view")
    assert "Yes, where a request names one of the two purposes" in wes.text, "no page can name a request's purpose"
    assert _answer(wes) == "yes", "the checks agree with the box"
    assert "asked with each request" in wes.text
    wes.get(f"{here}/why?function=claim.status.view&line={LINE}&give=claim.status.view&at=01/01/2001")
    assert "Yes" not in wes.text
    assert _answer(wes) not in ("yes", "purpose_required")
    assert desk.held("finn") == before
    assert desk.events("entitlements.decision.made") >= 6


def test_w8_a_manager_asks_what_if_somebody_else_answered_for_a_function(desk: Managed) -> None:
    wes = desk.as_("wes")
    asked = f"{desk.here}/people/{desk.world.finn}/why?function=message.send&line={LINE}"
    assert wes.get(f"{asked}&owner=partner").status == 422
    assert wes.get(f"{asked}&account_number=nobody&owner=affiliate").status == 200


def test_security_62_a_manager_asks_about_nobody_else_and_supposes_nothing_of_others(desk: Managed) -> None:
    wes = desk.as_("wes")
    assert wes.get(f"{desk.here}/people/acc_stranger/why?function=message.send").status == 404
    asked = f"{desk.here}/people/{desk.world.finn}/why?function=message.send&line={LINE}"
    assert wes.get(f"{asked}&without=grt_of_another_person").status == 422
    assert wes.get(f"{asked}&function=fee.view").status == 422
    assert wes.get(f"{asked}&at=tomorrow").status == 422
    assert wes.get(f"{asked}&line=moon").status == 422
    finn = desk.as_("finn")
    assert finn.get(asked).status in (403, 404)


def test_the_support_desk_asks_on_another_day_and_what_if(desk: Managed) -> None:
    sam = desk.as_("sam")
    asked = f"account={desk.world.finn}&provider={desk.world.lakeside}&function=message.send&line={LINE}"
    sam.get(f"/support/people/{desk.world.finn}?p={desk.world.lakeside}&f=message.send&line={LINE}")
    assert "/support/why?account=" in sam.response.text
    assert sam.get(f"/support/why?{asked}").status == 200
    assert _answer(sam) == "yes"
    assert _answer(sam.get(f"/support/why?{asked}&without={_grant(sam)}")) == "entitlement_not_granted"
    assert sam.get(f"/security/why?{asked}").status == 403
    assert desk.as_("wes").get(f"/support/why?{asked}").status == 404
