"""A person's own acts over the API: asking, giving back, and becoming a practice's first access manager (RU-5, W-1)."""

import pytest
from sqlalchemy import text

from idp import clock
from idp.database import transaction
from idp.first_managers import confirming
from idp.first_managers import facts as known_facts
from tests.console.conftest import Api, Calling
from tests.first_managers.world import LIST, TIN, claim
from tests.wam.world import LINE, practice

pytestmark = [
    pytest.mark.parametrize("engine", ["sqlite"], indirect=True),
    pytest.mark.usefixtures("companies_app"),
]
"""What the routes call is tested on both databases beside the domain."""


def own(api: Api, name: str, practice_id: str | None = None) -> Calling:
    """Return a person's calls about their own access at the practice of their token."""
    made = api.calls(name, practice=practice_id)
    made.here = f"/api/v1/me/practices/{practice_id or api.world.lakeside}"
    return made


def test_ru5_a_person_asks_takes_back_and_gives_back_over_the_api(api: Api) -> None:
    world = api.world
    ana, finn = own(api, "ana"), own(api, "finn")
    assert ana.get("/access").json() == {"functions": []}
    offered = {one["function"] for one in ana.get("/askable", line=LINE).json()["functions"]}
    assert "remit.view" in offered
    assert "access.manage" not in offered
    wish = {"line": LINE, "function": "remit.view", "note": "month end"}
    asked = ana.post("/requests", wish, key="r" * 20)
    assert asked.status_code == 201, asked.text
    assert ana.post("/requests", wish, key="r" * 20).json() == asked.json()
    assert ana.post("/requests", wish).status_code == 422, "it waits already"
    for wrong in ({"function": "access.manage"}, {"line": "dental"}, {"note": ""}, {"account": world.finn}):
        assert ana.post("/requests", wish | wrong).status_code == 422, wrong
    number = asked.json()["request"]
    assert finn.post(f"/requests/{number}/withdrawal", {}).status_code == 404, "somebody else's"
    [waiting] = [one for one in api.calls("wes").get("/inbox").json()["requests"] if one["request"] == number]
    assert waiting["function"] == "remit.view"
    assert ana.post(f"/requests/{number}/withdrawal", {}).status_code == 200
    assert ana.post(f"/requests/{number}/withdrawal", {}).status_code == 404
    assert [one["status"] for one in ana.get("/requests").json()["requests"]] == ["withdrawn"]
    assert "message.send" in {one["function"] for one in finn.get("/access").json()["functions"]}
    back = {"line": LINE, "function": "message.send"}
    assert ana.post("/given-back", back).status_code == 404
    assert finn.post("/given-back", back).json()["ended"] == 1
    assert "message.send" not in api.held("finn")


def test_security_62_own_acts_are_at_the_practice_of_the_token_alone(api: Api) -> None:
    hana = own(api, "hana", api.world.harbor)
    assert hana.get("/access").status_code == 200
    hana.here = f"/api/v1/me/practices/{api.world.lakeside}"
    assert hana.get("/access").status_code == 404
    assert hana.post("/given-back", {"line": LINE, "function": "message.send"}).status_code == 404
    nobody = api.calls("finn", company="x")
    nobody.here = f"/api/v1/me/practices/{api.world.lakeside}"
    assert nobody.get("/access").status_code == 404, "a token made for no practice"


def test_w1_a_claimant_proves_and_takes_on_the_duties_over_the_api(api: Api) -> None:
    world = api.world
    with transaction(world.database) as db:
        shore = practice(db, "North Shore", TIN)
        known_facts.load(db, [line.format(day=clock.now().date().isoformat()) for line in LIST])
        mine, hers = claim(db, world.ana), claim(db, world.hana, "466666666")
    ana = api.calls("ana", company="x")
    ana.here = "/api/v1/me/first-manager-claims"
    [shown] = ana.get("").json()["claims"]
    assert (shown["claim"], shown["status"], shown["tries_left"]) == (mine, "open", 5)
    right = {"kind": "claim", "number": "CL-2026-0001", "amount": "1250.00"}
    assert ana.post(f"/{hers}/fact", right).status_code == 404
    assert ana.post(f"/{mine}/duties", {"duties": True}).status_code == 409
    wrong = ana.post(f"/{mine}/fact", right | {"amount": "1.00"})
    assert wrong.status_code == 422, wrong.text
    assert ana.get("").json()["claims"][0]["tries_left"] == 4
    with transaction(world.database) as db:  # a wrong proof is kept as a count, and is no answer to be given again
        assert db.execute(text("SELECT count(*) FROM api_answer")).scalar() == 0
    assert ana.post(f"/{mine}/letter-key", {"key": "0" * 16}).status_code == 422
    assert ana.post(f"/{mine}/letter", {}).json() == {"asked": "letter"}
    assert ana.post(f"/{mine}/letter", {}).status_code == 429
    assert len(ana.post(f"/{mine}/call", {}).json()["read_out"]) == 6
    proven = ana.post(f"/{mine}/fact", right)
    assert proven.status_code == 200, proven.text
    assert proven.json()["claim"]["status"] == "proven"
    with transaction(world.database) as db:
        confirming.confirm(db, str(mine), by=world.otto, identity="passport, seen by video")
    assert ana.post(f"/{mine}/duties", {"duties": False}).status_code == 422
    assert ana.post(f"/{mine}/duties", {"duties": True}).json()["practice"] == shore
    assert ana.post(f"/{mine}/duties", {"duties": True}).status_code == 409
    tied = own(api, "ana")
    tied.here = "/api/v1/me/first-manager-claims"
    assert tied.get("").status_code == 404, "a token made for a practice"
