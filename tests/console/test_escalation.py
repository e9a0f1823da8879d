"""Privilege escalation tried by every road: nobody gets, by whatever way, more than a giver with authority gave."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import select

from idp import clock
from idp.catalogue import bundles as versions
from idp.database import transaction
from idp.entitlements import bundles, grants
from idp.entitlements.tables import Appointment, Grant
from idp.errors import Invalid, Refused
from idp.providers import organisations
from idp.registration import accepting
from idp.wam import appointments, granting
from tests.console.conftest import Api
from tests.wam.world import LINE

SQLITE = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
BARRED = (401, 403, 404, 409, 422)


def everything(api: Api) -> set[tuple[str, str]]:
    with transaction(api.world.database) as db:
        rows = db.exec(select(Grant).where(Grant.effect == "allow")).all()  # type: ignore[arg-type]
        return {(row.account_id, row.entitlement) for row in rows}


def body(*functions: str, **more: Any) -> dict[str, Any]:
    return {"line": LINE, "functions": list(functions), "seen": "x", "reason": "because", **more}


@SQLITE
def test_role_a_person_without_authority_changes_nobody_themselves_least(api: Api) -> None:
    before, world = everything(api), api.world
    finn, hana = api.calls("finn"), api.calls("hana", practice=api.world.harbor)
    for path, sent in (
        (f"/people/{world.finn}/changes", body("fee.view")),
        (f"/people/{world.ana}/changes", body("fee.view")),
        (f"/people/{world.wes}/removals", {"lines": [LINE], "reason": "left"}),
        ("/managers", {"account": world.finn, "line": LINE}),
        ("/people", {"name": "Me Too", "line": LINE, "bundle": "practice_manager"}),
        ("/imports", {"csv": "name,email\nMe,me@x.example\n", "line": LINE}),
    ):
        for caller in (finn, hana):
            assert caller.post(path, sent).status_code in BARRED, path
    for path in ("/people", "/inbox", "/reviews", "/reports/access", "/managers", f"/people/{world.ana}"):
        assert finn.get(path).status_code in BARRED, path
    assert everything(api) == before
    assert api.one("SELECT count(*) FROM invitation") == 0


@pytest.mark.parametrize(
    "key", ["access.manage", "delegation.approve", "audit.search", "wam.verify", "catalogue.manage"]
)
@SQLITE
def test_role_authority_and_staff_functions_are_given_to_nobody_by_a_manager(api: Api, key: str) -> None:
    wes, before = api.calls("wes"), everything(api)
    assert wes.post(f"/people/{api.world.finn}/preview", body(key) | {}).status_code == 422
    sent = {k: v for k, v in body(key).items() if k not in ("seen", "reason")}
    assert wes.post(f"/people/{api.world.finn}/preview", sent).status_code == 422
    assert wes.post(f"/people/{api.world.finn}/changes", body(key)).status_code == 422
    assert everything(api) == before


@SQLITE
@pytest.mark.parametrize("bundle", ["wam", "delegated_vendor", "tpa_analyst", "no_such"])
def test_bundle_jobs_that_are_not_a_manager_s_to_give_are_refused_on_every_road(api: Api, bundle: str) -> None:
    wes, before = api.calls("wes"), everything(api)
    sent = {"line": LINE, "bundle": bundle}
    assert wes.post(f"/people/{api.world.finn}/preview", sent).status_code == 422
    assert wes.post(f"/people/{api.world.finn}/changes", body(bundle=bundle)).status_code == 422
    assert wes.post("/people", {"name": "Nina", "line": LINE, "bundle": bundle}).status_code == 422
    file = f"name,email,job\nNina,nina@x.example,{bundle}\n"
    assert wes.post("/imports", {"csv": file, "line": LINE}).status_code == 422
    assert everything(api) == before


@SQLITE
def test_bundle_a_new_version_of_a_job_brings_nobody_what_its_holder_may_not_have(api: Api) -> None:
    world = api.world
    with transaction(world.database) as db:
        grants.grant(
            db, account_id=world.finn, provider_id=world.lakeside, line=LINE, entitlement="eft.manage", by="operator",
            reason="pays",
        )  # fmt: skip
        wanted = [*bundles.items(db, bundles.find(db, "front_desk")), "demographics.update"]
        found = versions.impact(db, "front_desk", wanted, provider_id=world.lakeside)
        assert [(a.gains, a.stays_out) for a in found.affected] == [((), ("demographics.update",))]
        with pytest.raises(Invalid):
            versions.check(db, "front_desk", ["eft.manage"])


@SQLITE
def test_invite_an_invitation_holds_no_more_than_its_inviter_may_give_when_it_is_taken_up(api: Api) -> None:
    world = api.world
    made = api.calls("wes").post("/people", {"name": "Nina", "line": LINE, "bundle": "biller", "email": "n@x.example"})
    with transaction(world.database) as db:
        for row in db.exec(select(Appointment).where(Appointment.account_id == world.wes)).all():
            appointments.end(db, row, by="operator", reason="left")
    before = everything(api)
    try:
        with transaction(world.database) as db:
            accepting.accept(db, made.json()["invitation"])
    except Refused:
        pass
    assert everything(api) == before
    assert api.calls("mia").post("/people", {"name": "Self", "line": "dental", "bundle": "biller"}).status_code == 403


@SQLITE
def test_import_a_file_that_asks_for_one_thing_too_many_invites_nobody(api: Api) -> None:
    wes = api.calls("wes")
    for cell in ("wam", "Access manager", "delegated_vendor", "=1+1"):
        file = f"name,email,job\nNina,nina@x.example,Biller\nEve,eve@x.example,{cell}\n"
        assert wes.post("/imports", {"csv": file, "line": LINE}).status_code == 422, cell
    assert wes.post("/imports", {"csv": "name,email\nA,a@x.example\n", "line": "dental"}).status_code == 404
    assert api.one("SELECT count(*) FROM invitation") == 0


@SQLITE
def test_path_and_body_that_disagree_and_members_nobody_documented_are_refused(api: Api) -> None:
    world, before = api.world, everything(api)
    wes = api.calls("wes")
    for more in ({"account": world.wes}, {"provider": world.harbor}, {"p": world.harbor}, {"by": world.mia}):
        assert wes.post(f"/people/{world.finn}/changes", body("fee.view") | more).status_code == 422
    wes.here = f"/api/v1/practices/{world.harbor}"  # a token made for Lakeside at another practice's path
    assert wes.get("/people").status_code == 404
    assert wes.post(f"/people/{world.hana}/changes", body("fee.view")).status_code == 404
    wes.here = f"/api/v1/practices/{world.lakeside}"
    assert wes.post(f"/people/{world.hana}/changes", body("fee.view")).status_code == 404
    twice = wes.http.post(
        f"{wes.here}/people/{world.finn}/removals?line=dental",
        json={"lines": [LINE, "dental"], "reason": "left"},
        headers={"authorization": f"Bearer {wes.token}", "idempotency-key": "k" * 20},
    )
    assert twice.status_code == 403
    assert everything(api) == before


@SQLITE
def test_another_line_of_business_needs_its_own_authority(api: Api) -> None:
    world = api.world
    with transaction(world.database) as db:
        organisations.open_portal(db, world.lakeside, "dental", by="operator")
        organisations.agree(db, world.lakeside, "dental")
        organisations.participate(db, world.lakeside, "dental")
    wes, before = api.calls("wes"), everything(api)
    sent = {"line": "dental", "functions": ["remit.view"]}
    assert wes.post(f"/people/{world.finn}/preview", sent).status_code == 403
    assert wes.post(f"/people/{world.finn}/changes", sent | {"seen": "x", "reason": "y"}).status_code == 403
    assert wes.post("/managers", {"account": world.finn, "line": "dental"}).status_code == 403
    assert everything(api) == before


@SQLITE
def test_expired_authority_gives_nothing_though_the_token_lives(api: Api) -> None:
    world = api.world
    wes, before = api.calls("wes"), everything(api)
    with transaction(world.database) as db:
        for row in db.exec(select(Appointment).where(Appointment.account_id == world.wes)).all():
            row.ends_at = clock.now() - timedelta(seconds=1)
            db.add(row)
    assert wes.post(f"/people/{world.finn}/changes", body("fee.view")).status_code in BARRED
    assert wes.get("/people").status_code in BARRED
    assert everything(api) == before


@SQLITE
def test_api_a_token_without_the_scope_a_service_s_and_none_are_refused(api: Api) -> None:
    ana = api.calls("wes", scope="openid")
    assert ana.get("/people").status_code == 403
    ana.token = "nonsense"
    assert ana.get("/people").status_code == 401
    assert ana.http.get(ana.here + "/people").status_code == 401


def test_race_a_grant_and_the_end_of_the_authority_behind_it_never_both_win(api: Api) -> None:
    """Either the grant came first, or it was refused; a grant after the end is what must not be."""
    world = api.world
    with transaction(world.database) as db:
        wish, _ = granting.wish(
            db, world.lakeside, LINE, functions=["fee.view"], bundle=None, starts_at=None, ends_at=None
        )
        seen = granting.preview(
            db, by=world.wes, provider_id=world.lakeside, account_id=world.ana, line=LINE, wish=wish
        ).seen

    before = api.one("SELECT max(seq) FROM audit_record")

    def give() -> bool:
        try:
            with transaction(world.database) as db:
                granting.apply(
                    db, by=world.wes, provider_id=world.lakeside, account_id=world.ana, line=LINE, wish=wish,
                    seen=seen, reason="quick", form_id="f" * 20,
                )  # fmt: skip
        except Refused:
            return False
        return True

    def leave() -> None:
        with transaction(world.database) as db:
            row = db.exec(select(Appointment).where(Appointment.account_id == world.wes)).one()
            appointments.end(db, row, by="operator", reason="left")

    with ThreadPoolExecutor(2) as pool:
        gave, left = pool.submit(give), pool.submit(leave)
        left.result()
        won = gave.result()
    with transaction(world.database) as db:
        ended = db.exec(select(Appointment.ended_at).where(Appointment.account_id == world.wes)).one()
        rows = db.exec(select(Grant).where(Grant.account_id == world.ana)).all()
    assert won == bool(rows)
    assert ended is not None
    last = "SELECT coalesce(max(seq), 0) FROM audit_record WHERE event = "
    gave_at = api.one(last + "'entitlements.grant.added' AND seq > :s", s=before)
    assert not won or gave_at < api.one(last + "'wam.appointment.ended'")
