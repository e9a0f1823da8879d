"""What pages say of access that rests, and of functions that are of no job: why, and who can change it."""

import re
from datetime import timedelta

import pytest

from idp import clock
from idp.database import transaction
from idp.entitlements import pauses
from idp.entitlements.grant_rows import Place
from idp.registration import applications
from idp.wam import emergency, reports, requests, reviews
from tests.flows.managing import Managed, filling, managed
from tests.wam.world import LINE

__all__ = ["filling", "managed"]
pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


def test_ru5_my_access_says_what_rests_why_and_who_can_lift_it(managed: Managed) -> None:
    world = managed.world
    place = Place(world.finn, world.lakeside, LINE)
    with transaction(world.database) as db:
        pauses.suspend(db, place, ["message.send", "idcard.view"], by=world.wes, reason=pauses.AWAY)
        pauses.suspend(db, place, ["idcard.view"], by="operator", reason=pauses.DESK)
    finn = managed.as_("finn").get("/account")
    assert "1 of your functions at Lakeside Clinic is paused by Meridian Health Plan" in finn.text, (
        "not two: one is Wes's"
    )
    for page in ("/account", f"/account/access/{world.lakeside}"):
        finn.get(page)
        assert finn.status == 200
        assert finn.text.count("while you are away; an access manager can lift it") == 1, page
        assert finn.text.count("by our security desk, which alone can lift it") == 1, page


def test_w4_after_a_job_changed_the_page_says_what_stands_on_its_own(managed: Managed) -> None:
    here = f"{managed.here}/people/{managed.world.finn}"
    wes = managed.as_("wes").get(here)
    assert "on its own" not in wes.text
    fields = "&".join(f"f={key}" for key in ("eligibility.view", "network.verify", "estimate.view", "message.send"))
    wes.get(f"{here}/change/check?line={LINE}&bundle=biller&end=none&{fields}")
    assert wes.status == 200, wes.text
    [confirm] = re.findall(r"Confirm \d+ changes?", wes.response.text)
    wes.submit(confirm, reason="bills now")
    wes.get(here)
    assert "Biller" in wes.text
    assert "Front desk" not in wes.text
    assert "on its own" in wes.text
    assert "stays when a job changes or ends" in wes.text


def test_authzen_no_list_is_cut_silently_inbox_and_people_not_seen_say_so(
    managed: Managed, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = managed.world
    monkeypatch.setattr(requests, "MOST_SHOWN", 1)
    monkeypatch.setattr(applications, "MOST_SHOWN", 1)
    monkeypatch.setattr(reports, "IDLE_SHOWN", 2)
    wes = managed.as_("wes").get(f"{managed.here}/inbox")
    assert "The oldest" not in wes.text
    with transaction(world.database) as db:
        for key in ("remit.view", "report.quality"):
            requests.ask(
                db, account_id=world.finn, provider_id=world.lakeside, line=LINE, entitlement=key, note="month end"
            )
        db.connection().exec_driver_sql("UPDATE affiliation SET starts_at = 1")
        found = reports.idle(db, world.lakeside)
    assert [who.display_name for who, _ in found] == ["Ana Ruiz", "Finn Oakes"], "those never seen first, by name"
    wes.get(f"{managed.here}/inbox")
    assert "The oldest 200 of a kind stand here" in wes.text


def test_w7_se4_lists_of_reviews_and_emergencies_say_when_they_are_cut(
    managed: Managed, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, due = managed.world, clock.now() + timedelta(days=40)
    for room in (reviews, emergency):
        monkeypatch.setattr(room, "MOST_SHOWN", 2)
    wes = managed.as_("wes")

    def review_and_use(who: str, kind: str) -> None:
        with transaction(world.database) as db:
            reviews.open_review(db, world.lakeside, LINE, [world.finn], due_at=due, kind=kind)
            emergency.start(
                db, account_id=world.people[who], provider_id=world.lakeside, line=LINE, reason="colleague unreachable"
            )

    for who, kind, said in (("finn", "regular", False), ("ana", "succession", True)):
        review_and_use(who, kind)
        for page in ("reviews", "emergency"):
            wes.get(f"{managed.here}/{page}")
            assert wes.status == 200
            assert ("The newest 2 stand here" in wes.text) is said, (page, who)
