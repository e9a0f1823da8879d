"""The console's JSON API: the pages' acts by their rules, each change once, lists by cursor, refusals as problems."""

import base64
import json
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text

from idp import clock
from idp.audit import log
from idp.audit.events import Event
from idp.database import transaction
from idp.entitlements import grants
from idp.providers import organisations
from idp.wam import dual_control, requests, reviews
from idp.web.scopes import LINE_NAMES
from tests.console.conftest import Api, promised
from tests.wam.world import LINE

SQLITE = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
"""What the routes call is tested on both databases beside the domain."""


@SQLITE
def test_w4_a_change_is_previewed_made_and_answered_by_its_receipt(api: Api) -> None:
    wes, finn = api.calls("wes"), api.world.finn
    body = {"line": LINE, "functions": ["remit.view"], "ends_at": "2031-01-01T00:00:00Z", "dates_for_all": True}
    shown = wes.post(f"/people/{finn}/preview", body).json()
    assert [one["function"] for one in shown["added"]] == ["remit.view"]
    assert len(shown["removed"]) == 6
    assert api.held("finn") != {"remit.view"}
    made = wes.post(f"/people/{finn}/changes", body | {"seen": shown["seen"], "reason": "posts payments"})
    assert made.status_code == 200
    assert made.json()["did"]["added"] == ["remit.view"]
    assert api.held("finn") == {"remit.view"}
    receipt = made.json()["receipt"]
    assert wes.get(f"/receipts/{receipt}").json() == made.json()
    promise = wes.get(f"/receipts/{receipt}/signed").json()
    assert len(promise["records"]) == 7  # six functions end, one begins
    page = f"/p/{api.world.lakeside}/receipts/{receipt}/signed.json"
    assert json.loads(api.as_("mia").get(page).text) == promise
    assert api.as_("otto").get(page).status == 404
    otto = f"/p/{api.world.harbor}/receipts/{receipt}/signed.json"
    assert api.as_("otto").get(otto).status == 404  # nor under their own practice
    [held] = wes.get(f"/people/{finn}").json()["held"]
    assert (held["function"], held["until"][:10], held["given_by"]) == ("remit.view", "2031-01-01", "Wes Kane")
    late = wes.post(f"/people/{finn}/changes", body | {"seen": shown["seen"], "reason": "again"})
    assert (late.status_code, late.json()["type"].rsplit("/", 1)[-1]) == (409, "changed_meanwhile")
    assert late.headers["content-type"] == "application/problem+json"


def test_a_key_sent_again_gives_the_same_answer_and_with_something_else_is_refused(api: Api) -> None:
    wes, finn = api.calls("wes"), api.world.finn
    body = {"function": None, "lines": [LINE], "reason": "left"}
    first = wes.post(f"/people/{finn}/removals", body, key="k" * 20)
    again = wes.post(f"/people/{finn}/removals", body, key="k" * 20)
    assert first.status_code == again.status_code == 200
    assert first.content == again.content
    found = wes.get("/people", q="finn oak").json()  # who left is found by a search, and only by one
    assert (found["total"], [(one["account"], one["name"]) for one in found["left"]]) == (0, [(finn, "Finn Oakes")])
    assert wes.get("/people", q="ana").json()["left"] == wes.get("/people").json()["left"] == []
    assert "idempotent-replayed" in again.headers
    assert api.one("SELECT count(*) FROM receipt WHERE account_id = :a", a=finn) == 1
    for path, other in (
        (f"/people/{finn}/removals", body | {"reason": "misuse"}),
        (f"/people/{api.world.ana}/removals", body),
    ):
        refused = wes.post(path, other, key="k" * 20)
        assert (refused.status_code, refused.json()["type"].rsplit("/", 1)[-1]) == (422, "idempotency_key_reused")
    mia = api.calls("mia").post(f"/people/{api.world.ana}/removals", body, key="k" * 20)
    assert mia.status_code == 200  # a key is one caller's own
    assert (
        wes.http.post(
            f"{wes.here}/people/{api.world.ana}/removals", json=body, headers={"authorization": f"Bearer {wes.token}"}
        ).status_code
        == 422
    )


@SQLITE
def test_w2_requests_held_changes_and_applications_are_decided_once(api: Api) -> None:
    world = api.world
    with transaction(world.database) as db:
        asked = requests.ask(
            db, account_id=world.ana, provider_id=world.lakeside, line=LINE, entitlement="remit.view", note="posts"
        ).id
        dual_control.hold(
            db, by=world.wes, provider_id=world.lakeside, account_id=world.finn, line=LINE,
            entitlement="eft.manage", starts_at=None, ends_at=None, reason="pays",
        )  # fmt: skip
    wes, mia = api.calls("wes"), api.calls("mia")
    inbox = wes.get("/inbox").json()
    assert [one["request"] for one in inbox["requests"]] == [asked]
    end = (clock.now() + timedelta(days=90)).isoformat()
    made = wes.post(f"/requests/{asked}/decision", {"answer": "approve", "ends_at": end})
    assert made.json()["status"] == "approved"
    assert api.held("ana") == {"remit.view"}
    assert mia.post(f"/requests/{asked}/decision", {"answer": "deny", "reason": "no"}).status_code == 409
    held = inbox["held_changes"][0]["held_change"]
    assert wes.post(f"/held-changes/{held}/decision", {"answer": "confirm"}).status_code == 403
    confirmed = mia.post(f"/held-changes/{held}/decision", {"answer": "confirm"})
    assert confirmed.status_code == 200
    assert confirmed.json()["begins_at"] > (clock.now() + timedelta(hours=23)).isoformat()
    for path in ("/requests/arq_x/decision", "/applications/apl_x/decision"):
        assert wes.post(path, {"answer": "approve"}).status_code == 404


@SQLITE
def test_w7_a_review_is_looked_at_answered_and_signed(api: Api) -> None:
    world = api.world
    with transaction(world.database) as db:
        made = reviews.open_review(db, world.lakeside, LINE, [world.finn], due_at=clock.now() + timedelta(days=40))
        assert made is not None
        review = made.id
    wes = api.calls("wes")
    assert [one["review"] for one in wes.get("/reviews").json()["reviews"]] == [review]
    [row] = wes.get(f"/reviews/{review}").json()["people"]
    assert row["suggestion"] == "Never seen here: remove?"
    assert wes.post(f"/reviews/{review}/signature", {"word": True}).status_code == 409
    assert wes.post(f"/reviews/{review}/answers", {"answers": {world.hana: "keep"}}).status_code == 404
    assert wes.post(f"/reviews/{review}/answers", {"answers": {world.finn: "remove"}}).json() == {"changed": 1}
    assert wes.post(f"/reviews/{review}/signature", {"word": False}).status_code == 422
    assert wes.post(f"/reviews/{review}/signature", {"word": True}).json()["status"] == "signed"
    assert api.held("finn") == set()
    assert wes.get(f"/reviews/{review}").json()["report"]["counts"] == {"keep": 0, "change": 0, "remove": 1}


@SQLITE
def test_w8_w9_reports_go_on_by_cursor_and_managers_are_appointed_and_ended(api: Api) -> None:
    wes, world = api.calls("wes"), api.world
    whole, after, pages = [], "", 0
    while after is not None:
        page = wes.get("/reports/access", limit=3, after=after).json()
        whole += [row["grant_id"] for row in page["rows"]]
        after, pages = page["next"], pages + 1
    assert (len(whole), len(set(whole)), pages) == (8, 8, 3)
    assert wes.get("/reports/access", on="2020-01-01T00:00:00Z").json()["total"] == 0
    foreign = wes.get("/reports/access", limit=3).json()["next"]
    assert wes.get("/reports/history", after=foreign).status_code == 422
    assert api.calls("mia").get("/reports/access", limit=3, after=foreign).status_code == 422
    names = [one["name"] for one in wes.get("/people", limit=2).json()["people"]]
    rest = wes.get("/people", limit=50, after=wes.get("/people", limit=2).json()["next"]).json()
    assert names + [one["name"] for one in rest["people"]] == ["Ana Ruiz", "Finn Oakes", "Mia Ode", "Wes Kane"]
    assert rest["next"] is None
    assert wes.get("/people", q="finn").json()["total"] == 1
    assert wes.get("/people", q="finn").json()["left"] == []  # who works here did not leave
    matrix = wes.get("/reports/matrix").json()
    assert {row["name"]: sum(row["has"]) for row in matrix["people"]} == {"Finn Oakes": 6, "Mia Ode": 1, "Wes Kane": 1}
    assert wes.get("/reports/idle").json()["days"] == 60
    assert wes.get("/reports/history", limit=2).json()["rows"][0]["what"] == "Given"
    made = wes.post("/managers", {"account": world.finn, "line": LINE})
    assert made.status_code == 201
    assert "wam.appointment.made" in promised(api, wes, made)
    ended = wes.post(f"/managers/{made.json()['appointment']}/end", {"reason": "other"})
    assert "wam.appointment.ended" in promised(api, wes, ended)
    assert [one["name"] for one in wes.get("/managers").json()["managers"]] == ["Wes Kane", "Mia Ode"]


@SQLITE
def test_w3_people_are_invited_one_by_one_and_from_a_file_all_or_nobody(api: Api) -> None:
    wes = api.calls("wes")
    one = wes.post(
        "/people", {"name": "Nina Frost", "email": "nina@lakeside.example", "bundle": "biller", "line": LINE}
    )
    assert one.status_code == 201
    assert one.json()["link"].startswith(api.settings.issuer + "/invitations/")
    file = "name,email,job\nKim Lee,kim@lakeside.example,Biller\n=cmd,kim2@lakeside.example,\n"
    shown = wes.post("/imports?dry_run=true", {"csv": file, "line": LINE}).json()
    assert [bool(row["problem"]) for row in shown["lines"]] == [False, True]
    assert wes.post("/imports", {"csv": file, "line": LINE}).status_code == 422
    assert api.one("SELECT count(*) FROM invitation") == 1
    assert wes.post("/imports", {"csv": file.replace("=cmd", "Lou"), "line": LINE}).json()["invited"] == 2
    assert {job["bundle"] for job in wes.get("/holdings", line=LINE).json()["jobs"]} >= {"biller", "front_desk"}


@SQLITE
def test_w3_an_invitation_over_the_api_gives_a_year_a_day_or_no_end(api: Api) -> None:
    wes, body = api.calls("wes"), {"name": "Nina Frost", "bundle": "biller", "line": LINE}
    day = clock.now() + timedelta(days=90)
    year = datetime.fromisoformat(wes.post("/people", body).json()["ends_at"])
    assert timedelta(days=364) < year - clock.now() < timedelta(days=368)
    until = wes.post("/people", body | {"ends_at": day.isoformat()}).json()["ends_at"]
    assert datetime.fromisoformat(until) == day
    assert wes.post("/people", body | {"ends_at": None}).json()["ends_at"] is None
    assert wes.post("/people", {"name": "No Job", "line": LINE}).json()["ends_at"] is None
    for wrong in (
        body | {"ends_at": (clock.now() - timedelta(days=1)).isoformat()},
        body | {"ends_at": "2027-11-30T00:00:00"},
        {"name": "No Job", "line": LINE, "ends_at": day.isoformat()},
    ):
        assert wes.post("/people", wrong).status_code == 422, wrong


@SQLITE
def test_rfc_9470_an_older_second_step_lets_read_and_asks_again_before_a_change(api: Api) -> None:
    wes = api.calls("wes")
    with transaction(api.world.database) as db:
        db.execute(text("UPDATE session SET factor_time = factor_time - 960000000"))
    assert wes.get("/people").status_code == 200
    refused = wes.post(f"/people/{api.world.finn}/removals", {"lines": [LINE], "reason": "left"})
    assert refused.status_code == 401
    assert 'error="insufficient_user_authentication"' in refused.headers["www-authenticate"]
    assert "max_age=900" in refused.headers["www-authenticate"]
    assert api.held("finn") != set()


@SQLITE
def test_the_api_is_described_at_a_stable_address(api: Api) -> None:
    described = api.sites[api.settings.issuer].get("/api/v1/openapi.json").json()
    assert len(described["paths"]) >= 22
    for path, operations in described["paths"].items():
        assert path.startswith(("/api/v1/practices/{p}", "/api/v1/companies/{c}", "/api/v1/me/"))
        for method, operation in operations.items():
            assert operation["summary"]
            names = {one["name"] for one in operation.get("parameters", ())}
            reads = method == "get" or path.endswith("/preview")
            assert ("Idempotency-Key" in names) != reads, path
            assert "application/problem+json" in operation["responses"]["422"]["content"]


@SQLITE
def test_security_17_the_secret_of_an_invitation_is_nowhere_in_the_clear_and_its_answer_is_the_same_again(
    api: Api,
) -> None:
    wes, body = api.calls("wes"), {"name": "New Person", "line": LINE}
    first = wes.post("/people", body, key="i" * 20)
    assert first.status_code == 201, first.text
    secret = first.json()["link"].rpartition("/")[2]
    assert len(secret) > 20
    kept = str(api.one("SELECT body FROM api_answer WHERE key = :k", k="i" * 20))
    assert secret not in kept
    assert secret.encode() not in base64.b64decode(kept)
    again = wes.post("/people", body, key="i" * 20)
    assert (again.status_code, again.content) == (201, first.content)
    with transaction(api.world.database) as db:  # moved to another key it is nobody's answer
        db.execute(text("UPDATE api_answer SET key = :k"), {"k": "j" * 20})
    assert wes.post("/people", body, key="j" * 20).status_code == 409


@SQLITE
def test_security_79_an_auditor_reads_the_lines_they_audit_and_no_other(api: Api) -> None:
    world = api.world
    with transaction(world.database) as db:
        organisations.open_portal(db, world.lakeside, "dental", by="operator")
        organisations.agree(db, world.lakeside, "dental")
        for name, key, line in (("finn", "access.view", "dental"), ("ana", "access.view", LINE)):
            grants.grant(
                db, account_id=world.people[name], provider_id=world.lakeside, line=line, entitlement=key,
                by="operator", reason="audits",
            )  # fmt: skip
        for line in ("dental", LINE):
            about = {"provider": world.lakeside, "account": world.mia, "details": {"line": line}}
            log.record(db, Event("entitlements.grant.ended", reason=f"only in {line}", **about))
    here = f"/p/{world.lakeside}"
    for name, theirs, other in (("finn", "dental", LINE), ("ana", LINE, "dental"), ("wes", LINE, "dental")):
        browser = api.as_(name)
        for path in ("/log", "/log.csv"):
            told = browser.get(here + path).response.text
            assert (f"only in {theirs}" in told, f"only in {other}" in told) == (True, False), (name, path)
        for path in ("/reports/access", "/reports/history") if theirs == LINE else ():  # the app's own line
            assert {row["line"] for row in api.calls(name).get(path).json()["rows"]} == {theirs}, (name, path)
        assert browser.get(f"{here}/reports/access.csv").response.text.count(LINE_NAMES[other]) == 0
        assert browser.get(f"{here}/reports/history.csv").response.text.count(LINE_NAMES[other]) == 0
