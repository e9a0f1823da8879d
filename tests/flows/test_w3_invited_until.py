"""W-3: a job given with an invitation ends when the access manager said, a year from now unless they said otherwise."""

from datetime import UTC, datetime, timedelta

import pytest
from freezegun import freeze_time

from idp import clock
from idp.database import transaction
from idp.registration import accepting, invitations
from idp.web import dates
from tests.browser import Browser
from tests.flows.managing import Managed, filling, managed

__all__ = ["filling", "managed"]


def add(managed: Managed, **more: str) -> Browser:
    form = {"name": "Sol Vega", "bundle": "biller", **more}
    return managed.as_("wes").get(f"{managed.here}/people/new").submit("Make the invitation link", **form)


def accepted(managed: Managed) -> set[datetime | None]:
    """Take the only invitation up; return the ends of what it gave."""
    with transaction(managed.world.database) as db:
        sol = accepting.accept(db, managed.one("SELECT id FROM invitation")).id
        managed.world.people["sol"] = sol
    given = managed.ends("sol")
    assert given
    return given


def test_w3_a_job_given_with_an_invitation_lasts_a_year_unless_another_end_is_chosen(managed: Managed) -> None:
    page = managed.as_("wes").get(f"{managed.here}/people/new")
    access = managed.as_("wes").get(f"{managed.here}/people/{managed.world.ana}/change")
    for words in ("One year, until ", "Until a day", "No end date", "The end date is the last day."):
        assert words in page.text
        assert words in access.text
    made = page.submit("Make the invitation link", name="Sol Vega", bundle="biller")
    assert "Accepting gives the job Biller, until " in made.text
    [end] = accepted(managed)
    assert end is not None
    assert timedelta(days=364) < end - clock.now() < timedelta(days=368)


def test_w3_the_day_chosen_for_an_invitation_is_the_last_of_what_it_gives(managed: Managed) -> None:
    assert "Accepting gives the job Biller, until Nov 30, 2027." in add(managed, end="date", until="11/30/2027").text
    assert accepted(managed) == {datetime(2027, 12, 1, 6, tzinfo=UTC)}


def test_w3_no_end_date_is_given_only_where_it_was_chosen(managed: Managed) -> None:
    assert "Accepting gives the job Biller, no end date." in add(managed, end="none").text
    assert accepted(managed) == {None}


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_w3_an_end_that_can_not_be_is_refused_and_nobody_is_invited(managed: Managed) -> None:
    for more, words in (
        ({"end": "date", "until": "11/20/2020"}, "Enter a day that has not passed."),
        ({"end": "date", "until": "soon"}, "Enter a date such as"),
        ({"end": "date", "until": ""}, "Enter a date such as"),
        ({"end": "ever"}, "Choose how long."),
        ({"end": "year", "until": "11/30/2027"}, "You typed a last day, 11/30/2027"),
        ({"end": "date", "until": "11/30/2027", "bundle": ""}, "Choose the job that ends with this day."),
    ):
        answer = add(managed, **more)
        assert answer.status == 422, more
        assert words in answer.text
    assert not managed.one("SELECT count(*) FROM invitation")


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_w3_an_invitation_whose_access_has_ended_brings_nobody_in(managed: Managed) -> None:
    zone = managed.settings.time_zone
    today = dates.last_day(clock.now(), zone)
    add(managed, end="date", until=dates.us(today))
    with freeze_time(dates.end_of(today, zone), tick=True), transaction(managed.world.database) as db:
        invitation = managed.one("SELECT id FROM invitation")
        with pytest.raises(invitations.InvitationLost, match="The access this invitation gives has ended"):
            accepting.accept(db, invitation)


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_w3_an_invitation_of_before_keeps_giving_what_it_promised(managed: Managed) -> None:
    add(managed)
    managed.one("UPDATE invitation SET access_ends_at = NULL RETURNING id")
    assert accepted(managed) == {None}


def test_w3_a_file_says_for_each_person_how_long(managed: Managed) -> None:
    file = "name,email,job,until\nSol,s@c.example,Biller,11/30/2027\n"
    file += "Uma,u@c.example,Biller,none\nKim,k@c.example,Biller,\n"
    wes = managed.as_("wes").get(f"{managed.here}/people/import").submit("Check the file", pasted=file)
    assert "until Nov 30, 2027" in wes.text
    assert "no end date" in wes.text
    wes.submit("Invite 3 people")
    ends = [
        managed.one("SELECT access_ends_at FROM invitation WHERE email = :e", e=f"{who}@c.example") for who in "suk"
    ]
    assert ends[0] == clock.micros(datetime(2027, 12, 1, 6, tzinfo=UTC))
    assert ends[1] is None
    assert timedelta(days=364) < timedelta(microseconds=ends[2] - clock.micros(clock.now())) < timedelta(days=368)
    bad = "name,email,job,until\nA,a@c.example,Biller,soon\nB,b@c.example,Biller,1/1/2020\nC,c@c.example,,1/1/2090\n"
    wes = managed.as_("wes").get(f"{managed.here}/people/import").submit("Check the file", pasted=bad)
    for words in ("3 of 3 lines", "Until: a last day to come", "Until: only beside a job."):
        assert words in wes.text
