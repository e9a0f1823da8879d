"""The API on outside companies, leave, emergencies, vouching and first managers: as the pages, and no wider."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from idp import clock
from idp.accounts.proof_tables import Recovery
from idp.app import create_app
from idp.database import Database, transaction
from idp.entitlements import grants
from idp.entitlements.tables import Grant
from idp.errors import Conflict
from idp.first_managers import facts as known_facts
from idp.partners import members, register
from idp.registration import accepting, invitations
from idp.settings import Settings
from idp.wam import emergency, inactivity
from tests.console.conftest import Api, promised, with_app
from tests.console.test_escalation import BARRED
from tests.engines import Filling
from tests.first_managers import world as first
from tests.wam import third_parties
from tests.wam.third_parties import Parties
from tests.wam.world import LINE

SQLITE = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
"""What the routes call is tested on both databases beside the domain."""


def _fill(database: Database) -> dict[str, Any]:
    small = with_app(database)
    shore, claim = first.extend(small)
    made = third_parties.extend(small)
    return {name: getattr(made, name) for name in third_parties._NAMES} | {"shore": shore, "claim": claim}


FILLING = Filling("console_companies", _fill)


@pytest.fixture
def filling() -> Filling:
    return FILLING


@pytest.fixture
def claim(facts: dict[str, Any]) -> str:
    return str(facts["claim"])


@pytest.fixture
def api(database: Database, settings: Settings, facts: dict[str, Any]) -> Iterator[Api]:
    """The small world with outside companies, a claim to manage North Shore, and the insurer's staff."""
    mine = {name: facts[name] for name in third_parties._NAMES}
    with TestClient(create_app(settings), base_url=settings.issuer) as client:
        yield Api(Parties(database, **mine), settings, {settings.issuer: client})


def parties(api: Api) -> Parties:
    assert isinstance(api.world, Parties)
    return api.world


def wanted(api: Api, **more: Any) -> dict[str, Any]:
    ends = (clock.now() + timedelta(days=90)).isoformat()
    return {
        "company": parties(api).firm,
        "functions": ["claim.status.view", "eligibility.view"],
        "lines": [LINE],
        "ends_at": ends,
        **more,
    }


@SQLITE
def test_w6_a_company_is_chosen_let_in_previewed_and_ended_over_the_api(api: Api) -> None:
    wes, world = api.calls("wes"), parties(api)
    offered = wes.get("/companies", line=LINE).json()
    assert [one["name"] for one in offered["companies"]] == ["Evergreen Billing", "Pine Coding"]
    assert "eft.manage" not in {one["function"] for one in offered["functions"]}
    assert {one["place"] for one in offered["places"]} == {world.north, world.south}
    made = wes.post("/delegations", wanted(api, places=[world.north]), key="d" * 20)
    assert made.status_code == 201, made.text
    assert wes.post("/delegations", wanted(api, places=[world.north]), key="d" * 20).status_code == 422  # another end
    delegation = made.json()["delegation"]
    world.assign(delegation, scope=world.scope(days=50, locations=(world.north,)))
    shown = wes.get(f"/delegations/{delegation}").json()
    assert [one["name"] for one in shown["people"]] == ["Bo Lind"]
    assert (shown["places"], shown["paused"]) == ([world.north], [])
    assert api.mails("delegation_made") > 0
    [loss] = wes.post(f"/delegations/{delegation}/preview", None).json()["losses"]
    assert (loss["account"], loss["leaves"]) == (world.bo, True)
    ended = wes.post(f"/delegations/{delegation}/end", {"reason": "other"})
    assert ended.json()["status"] == "ended"
    after = wes.get(f"/delegations/{delegation}").json()
    assert (after["lost"], after["ended_by"], shown["lost"]) == ([loss], world.wes, [])
    assert {"wam.delegation.ended", "entitlements.grant.ended"} <= set(promised(api, wes, ended))
    assert wes.post(f"/delegations/{delegation}/end", {"reason": "other"}).status_code == 409
    assert [one["end_reason"] for one in wes.get("/delegations").json()["delegations"]] == ["other"]
    assert not world.can("bo")


@SQLITE
def test_delegation_no_road_of_the_api_hands_on_more_than_the_giver_and_the_practice_have(api: Api) -> None:
    world = parties(api)
    wes, mia, finn = api.calls("wes"), api.calls("mia"), api.calls("finn")
    otto = api.calls("otto", practice=world.harbor)
    late = (clock.now() + timedelta(days=900)).isoformat()
    for more in (
        {"functions": ["eft.manage"]},
        {"functions": ["access.manage"]},
        {"functions": ["audit.search"]},
        {"functions": []},
        {"lines": []},
        {"places": []},
        {"places": ["loc_of_nobody"]},
        {"company": world.paused},
        {"company": "ptr_nobody"},
        {"ends_at": late},
        {"ends_at": "2020-01-01T00:00:00Z"},
        {"ends_at": None},
        {"provider": world.harbor},
        {"approved_by": world.mia},
        {"parent": "dlg_x"},
    ):
        assert wes.post("/delegations", wanted(api, **more)).status_code == 422, more
    assert mia.post("/delegations", wanted(api, lines=["dental"])).status_code == 403
    assert mia.post("/delegations", wanted(api, lines=[LINE, "dental"])).status_code == 403
    assert finn.post("/delegations", wanted(api)).status_code in BARRED
    otto.here = f"/api/v1/practices/{world.lakeside}"
    assert otto.post("/delegations", wanted(api)).status_code == 404
    assert api.one("SELECT count(*) FROM delegation") == 0
    made = world.delegate()
    otto.here = f"/api/v1/practices/{world.harbor}"
    for path, body in ((f"/delegations/{made}/end", {"reason": "misuse"}), (f"/delegations/{made}/preview", None)):
        assert otto.post(path, body).status_code == 404
        assert finn.post(path, body).status_code in BARRED
    assert otto.get(f"/delegations/{made}").status_code == 404
    assert world.row(made).ended_at is None


@SQLITE
def test_domain_7_leave_begins_and_ends_over_the_api_and_never_one_s_own(api: Api) -> None:
    wes, world = api.calls("wes"), parties(api)
    held = api.held("finn")
    assert held
    began = wes.post(f"/people/{world.finn}/leave", {"ends_at": (clock.now() + timedelta(days=20)).isoformat()})
    assert began.status_code == 201, began.text
    assert api.held("finn") == set()
    shown = wes.get(f"/people/{world.finn}/leave").json()
    assert [one["line"] for one in shown["absences"]] == ["dental", LINE]
    assert shown["not_seen"] is False
    assert wes.post(f"/people/{world.finn}/leave", {}).status_code == 409
    assert wes.post(f"/people/{world.wes}/leave", {}).status_code == 403
    assert wes.post(f"/people/{world.hana}/leave", {}).status_code == 404
    assert api.calls("finn").post(f"/people/{world.finn}/back", None).status_code in BARRED
    assert wes.post(f"/people/{world.finn}/back", None).json() == {"ended": 2}
    assert api.held("finn") == held
    assert wes.post(f"/people/{world.finn}/back", None).status_code == 404
    with transaction(world.database) as db:
        assert not inactivity.paused(db, world.finn, world.lakeside, [LINE])
    assert wes.post(f"/people/{world.finn}/lift", None).status_code in (404, 409)


@SQLITE
def test_se_4_emergency_access_is_listed_ended_and_reviewed_over_the_api_by_somebody_else(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, wes = parties(api), api.calls("wes")
    with transaction(world.database) as db:
        why = "On call, colleague unreachable"
        use = emergency.start(db, account_id=world.finn, provider_id=world.lakeside, line=LINE, reason=why).id
    assert wes.get("/emergencies").json()["more"] is False
    monkeypatch.setattr(emergency, "MOST_SHOWN", 1)
    found = wes.get("/emergencies").json()
    [listed] = found["emergencies"]
    [waits] = wes.get("/inbox").json()["emergencies"]
    assert (waits["emergency"], waits["reason"], waits["verdict"]) == (use, why, None)
    taken = [one for one in wes.get(f"/people/{world.finn}").json()["held"] if one["emergency"]]
    assert {one["given_by"] for one in taken} == {"taken in an emergency"}
    assert found["more"] is True, "a list that may be cut says so"
    assert (listed["emergency"], listed["account"], listed["reviewed_at"]) == (use, world.finn, None)
    assert wes.post(f"/emergencies/{use}/review", {"verdict": "justified", "note": ""}).status_code == 422
    sent = {"verdict": "not_justified", "note": "No such patient"}
    assert api.calls("otto", practice=world.harbor).post(f"/emergencies/{use}/review", sent).status_code == 404
    assert api.calls("finn").post(f"/emergencies/{use}/review", sent).status_code in BARRED
    reviewed = wes.post(f"/emergencies/{use}/review", sent).json()["emergency"]
    assert (reviewed["verdict"], reviewed["reviewed_by"]) == ("not_justified", world.wes)
    assert reviewed["ended_at"] is not None
    assert wes.post(f"/emergencies/{use}/end", None).json()["ended"] is False
    assert wes.post(f"/emergencies/{use}/review", sent).status_code == 409


@SQLITE
def test_ru8_a_manager_vouches_over_the_api_only_for_who_asked_and_once(api: Api) -> None:
    world, wes = parties(api), api.calls("wes")
    assert wes.get(f"/people/{world.finn}/vouching").json() == {"wanted": False, "usable_from": None}
    assert wes.post(f"/people/{world.finn}/vouching", {"spoke": True}).status_code == 409
    with transaction(world.database) as db:
        db.add(
            Recovery(
                account_id=world.finn,
                browser_hash=b"x" * 32,
                manager_wanted_at=clock.now(),
                expires_at=clock.now() + timedelta(days=3),
            )
        )
    assert wes.get(f"/people/{world.finn}/vouching").json()["wanted"] is True
    assert wes.post(f"/people/{world.finn}/vouching", {"spoke": False}).status_code == 422
    given = wes.post(f"/people/{world.finn}/vouching", {"spoke": True})
    assert (given.status_code, given.json()["usable_from"] > clock.iso(clock.now())) == (201, True)
    assert api.calls("mia").post(f"/people/{world.finn}/vouching", {"spoke": True}).status_code == 409
    assert wes.post(f"/people/{world.hana}/vouching", {"spoke": True}).status_code == 404


@SQLITE
def test_w6_the_insurer_invites_a_company_s_first_administrator_by_mail_and_nobody_themselves(api: Api) -> None:
    world = parties(api)
    insurer = str(api.one("SELECT id FROM provider WHERE kind = 'insurer'"))
    with transaction(world.database) as db:
        fresh = register.record(db, name="Birch Billing", kind="third_party", status="active").id
        job = grants.grant(
            db, account_id=world.sam, provider_id=insurer, line=LINE, entitlement="partner.manage", by="operator",
            reason="desk",
        ).id  # fmt: skip
    for stranger in ("una", "wes", "ada"):
        assert api.as_(stranger).get("/insurer/companies").status in (403, 404)
    sam = api.as_("sam").get("/insurer/companies")
    for sent in ({"company": world.firm}, {"company": world.paused}, {"email": ""}, {"name": ""}):
        sam.submit("Mail the invitation", **{"company": fresh, "name": "Gus Hale", "email": "gus@birch.example"} | sent)
        assert sam.status in (409, 422), sent
    assert api.one("SELECT count(*) FROM invitation") == 0
    sam.submit("Mail the invitation", company=fresh, name="Gus Hale", email="gus@birch.example")
    assert "Gus Hale" in sam.text
    assert "/invitations/" not in sam.text, "staff never hold the link"
    waiting = str(api.one("SELECT id FROM invitation"))
    with pytest.raises(Conflict), transaction(world.database) as db:
        accepting.accept(db, waiting, account_id=world.sam)
    with transaction(world.database) as db:
        row = db.get(Grant, job)
        assert row is not None
        grants.end(db, row, by="operator", reason="left")
    with pytest.raises(invitations.InvitationLost), transaction(world.database) as db:
        accepting.accept(db, waiting)
    with transaction(world.database) as db:
        grants.grant(
            db, account_id=world.sam, provider_id=insurer, line=LINE, entitlement="partner.manage", by="operator",
            reason="desk",
        )  # fmt: skip
        gus = accepting.accept(db, waiting).id
        assert members.administers(db, gus, fresh)
        assert grants.live(db, gus, world.lakeside, clock.now()) == []


@SQLITE
def test_w6_a_company_that_asks_is_answered_over_the_api_within_what_it_asked(api: Api) -> None:
    world, wes = parties(api), api.calls("wes")
    ends = clock.now() + timedelta(days=60)
    ada = api.as_("ada").get(f"/company/{world.firm}").click("Ask a practice")
    ada.submit("Ask the practice", tin="12", note="Bills", f="eligibility.view", line=LINE, until=f"{ends:%m/%d/%Y}")
    assert ada.status == 422
    ada.submit(
        "Ask the practice", tin="12-3456789", note="Bills", f="eligibility.view", line=LINE, until=f"{ends:%m/%d/%Y}"
    )
    assert "TIN ending 6789" in ada.text
    [asked] = wes.get("/inbox").json()["delegation_requests"]
    assert (asked["name"], asked["functions"]) == ("Evergreen Billing", ["eligibility.view"])
    path = f"/delegation-requests/{asked['delegation_request']}/decision"
    measure = {"functions": ["eligibility.view"], "lines": [LINE], "ends_at": ends.isoformat()}
    for body in (
        {},
        {"accept": measure, "deny": "no"},
        {"accept": measure | {"functions": ["remit.view"]}},
        {"accept": measure | {"ends_at": (ends + timedelta(days=9)).isoformat()}},
        {"accept": measure | {"company": world.helper}},
        {"deny": " "},
    ):
        assert wes.post(path, body).status_code == 422, body
    assert api.calls("otto", practice=world.harbor).post(path, {"deny": "no"}).status_code == 404
    assert api.calls("finn").post(path, {"deny": "no"}).status_code in BARRED
    early = {"accept": measure | {"ends_at": (ends - timedelta(days=9)).isoformat()}}
    made = wes.post(path, early, key="a" * 20)
    assert made.json()["delegation"]["functions"] == ["eligibility.view"], made.text
    assert wes.post(path, early, key="a" * 20).content == made.content
    assert wes.post(path, {"deny": "no"}).status_code == 409
    page = api.as_("mia").get(f"/p/{world.lakeside}/delegation-requests/{asked['delegation_request']}")
    assert "Wes Kane accepted this" in page.text


@SQLITE
def test_w1_staff_decide_claims_over_the_api_with_a_token_for_the_insurer_alone(
    api: Api, facts: dict[str, Any], claim: str
) -> None:
    world = api.world
    insurer = str(api.one("SELECT id FROM provider WHERE kind = 'insurer'"))
    sam = api.calls("sam", practice=insurer)
    assert sam.get("/first-managers").json() == {"claims": []}
    path = f"/first-managers/{claim}/confirm"
    assert sam.post(path, {"identity": "saw her passport"}).status_code == 409  # nothing is proven
    with transaction(world.database) as db:
        known_facts.prove(db, claim, account_id=world.nina, kind="claim", number="CL-2026-0001", amount="1250.00")
    [seen] = sam.get("/first-managers").json()["claims"]
    assert (seen["claim"], seen["practice"], seen["status"]) == (claim, facts["shore"], "proven")
    assert api.calls("wes").get("/first-managers").status_code in BARRED
    assert api.calls("wes").post(path, {"identity": "me"}).status_code in BARRED
    assert sam.post(path, {"identity": " "}).status_code == 422
    assert sam.post(path, {"identity": "saw her passport"}).json()["claim"]["status"] == "confirmed"
    una = api.calls("una", practice=insurer)
    assert una.post(f"/first-managers/{claim}/refuse", {"reason": "no"}).status_code == 409
    assert api.events("registration.claim.confirmed") == 1
