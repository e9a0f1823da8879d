"""The desk beyond searching: addresses, parts of names, saved searches, watching, drawings (issue 5)."""

import re
from datetime import timedelta

import pytest
from freezegun import freeze_time
from sqlalchemy import text
from starlette.testclient import TestClient

from idp import clock
from idp.audit import log, origin
from idp.audit.events import Event
from idp.database import Database, transaction
from idp.entitlements import asking, told
from idp.entitlements.decision import OURSELVES, Question, decide
from idp.web.desk import then
from tests.audit.test_desk_pages import _as, _recorded, desk  # noqa: F401 - the desk's world

pytestmark = pytest.mark.usefixtures("desk")


def _key(desk: TestClient, path: str = "/security/search") -> str:  # noqa: F811
    found = re.search(r'name="form_key" value="([^"]+)"', desk.get(path).text)
    assert found is not None
    return found[1]


def _post(desk: TestClient, path: str, **form: str) -> object:  # noqa: F811
    return desk.post(path, data={"form_key": _key(desk), **form}, headers={"origin": "http://localhost:8000"})


def test_se1_a_network_address_is_searched_by_its_hash_and_stands_in_no_address(desk: TestClient) -> None:  # noqa: F811
    answer = _post(desk, "/security/search", address="203.0.113.9")
    where = answer.headers["location"]  # type: ignore[attr-defined]
    assert "203.0.113" not in where
    assert "60 records" in desk.get(where).text
    assert "Enter a network address" in _post(desk, "/security/search", address="far away").text  # type: ignore[attr-defined]
    assert desk.get("/security/search?address=203.0.113.9").status_code == 422


def test_se1_part_of_a_name_finds_a_person_or_offers_those_who_fit(desk: TestClient) -> None:  # noqa: F811
    assert "person=acc_ana" in _post(desk, "/security/search", person="rui").headers["location"]  # type: ignore[attr-defined]
    offered = _post(desk, "/security/search", person="a%").text  # type: ignore[attr-defined]
    assert "Nobody has this name" in offered  # a sign of LIKE is only a letter
    with_both = _post(desk, "/security/search", person="e").text  # type: ignore[attr-defined]
    assert "Nobody has this name" in with_both  # one letter asks for everybody


def test_a_search_is_kept_by_its_name_for_its_owner_alone(desk: TestClient, database: Database) -> None:  # noqa: F811
    saved = _post(desk, "/security/search/saved", save_as="=Lake grants", provider="prv_lake", outcome="done")
    assert saved.headers["location"].endswith("provider=prv_lake&outcome=done")  # type: ignore[attr-defined]
    page = desk.get("/security/search").text
    assert "=Lake grants" in page
    assert _post(desk, "/security/search/saved", save_as="=Lake grants", provider="prv_lake").status_code == 422  # type: ignore[attr-defined]
    [told] = _recorded(database, "audit.search.saved")
    _as(desk, "ana")
    refused = desk.post("/security/search/saved", data={"forget": "x"}, headers={"origin": "http://localhost:8000"})
    assert refused.status_code in (403, 404)
    _as(desk, "sam")
    kept = re.search(r'name="forget" value="(sch_[^"]+)"', desk.get("/security/search").text)
    assert kept is not None
    _post(desk, "/security/search/saved", forget=kept[1])
    assert "=Lake grants" not in desk.get("/security/search").text
    assert (told.actor_id, len(_recorded(database, "audit.search.forgotten"))) == ("acc_sam", 1)


def test_the_live_tail_shows_what_just_came_and_is_recorded_once_a_quarter(
    desk: TestClient,  # noqa: F811
    database: Database,
) -> None:
    first = desk.get("/security/tail?provider=prv_lake")
    again = re.search(r'<meta http-equiv="refresh" content="3;url=([^"]+)"', first.text)
    assert again is not None
    with transaction(database) as db, origin.acting_as("acc_wes", provider_id="prv_lake"):
        log.record(db, Event("entitlements.grant.ended", account="acc_ana"))
    assert "Access was removed" in desk.get("/security/tail?provider=prv_lake").text
    assert "looked=1" in again[1]
    assert 'content="3;' in desk.get(again[1].replace("&amp;", "&")).text
    last = desk.get("/security/tail?provider=prv_lake&looked=100").text
    assert 'content="3;' not in last  # nobody watches for ever: a session that is left alone must end
    assert "data-events" not in last
    assert 'content="3;' not in desk.get("/security/tail?provider=prv_lake&looked=1000000").text
    assert desk.get("/security/tail?looked=x").status_code == 422
    assert len(_recorded(database, "audit.log.watched")) == 1
    with freeze_time(clock.now() + timedelta(minutes=16), tick=True):
        desk.get("/security/tail?provider=prv_lake")
    assert desk.get("/security/tail?until=2026-11-21T09:00Z").status_code == 422


def test_a_session_and_a_device_are_drawn_and_told_as_a_table(desk: TestClient, database: Database) -> None:  # noqa: F811
    with transaction(database) as db:
        for session, outcome in (("ses_one", "permit"), ("ses_one", "deny"), ("ses_two", "done")):
            with origin.acting_as("acc_ana", session_id=session, device_id="dev_desk", provider_id="prv_lake"):
                log.record(db, Event("entitlements.decision.made", account="acc_ana", outcome=outcome))
    page = desk.get("/security/timeline?session=ses_one").text
    wide, slim = re.findall(r'<svg viewBox="0 0 (?:1000|340) .*?</svg>', page, re.DOTALL)
    for drawn, width in ((wide, 1000), (slim, 340)):
        assert drawn.count('fill="#00703c"') == 1
        assert drawn.count('stroke="#b50909"') == 1
        assert all(0 < float(x) < width for x in re.findall(r'cx="([\d.]+)"', drawn))
    assert page.count('<th scope="row">') == 2
    both = desk.get("/security/timeline?device=dev_desk").text
    assert "Ana Ruiz, ses_one" in both
    assert "Ana Ruiz, ses_two" in both
    assert "No records name it" in desk.get("/security/timeline?session=ses_none").text
    assert desk.get("/security/timeline").status_code == 422
    assert len(_recorded(database, "audit.timeline.viewed")) == 3
    assert "style=" not in page


def test_a_map_says_who_acted_for_whom(desk: TestClient, database: Database) -> None:  # noqa: F811
    page = desk.get("/security/acting?of=prv_lake").text
    assert "acc_wes for Lakeside Clinic: 60" in page
    assert "acc_wes for Ana Ruiz: 60" in page
    assert desk.get("/security/acting?of=" + "'x").status_code == 422
    [told] = _recorded(database, "audit.acting.viewed")
    assert told.actor_id == "acc_sam"


@pytest.mark.parametrize("path", ["/security/tail", "/security/timeline?session=ses_1", "/security/acting?of=prv_lake"])
def test_security_79_only_the_desk_may_look(desk: TestClient, path: str) -> None:  # noqa: F811
    _as(desk, "ana")
    assert desk.get(path).status_code in (403, 404)
    _as(desk, None)
    assert desk.get(path).status_code in (303, 401)


def test_every_value_of_a_record_leads_on(desk: TestClient) -> None:  # noqa: F811
    page = desk.get("/security/records/5").text
    for label in (
        "Who acted",
        "Whom it is about",
        "Same practice",
        "Same network address",
        "Same event",
        "Same outcome",
    ):
        assert label in page
    for href in set(re.findall(r'href="(/security/(?:search|timeline|acting)\?[^"]+)"', page)):
        assert desk.get(href.replace("&amp;", "&")).status_code == 200, href


def test_se_6_a_refused_decision_leads_to_its_checks_for_that_person_function_line_and_moment(
    desk: TestClient,  # noqa: F811
    database: Database,
) -> None:
    with transaction(database) as db:
        question = Question("acc_ana", "claim.status.view", "prv_lake", OURSELVES, line="medicare_advantage")
        log.record(db, told.event(question, decide(asking.look_in_session(db, question))))
        number = db.execute(text("SELECT max(seq) FROM audit_record WHERE event = :e"), {"e": then.EVENT}).scalar_one()
    page = desk.get(f"/security/records/{number}").text
    [href] = re.findall(r'href="(/security/why\?[^"]+)"', page)
    assert "Why not: every check of this decision, for Ana Ruiz at that moment" in page
    href = href.replace("&amp;", "&")
    for part in (
        "account=acc_ana",
        "provider=prv_lake",
        "line=medicare_advantage",
        "function=claim.status.view",
        "at=",
    ):
        assert part in href
    answer = desk.get(href)
    assert answer.status_code == 200
    assert re.search(r"Ana Ruiz: [^<]+ for Lakeside Clinic", answer.text)
    assert "/security/why?" not in desk.get("/security/records/5").text
