"""The security desk in a browser: who may, what is found, that looking is recorded (ui.md 3.12, 3.15)."""

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from idp.accounts import sessions
from idp.app import create_app
from idp.audit import log, origin, verifier
from idp.audit.checkpoint import load_key
from idp.audit.events import Event
from idp.audit.seal import Sealer
from idp.database import Database, reading, transaction
from idp.settings import Settings
from tests.audit.conftest import as_superuser
from tests.audit.staff import staff
from tests.decisions import world


@pytest.fixture
def desk(settings: Settings, database: Database) -> Iterator[TestClient]:
    world.build(database, staff())
    with transaction(database) as db:
        for who in ("sam", "ana"):
            values = {"h": sessions.hash_of(f"secret-{who}"), "id": f"ses_{who}"}
            db.execute(text("UPDATE session SET token_hash = :h WHERE id = :id"), values)
        with origin.acting_as("acc_wes", provider_id="prv_lake", address="203.0.113.9"):
            for n in range(60):
                details = {"n": n, "html": "<script>alert(1)</script>"}
                log.record(db, Event("entitlements.grant.added", account="acc_ana", details=details))
    Sealer(database).seal_all()
    with TestClient(create_app(settings), base_url=settings.issuer, follow_redirects=False) as client:
        client.headers["accept"] = "text/html"
        _as(client, "sam")
        yield client


def _as(client: TestClient, who: str | None) -> None:
    client.cookies.clear()
    if who:
        client.cookies.set("idp_8000_session", f"secret-{who}")


def _recorded(database: Database, event: str) -> list[Any]:
    with reading(database) as db:
        return list(db.execute(text("SELECT * FROM audit_record WHERE event = :e ORDER BY seq"), {"e": event}).all())


PAGES = (
    "/security/revocations",
    "/security/search",
    "/security/records/1",
    "/security/log",
    "/security/search.csv",
    "/security/search.jsonl",
)


@pytest.mark.parametrize("path", PAGES)
def test_security_79_the_desk_is_for_staff_who_were_given_it(desk: TestClient, path: str) -> None:
    assert desk.get(path).status_code == 200
    _as(desk, "ana")  # not of the insurer: there is nothing here
    assert desk.get(path).status_code == 404
    _as(desk, None)
    answer = desk.get(path)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/sign-in?next=")


def test_security_14_the_desk_asks_for_a_second_factor(desk: TestClient, database: Database) -> None:
    with transaction(database) as db:
        db.execute(
            text("UPDATE session SET factor_time = NULL, acr = :a"), {"a": "http://idmanagement.gov/ns/assurance/aal/1"}
        )
    answer = desk.get("/security/search?outcome=done")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/sign-in/confirm?next=%2Fsecurity%2Fsearch%3Foutcome%3Ddone"


def test_se1_a_name_is_posted_and_the_address_holds_ids_only(desk: TestClient, database: Database) -> None:
    key = _form_key(desk)
    typed = {"form_key": key, "person": "ana ruiz", "provider": "Lakeside Clinic", "since": "11/01/2020", "event": ""}
    answer = desk.post("/security/search", data=typed)
    assert answer.status_code == 303
    where = answer.headers["location"]
    assert where == "/security/search?person=acc_ana&provider=prv_lake&since=2020-11-01T05%3A00%3A00.000Z"
    page = desk.get(where).text
    assert "60 records" in page
    assert "Ana Ruiz" in page
    assert "<script>alert" not in page
    older = re.search(r'href="([^"]+)">Older', page)
    assert older is not None
    second = desk.get(older[1].replace("&amp;", "&")).text
    assert second.count('scope="row"') == 10
    searches = _recorded(database, "audit.log.searched")
    assert len(searches) == 3
    assert searches[-1].actor_id == "acc_sam"
    assert b'"person":"acc_ana"' in bytes(searches[-1].leaf)


def _form_key(desk: TestClient) -> str:
    found = re.search(r'name="form_key" value="([^"]+)"', desk.get("/security/search").text)
    assert found is not None
    return found[1]


def test_what_cannot_be_understood_is_said_at_its_field(desk: TestClient) -> None:
    typed = {"form_key": _form_key(desk), "person": "nobody at all", "since": "yesterday"}
    answer = desk.post("/security/search", data=typed)
    assert answer.status_code == 422
    assert "<title>Error: Search the log" in answer.text
    assert 'value="nobody at all"' in answer.text
    assert "Nobody has this name" in answer.text
    for bad in ("?colour=red", "?outcome=deny&outcome=permit", "?cursor=AAAA", "?since=x"):
        assert desk.get("/security/search" + bad).status_code == 422


def test_a_record_shows_its_fields_its_person_and_its_proof(desk: TestClient, database: Database) -> None:
    page = desk.get("/security/records/7").text
    assert "Record 7: Access was given" in page
    assert "203.0.113.9" in page
    assert "records under checkpoint" in page
    assert "&lt;script&gt;" in page
    assert [row.actor_id for row in _recorded(database, "audit.record.viewed")] == ["acc_sam"]
    for missing in ("0", "99999", "x", "9" * 30):
        assert desk.get(f"/security/records/{missing}").status_code == 404


def test_se5_exports_are_recorded_and_proven(desk: TestClient, database: Database) -> None:
    body = desk.get("/security/search.jsonl?person=acc_ana").content
    public = load_key(database.settings.audit_key_file).public_key()
    result = verifier.verify(body.splitlines(), public)
    assert (result.records, result.last) == (60, 61)
    answer = desk.get("/security/search.csv?person=acc_ana")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert len(answer.text.splitlines()) == 61
    assert len(_recorded(database, "audit.log.exported")) == 2
    assert desk.get("/security/log/key.pem").text.startswith("-----BEGIN PUBLIC KEY")


def test_se5_the_proof_page_says_whole_and_names_the_first_bad_record(desk: TestClient, database: Database) -> None:
    page = desk.get("/security/log").text
    assert "The log is whole: 61 records verified" in page
    as_superuser(database, "UPDATE audit_record SET mac = leaf, leaf = mac WHERE seq = 20")
    page = desk.post("/security/log", data={"form_key": _form_key(desk)}).text
    assert "The log is not whole" in page
    assert "Record 20 was changed after it was sealed." in page
    assert [row.outcome for row in _recorded(database, "audit.log.verified")] == ["done", "failed"]


def test_a_large_log_is_verified_aside_and_shown_when_done(
    desk: TestClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("idp.web.desk.log.AT_ONCE", 10)
    assert "Nobody has verified the log" in desk.get("/security/log").text
    key = _form_key(desk)
    desk.post("/security/log", data={"form_key": key})
    for _ in range(100):
        page = desk.get("/security/log").text
        if "The log is whole" in page and "being verified" not in page:
            break
        time.sleep(0.05)
    assert "The log is whole: 61 records verified" in page
    assert [row.actor_id for row in _recorded(database, "audit.log.verified")] == ["acc_sam"]
