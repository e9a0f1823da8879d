"""W-7: access managers confirm who has what; silence pauses, and after a time of grace it ends."""

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from freezegun import freeze_time
from sqlmodel import col, select

from idp import clock
from idp.database import transaction
from idp.entitlements.tables import Appointment
from idp.errors import Conflict, NotEntitled
from idp.jobs import reviews as job
from idp.wam import appointments, review_calendar, reviews
from idp.wam.tables import Review
from tests.flows.managing import Managed, filling, managed
from tests.wam.test_more_receipts import events
from tests.wam.world import LINE

__all__ = ["filling", "managed"]
ZONE = ZoneInfo("America/Chicago")


def opened(managed: Managed, due: timedelta = timedelta(days=45)) -> str:
    """A review of Finn and Mia, who have functions."""
    managed.give("mia", "remit.view")
    with transaction(managed.world.database) as db:
        people = [managed.world.finn, managed.world.mia]
        made = reviews.open_review(db, managed.world.lakeside, LINE, people, due_at=clock.now() + due)
        assert made is not None
        return made.id


def later(managed: Managed, moment: datetime) -> None:
    """Run the jobs once at a moment."""
    with freeze_time(moment):
        job.run(managed.world.database)


def test_w7_a_manager_answers_about_each_person_signs_and_the_report_is_stored(managed: Managed) -> None:
    review, world = opened(managed), managed.world
    wes = managed.as_("wes").get(f"{managed.here}/reviews").click("Who has what")
    assert "2 people, 2 without an answer" in wes.text
    assert "Finn Oakes" in wes.text
    assert "Never seen here" in wes.text
    wes.submit("Sign the review")
    for words in ("Answer about Finn Oakes.", "Answer about Mia Ode.", "Check the box to sign."):
        assert words in wes.text  # all at once
    wes.submit("Sign the review", word="yes", **{f"a-{world.mia}": "keep"})
    assert wes.status == 422
    assert "Answer about Finn Oakes." in wes.text
    assert "Answer about Mia Ode." not in wes.text
    before = managed.held("finn")
    wes.get(f"{managed.here}/reviews/{review}")
    wes.submit("Save, go on later", **{f"a-{world.finn}": "remove", f"a-{world.mia}": "keep"})
    assert managed.held("finn") == before != set()
    wes.submit("Sign the review")
    assert wes.status == 422
    wes.submit("Sign the review", word="yes")
    assert "1 kept, 0 changed, 1 removed" in wes.text
    assert managed.held("finn") == set()
    assert managed.held("mia") == {"remit.view"}
    with transaction(world.database) as db:
        report = db.get(Review, review).report
    about = {line["account"]: line for line in report["people"]}
    assert about[world.finn]["answer"] == "remove"
    assert {g["function"] for g in about[world.finn]["grants"]} == before
    assert managed.events("wam.review.signed") == 1
    assert "Signed" in wes.get(f"{managed.here}/reviews/{review}").text


def test_w7_changed_is_an_answer_only_after_a_change(managed: Managed) -> None:
    review, world = opened(managed), managed.world
    wes = managed.as_("wes").get(f"{managed.here}/reviews/{review}")
    wes.submit("Save, go on later", **{f"a-{world.finn}": "change"})
    assert wes.status == 422
    assert "Change the access of this person first" in wes.text
    wes.get(f"{managed.here}/people/{world.finn}/change/check?f=message.send&end=none&all=yes")
    wes.submit("Confirm", reason="only messages")
    wes.get(f"{managed.here}/reviews/{review}").submit("Save, go on later", **{f"a-{world.finn}": "change"})
    assert wes.status == 200
    assert managed.one("SELECT answer FROM review_item WHERE account_id = :a", a=world.finn) == "change"


def test_w7_the_page_says_from_which_date_the_next_review_opens_and_the_job_keeps_it(managed: Managed) -> None:
    wes, now = managed.as_("wes"), clock.now()
    with transaction(managed.world.database) as db:
        coming = review_calendar.next_of(db, managed.world.lakeside, LINE)
        assert review_calendar.next_of(db, managed.world.lakeside, "dental") is None  # nobody has functions there
    assert coming is not None
    opens, due = (f"{day.astimezone(ZONE):%b} {day.astimezone(ZONE).day}, {day.year}" for day in coming)
    assert f"Medical: opens {opens}, answer by {due}" in wes.get(f"{managed.here}/reviews").text.replace(" ,", ",")
    assert coming[0] > now
    later(managed, now)
    later(managed, coming[0] - timedelta(minutes=1))
    assert managed.one("SELECT count(*) FROM review WHERE provider_id = :p", p=managed.world.lakeside) == 0
    later(managed, coming[0] + timedelta(days=1))
    assert managed.one("SELECT count(*) FROM review WHERE provider_id = :p", p=managed.world.lakeside) == 1
    with transaction(managed.world.database) as db:
        made = db.exec(select(Review).where(col(Review.provider_id) == managed.world.lakeside)).one()
        assert made.due_at - coming[1] <= timedelta(days=1)
    assert "How the next one begins" not in wes.get(f"{managed.here}/reviews").text  # one is open


def test_w7_who_signs_reads_what_each_person_has_and_the_report_says_from_what_to_what(managed: Managed) -> None:
    review, world = opened(managed), managed.world
    wes = managed.as_("wes").get(f"{managed.here}/people/{world.finn}/change/check?f=message.send&f=fee.view&end=year")
    wes.submit("Confirm", reason="other work")
    wes.get(f"{managed.here}/people/{world.mia}/change/check?f=remit.view&end=date&until=12/31/2099&all=yes")
    wes.submit("Confirm", reason="until then")
    wes.get(f"{managed.here}/reviews/{review}")
    assert "Fee schedules and changes, Secure messages" in wes.text
    assert "Eligibility and benefits" not in wes.text
    wes.submit("Sign the review", word="yes", **{f"a-{world.finn}": "change", f"a-{world.mia}": "change"})
    assert "0 kept, 2 changed" in wes.text
    assert re.search(r"Removed: Eligibility and benefits, [\w, -]+\. Added: Fee schedules and changes", wes.text)
    assert "Remittance: was no end date, is until Dec 31, 2099" in wes.text
    assert "Fee schedules and changes, Secure messages" in wes.text
    receipt = re.search(r"/p/\w+/receipts/\w+", wes.response.text)
    assert receipt is not None
    promise = wes.get(receipt[0]).click("Save the signed receipt").response.json()
    assert events(world.database, promise) == ["wam.review.signed"]


def test_w7_unanswered_are_suspended_on_the_due_date_an_answer_lets_them_go_on(managed: Managed) -> None:
    review, world = opened(managed), managed.world
    due = clock.now() + timedelta(days=45)
    with transaction(world.database) as db:
        reviews.answer(db, db.get(Review, review), {world.mia: "keep"}, by=world.wes)
    later(managed, due - timedelta(seconds=5))
    assert managed.events("wam.review.missed") == 0
    soon = due + timedelta(seconds=5)
    later(managed, soon)
    assert managed.held("finn", soon) == set()
    assert managed.held("mia", soon) == {"remit.view"}
    assert managed.events("wam.review.missed") == 1
    with freeze_time(due + timedelta(days=3)), transaction(world.database) as db:
        found = db.get(Review, review)
        reviews.answer(db, found, {world.finn: "keep"}, by=world.wes)
        reviews.sign(db, found, by=world.wes, word=True)
    later(managed, due + timedelta(days=20))
    for days in (3, 20):
        assert managed.held("finn", due + timedelta(days=days)) != set()


def test_w7_what_nobody_answers_about_ends_after_the_grace_and_the_report_says_so(managed: Managed) -> None:
    review, world = opened(managed), managed.world
    due = clock.now() + timedelta(days=45)
    later(managed, due)
    later(managed, due + timedelta(days=14))
    with transaction(world.database) as db:
        found = db.get(Review, review)
        assert found.status == "ended"
        assert {line["account"] for line in found.report["people"]} == {world.finn, world.mia}
        assert review_calendar.due_of_people(db, world.lakeside, LINE) == {}
        with pytest.raises(Conflict, match="over"):
            reviews.answer(db, found, {world.finn: "keep"}, by=world.wes)
    assert managed.held("finn", due + timedelta(days=15)) == set()


def test_security_64_nobody_answers_about_themselves_and_strangers_see_no_review(managed: Managed) -> None:
    review, world = opened(managed), managed.world
    mia = managed.as_("mia").get(f"{managed.here}/reviews/{review}")
    assert "Another access manager answers about you" in mia.text
    with pytest.raises(NotEntitled), transaction(world.database) as db:
        reviews.answer(db, db.get(Review, review), {world.mia: "keep"}, by=world.mia)
    assert managed.as_("otto").get(f"{managed.here}/reviews/{review}").status == 404
    assert managed.as_("otto").get(f"/p/{world.harbor}/reviews/{review}").status == 404
    with pytest.raises(NotEntitled), transaction(world.database) as db:
        reviews.answer(db, db.get(Review, review), {world.finn: "keep"}, by=world.otto)


def test_w7_reviews_open_by_the_calendar_sooner_for_money_and_notices_go_out_once(managed: Managed) -> None:
    managed.give("finn", "eft.manage")
    with transaction(managed.world.database) as db:
        due = review_calendar.due_of_people(db, managed.world.lakeside, LINE)
    assert due[managed.world.finn] - clock.now() < timedelta(days=91)
    start = clock.now()
    later(managed, start)
    assert managed.one("SELECT count(*) FROM review") == 0
    for day in (46, 47, 71, 84, 90):
        later(managed, start + timedelta(days=day))
        later(managed, start + timedelta(days=day))
    assert managed.one("SELECT count(*) FROM review WHERE provider_id = :p", p=managed.world.lakeside) == 1
    assert managed.one("SELECT reminded FROM review WHERE provider_id = :p", p=managed.world.lakeside) == 4


def test_w7_a_removal_at_the_signature_that_fails_leaves_everything_as_it_was(managed: Managed) -> None:
    review, world = opened(managed), managed.world
    with transaction(world.database) as db:
        found = db.get(Review, review)
        reviews.answer(db, found, {world.finn: "remove"}, by=world.wes)
        reviews.answer(db, found, {world.mia: "remove"}, by=world.wes)
    with transaction(world.database) as db:
        mine = db.exec(select(Appointment).where(Appointment.account_id == world.wes)).one()
        appointments.end(db, mine, by="operator", reason="left")
    with pytest.raises(NotEntitled), transaction(world.database) as db:
        reviews.sign(db, db.get(Review, review), by=world.wes, word=True)
    assert managed.held("finn") != set()
