"""RU-5: a person reads what they may do, from whom, until when, and gives back what they don't need, at once."""

import pytest

from idp import clock
from idp.database import transaction
from idp.entitlements import asking, grants
from idp.entitlements.decision import OURSELVES, Question
from idp.providers import affiliations
from idp.providers.tables import Agreement, Participation, PortalAccess, Provider
from tests.browser import Browser
from tests.sign_in_world import World, sign_in

KEYS = ("claim.status.view", "remit.view")


@pytest.fixture
def given(world: World) -> dict[str, str]:
    """Ana holds two functions at Lakeside, given by Wes; returns grant ids by function."""
    ids = world.ids()
    with transaction(world.database) as db:
        now = clock.now()
        for table in (PortalAccess, Agreement, Participation):
            more = {"opened_by": "operator"} if table is PortalAccess else {}
            more |= {"network": "main"} if table is Participation else {}
            db.add(table(provider_id="prv_lakeside", line="medical", starts_at=now, **more))
        db.flush()
        return {key: _give(db, ids["ana"], key, ids["wes"]) for key in KEYS}


def _give(db, account_id: str, key: str, by: str, provider_id: str = "prv_lakeside") -> str:
    made = grants.grant(
        db, account_id=account_id, provider_id=provider_id, line="medical", entitlement=key, by=by, reason="job"
    )
    return made.id


def reason_for(world: World, key: str) -> str | None:
    question = Question(
        account_id=world.ids()["ana"], entitlement=key, provider_id="prv_lakeside", app=OURSELVES, line="medical"
    )
    with transaction(world.database) as db:
        return asking.decide_in_session(db, question).reason


def test_ru5_home_says_what_from_whom_since_until_and_where_the_rest_is(world: World, given: dict[str, str]) -> None:
    browser = sign_in(world.browser())
    assert browser.title.startswith("What can I do")
    for words in ("Claim status", "Wes Kane", "no end date", "Who controls my access?", "Logins (1)", "1 signed in"):
        assert words in browser.text, words
    assert "Notices (2 addresses)" in browser.text
    assert "second address" not in browser.text


def test_ru5_what_is_given_back_ends_at_once_and_only_that(world: World, given: dict[str, str]) -> None:
    before = [reason_for(world, key) for key in KEYS]
    assert "entitlement_not_granted" not in before
    browser = sign_in(world.browser()).click("I don't need all of this at Lakeside")
    browser.submit("I don't need these any more", grant=given["remit.view"])
    assert "1 function given back" in browser.text
    assert reason_for(world, "remit.view") == "entitlement_not_granted"
    assert reason_for(world, "claim.status.view") == before[0]
    ended = world.count('"grant"', "ended_at IS NOT NULL AND end_reason = 'not_needed'")
    assert ended == 1
    assert world.count("revocation", "kind = 'grant_ended'") == 1


def test_ru5_nothing_of_another_person_or_practice_can_be_given_back(world: World, given: dict[str, str]) -> None:
    ids = world.ids()
    with transaction(world.database) as db:
        db.add(Provider(id="prv_harbor", name="Harbor Imaging"))
        db.flush()
        affiliations.approve(db, account_id=ids["wes"], provider_id="prv_harbor", by="operator")
        foreign = [_give(db, ids["wes"], "remit.view", "operator", at) for at in ("prv_lakeside", "prv_harbor")]
    browser = sign_in(world.browser()).get("/account/access/prv_lakeside")
    key = dict(browser.form("I don't need").fields)["form_key"]
    for grant_id in foreign:
        browser.post("/account/access/prv_lakeside", {"form_key": key, "grant": grant_id})
        assert browser.status == 422
        assert "Choose what you don't need any more" in browser.text
    assert browser.get("/account/access/prv_harbor").status == 404
    assert world.count('"grant"', "ended_at IS NOT NULL") == 0


def test_ru5_nobody_comes_here_signed_out(world: World) -> None:
    browser: Browser = world.browser().get("/account/access/prv_lakeside")
    assert browser.path == "/sign-in"
