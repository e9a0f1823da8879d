"""The API of a company's own side: as its pages, by its administrators, and never by a token made for a practice."""

from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import col, select

from idp import clock
from idp.accounts.tables import Session as BrowserSession
from idp.database import transaction
from idp.first_managers import keys as proof_keys
from idp.partners.tables import PartnerMember
from idp.registration.tables import ProofKey
from idp.wam import delegation_requests
from tests.console.conftest import Api
from tests.console.test_api_companies import api, filling, parties
from tests.console.test_escalation import BARRED
from tests.wam.world import LINE

__all__ = ["api", "filling"]
pytestmark = [
    pytest.mark.parametrize("engine", ["sqlite"], indirect=True),
    pytest.mark.usefixtures("companies_app"),
]
"""What the routes call is tested on both databases beside the domain."""


def measure(*functions: str, days: int = 40, **more: Any) -> dict[str, Any]:
    ends = (clock.now() + timedelta(days=days)).isoformat()
    return {"functions": list(functions) or ["eligibility.view"], "lines": [LINE], "ends_at": ends, **more}


def test_w6_a_company_assigns_passes_on_withdraws_and_gives_back_over_the_api(api: Api) -> None:
    world = parties(api)
    delegation = world.delegate(redelegable=True)
    ada = api.calls("ada", company=world.firm)
    [shown] = ada.get("/delegations").json()["delegations"]
    assert (shown["delegation"], shown["practice"], shown["practice_name"]) == (
        delegation,
        world.lakeside,
        "Lakeside Clinic",
    )
    assert ada.get(f"/delegations/{delegation}").json()["most"]["functions"] == [
        "claim.status.view",
        "eligibility.view",
    ]
    path = f"/delegations/{delegation}/assignments"
    made = ada.post(path, measure(account=world.people["bo"]), key="a" * 20)
    assert made.status_code == 200, made.text
    assert ada.post(path, measure("remit.view", account=world.people["bo"]), key="a" * 20).status_code == 422
    assert world.can("bo")
    for wrong in (
        measure("remit.view", account=world.people["bo"]),
        measure(account=world.people["fay"]),
        measure(account=world.people["ada"]),
        measure(account=world.people["bo"], days=900),
        measure(account=world.people["bo"], lines=["dental"]),
    ):
        assert ada.post(path, wrong).status_code in (403, 404, 422), wrong
    [other] = ada.get(f"/delegations/{delegation}/companies").json()["companies"]
    assert other["company"] == world.helper
    passed = ada.post(f"/delegations/{delegation}/passed-on", measure(company=world.helper)).json()["delegation"]
    ed = api.calls("ed", company=world.helper)
    assert [one["delegation"] for one in ed.get("/delegations").json()["delegations"]] == [passed]
    assert ed.post(f"/delegations/{delegation}/end", {}).status_code == 404
    assert ada.get(f"/delegations/{delegation}").json()["passed_on"][0]["delegation"] == passed
    taken = ada.post(f"/delegations/{delegation}/end", {"passed_on": passed}).json()
    assert (taken["delegation"], taken["end_reason"]) == (passed, "taken_back")
    gone = ada.post(f"/delegations/{delegation}/people/{world.people['bo']}/removal", None)
    assert gone.json()["ended"] == 1
    assert not world.can("bo")
    ada.post(path, measure(account=world.people["cy"]))
    [loss] = ada.post(f"/delegations/{delegation}/preview", {}).json()["losses"]
    assert loss["account"] == world.people["cy"]
    assert ada.post(f"/delegations/{delegation}/end", {}).json()["end_reason"] == "given_back"
    assert ada.post(f"/delegations/{delegation}/end", {}).status_code == 409
    assert not world.can("cy")


def test_w6_a_company_invites_names_and_lets_go_and_asks_practices_over_the_api(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = parties(api)
    ada = api.calls("ada", company=world.firm)
    people = {one["name"]: one for one in ada.get("/people").json()["people"]}
    assert {name: one["administrator"] for name, one in people.items()} == {
        "Ada Poe": True, "Bo Lind": False, "Cy Marsh": False,
    }  # fmt: skip
    made = ada.post("/people", {"name": "Gil Roe", "email": "gil@company.example"})
    assert "/invitations/" in made.json()["link"], made.text
    me = people["Ada Poe"]["member"]
    assert ada.post(f"/people/{me}/administrator", {"administrator": False}).status_code == 409, "the last one stays"
    assert ada.post(f"/people/{me}/removal", None).status_code == 409
    assert ada.post(f"/people/{people['Bo Lind']['member']}/administrator", {"administrator": True}).status_code == 200
    assert ada.post(f"/people/{people['Cy Marsh']['member']}/removal", None).json()["ended"] is True
    with transaction(world.database) as db:
        fay = db.exec(select(PartnerMember).where(col(PartnerMember.account_id) == world.people["fay"])).one().id
    assert ada.post(f"/people/{fay}/removal", None).status_code == 404
    known = ada.post("/requests", measure(tin="12-3456789", note="Bills")).json()
    unknown = ada.post("/requests", measure(tin="55-5555555", note="Bills")).json()
    assert known.keys() == unknown.keys()
    assert (known["status"], known["tin_last4"]) == (unknown["status"], "6789")
    assert ada.post("/requests", measure(tin="12", note="Bills")).status_code == 422
    assert ada.post("/requests", measure("eft.manage", tin="12-3456789", note="Bills")).status_code == 422
    assert ada.post(f"/requests/{known['request']}/withdrawal", None).json()["status"] == "withdrawn"
    assert {one["status"] for one in ada.get("/requests").json()["requests"]} == {"requested", "withdrawn"}
    late = ada.post("/requests", measure(tin="12-3456788", note="Bills")).json()
    ada.post(f"/requests/{late['request']}/withdrawal", None)
    assert ada.get("/requests").json()["more"] is False
    monkeypatch.setattr(delegation_requests, "MOST_SHOWN", 1)
    cut = ada.get("/requests").json()
    assert [one["request"] for one in cut["requests"]] == [unknown["request"]], "what waits is never cut for newer ones"
    assert cut["more"] is True
    assert (
        api.calls("ed", company=world.helper).post(f"/requests/{unknown['request']}/withdrawal", None).status_code
        == 404
    )
    again = [ada.post("/people", {"name": "Gil", "email": "Gil@company.example"}).status_code for _ in range(5)]
    assert again == [201] * 4 + [429], "nobody's mailbox is filled by a company either"


def test_w6_a_company_s_api_is_there_for_its_administrators_alone_and_for_no_practice_s_token(api: Api) -> None:
    world = parties(api)
    delegation = world.delegate()
    for name, company in (("bo", world.firm), ("ed", world.firm), ("wes", world.firm), ("ada", world.helper)):
        caller = api.calls(name, company=company)
        assert caller.get("/delegations").status_code == 404, name
        assert caller.post("/people", {"name": "X", "email": "x@x.example"}).status_code == 404, name
    world.assign(delegation, who="bo")
    with transaction(world.database) as db:  # Bo administers, and has a token made for the practice
        row = db.exec(select(PartnerMember).where(col(PartnerMember.account_id) == world.people["bo"])).one()
        row.administrator = True
        db.add(row)
    bo = api.calls("bo", company=world.firm)
    assert bo.get("/delegations").status_code == 200
    of_practice = api.calls("bo")
    of_practice.here = bo.here
    assert of_practice.get("/delegations").status_code == 404, "an app's token for a practice is for that alone"
    bo.here = f"/api/v1/practices/{world.lakeside}"
    assert bo.get("/people").status_code == 404
    bo.here = f"/api/v1/companies/{world.firm}"
    with transaction(world.database) as db:
        for session in db.exec(select(BrowserSession).where(col(BrowserSession.account_id) == world.people["bo"])):
            session.factor_time = clock.now() - timedelta(hours=1)
            db.add(session)
    asked = bo.post(f"/delegations/{delegation}/end", {})
    assert (asked.status_code, "max_age=" in asked.headers["www-authenticate"]) == (401, True)
    assert world.row(delegation).ended_at is None


def test_w1_staff_print_a_letter_once_and_enter_a_call_back_over_the_api(api: Api, facts: dict[str, Any]) -> None:
    world, claim = api.world, str(facts["claim"])
    insurer = str(api.one("SELECT id FROM provider WHERE kind = 'insurer'"))
    sam, una = api.calls("sam", practice=insurer), api.calls("una", practice=insurer)
    with transaction(world.database) as db:
        proof_keys.ask_letter(db, claim, account_id=world.nina)
        code = proof_keys.ask_call(db, claim, account_id=world.nina)
    [letter] = sam.get("/first-manager-letters").json()["letters"]
    assert "key" not in letter
    path = f"/first-manager-letters/{letter['letter']}/print"
    assert api.calls("wes").post(path, None).status_code in BARRED
    printed = sam.post(path, None, key="p" * 20)
    assert (printed.json()["practice"], len(printed.json()["key"].replace(" ", "").replace("-", ""))) == (
        "North Shore",
        16,
    )
    assert sam.post(path, None, key="p" * 20).status_code == 409, "its key is nowhere any more"
    assert printed.json()["key"] not in str(api.one("SELECT group_concat(body) FROM api_answer"))
    with transaction(world.database) as db:
        assert db.exec(select(ProofKey.letter).where(col(ProofKey.id) == letter["letter"])).one() is None
    wrong = una.post(f"/first-managers/{claim}/called", {"code": "000000" if code != "000000" else "111111"})
    assert wrong.status_code in (409, 422)
    assert una.post(f"/first-managers/{claim}/called", {"code": code}).json()["claim"]["status"] == "proven"
    for handled in (sam, una):
        assert handled.post(f"/first-managers/{claim}/confirm", {"identity": "passport"}).status_code == 403
