"""The token status list: every road that takes a token away is in it, and nobody else's token is (issue 5)."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from freezegun import freeze_time
from starlette.testclient import TestClient

from idp import clock
from idp.accounts import sessions
from idp.accounts.tables import Session
from idp.app import create_app
from idp.audit import origin
from idp.database import transaction
from idp.entitlements import catalog, grants
from idp.jobs import cleanup, expiries
from idp.leaving import partners, people
from idp.oauth import clients, consents
from idp.oauth.status_list import allotment, order
from idp.partners.tables import Partner
from idp.providers import affiliations, organisations
from idp.providers.tables import Provider
from tests.oauth.listed import Person, Reader, active, app_tokens, join, service_token, signed_in
from tests.oauth.world import SECRET, World, claims_of

GRANTS = ["authorization_code", "refresh_token", "client_credentials"]


@pytest.fixture
def reader(world: World) -> Reader:
    world.client("listed", token_status_list=True, grant_types=GRANTS)
    with transaction(world.database) as db, origin.acting_as("operator"):
        catalog.load_default(db)
    return Reader(world)


def _revoke(world: World, token: str) -> None:
    assert world.http.post("/oauth/revoke", data={"token": token}, auth=("listed", SECRET)).status_code == 200


def _session_ended(world: World, person: Person) -> None:
    with transaction(world.database) as db:
        found = db.get(Session, person.session)
        assert found is not None
        sessions.end(db, found, because="signed_out")


def _grant_ended(world: World, person: Person) -> None:
    where = {"account_id": person.account, "provider_id": world.clinic, "line": "medical"}
    with transaction(world.database) as db:
        made = grants.grant(db, **where, entitlement="claim.status.view", by="operator", reason="a day")
        grants.end(db, made, by="operator", reason="the day is over")


def _left(world: World, person: Person) -> None:
    with transaction(world.database) as db:
        people.leave(db, person.account, world.clinic, reason="left", by="operator")


def _affiliation_ended(world: World, person: Person) -> None:
    with transaction(world.database) as db:
        found = affiliations.live(db, person.account, world.clinic)
        assert found is not None
        affiliations.end(db, found, by="operator", reason="left")


def _in_transaction(do: Callable[..., Any], *values: Any, **named: Any) -> Callable[[World, Person], None]:
    def road(world: World, person: Person) -> None:
        with transaction(world.database) as db:
            do(db, person.account, *values, **named)

    return road


def _attestation_ran_out(world: World, person: Person) -> None:
    at = clock.now() + timedelta(seconds=20)
    world.run("UPDATE attestation SET expires_at = :t WHERE account_id = :a", t=clock.micros(at), a=person.account)
    _date_reached(world, at)


def _session_ran_out(world: World, person: Person) -> None:
    at = clock.now() + timedelta(seconds=1)
    world.run("UPDATE session SET expires_at = :t WHERE id = :s", t=clock.micros(at), s=person.session)
    _date_reached(world, at)


def _date_reached(world: World, at: datetime) -> None:
    with freeze_time(at + timedelta(seconds=1)):
        expiries.run(world.database)


def _refreshed_twice(world: World, person: Person) -> None:
    assert world.token("listed", grant_type="refresh_token", refresh_token=person.refresh).status_code == 200
    assert world.token("listed", grant_type="refresh_token", refresh_token=person.refresh).status_code == 400


ROADS: dict[str, Callable[[World, Person], None]] = {
    "the session ended": _session_ended,
    "the session ran out": _session_ran_out,
    "the app gave its token back": lambda world, person: _revoke(world, person.access),
    "the app gave its refresh token back": lambda world, person: _revoke(world, person.refresh),
    "a refresh token was used again": _refreshed_twice,
    "the person was signed out": _in_transaction(people.sign_out, because="left_open", by="operator"),
    "the person was suspended": _in_transaction(people.suspend, because="investigation", by="operator"),
    "the account was closed": _in_transaction(people.close, because="asked", by="operator"),
    "eligibility ceased": _in_transaction(people.cease, because="asked", by="operator"),
    "a grant ended": _grant_ended,
    "the person left the practice": _left,
    "the affiliation ended": _affiliation_ended,
    "the attestation ran out": _attestation_ran_out,
    "the person took consent back": _in_transaction(consents.end, "listed"),
}


def test_se_3_every_road_that_takes_a_token_away_is_in_the_list_and_nobody_else_s_is(
    world: World, reader: Reader
) -> None:
    bystander = signed_in(world, "Bystander")
    at_work = service_token(world, "listed")
    for road, take in ROADS.items():
        person = signed_in(world, road)
        if road == "the person took consent back":
            with transaction(world.database) as db:
                consents.give(db, person.account, "listed", "openid")
        assert active(world, person.access), road
        assert not reader.revoked(person.access), road
        take(world, person)
        assert not active(world, person.access), road
        assert reader.revoked(person.access), road
        assert not reader.revoked(bystander.access), road
    assert active(world, bystander.access)
    assert not reader.revoked(at_work)


def test_se_3_a_token_whose_answer_was_committed_just_after_the_list_was_asked_is_in_it(
    world: World, reader: Reader
) -> None:
    """The answer was checked before the grant ended, its place written after somebody had looked what that concerns."""
    person = signed_in(world, "Ana")
    [kept] = world.run("SELECT * FROM status_entry WHERE account_id = :a", a=person.account)
    world.run("DELETE FROM status_entry WHERE account_id = :a", a=person.account)
    _grant_ended(world, person)
    assert not reader.revoked(person.access)
    names = list(kept._mapping)
    values = ", ".join(f":{name}" for name in names)
    world.run(f"INSERT INTO status_entry ({', '.join(names)}) VALUES ({values})", **kept._mapping)
    assert not active(world, person.access)
    assert reader.revoked(person.access)


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_se_3_a_worker_whose_clock_is_behind_marks_what_ran_out_when_its_clock_says_so(
    world: World, reader: Reader
) -> None:
    at = clock.now() + timedelta(seconds=60)
    with transaction(world.database) as db:
        begins = clock.now() - timedelta(days=9)
        organisations.agree(db, world.clinic, "medical", starts_at=begins, ends_at=at)
        organisations.open_portal(db, world.clinic, "medical", by="operator", starts_at=begins)
    person = signed_in(world, "Ana")
    _date_reached(world, at)
    assert not reader.revoked(person.access), "some seconds are left by the clock of this worker"
    with freeze_time(at + timedelta(seconds=1)):
        assert not active(world, person.access)
        assert reader.revoked(person.access)


def test_rfc_7009_one_token_given_back_is_in_the_list_and_its_siblings_are_not(world: World, reader: Reader) -> None:
    first = signed_in(world, "Ana")
    second = world.token("listed", grant_type="refresh_token", refresh_token=first.refresh).json()["access_token"]
    mine, other = service_token(world, "listed"), service_token(world, "listed")
    _revoke(world, first.access)
    _revoke(world, mine)
    assert [reader.revoked(one) for one in (first.access, second, mine, other)] == [True, False, True, False]
    assert [active(world, one) for one in (first.access, second, mine, other)] == [False, True, False, True]


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_se_3_an_app_that_is_shut_off_is_in_the_list_with_all_its_tokens_and_out_of_it_when_let_in_again(
    world: World, reader: Reader
) -> None:
    with transaction(world.database) as db:
        db.add(Partner(id="ptr_x", kind="third_party", name="Summit", status="active"))
    world.client("theirs", partner_id="ptr_x", token_status_list=True, grant_types=GRANTS)
    ours, theirs = signed_in(world, "Ana"), signed_in(world, "Ben", "theirs")
    at_work = service_token(world, "theirs")
    with transaction(world.database) as db:
        clients.change(db, "theirs", status="suspended")
    assert [reader.revoked(one) for one in (theirs.access, at_work, ours.access)] == [True, True, False]
    with transaction(world.database) as db:
        people.sign_out(db, theirs.account, because="left_open", by="operator")
    reader.fetch(claims_of(ours.access)["status"]["status_list"]["uri"])
    with transaction(world.database) as db:
        clients.change(db, "theirs", status="active")
    assert [reader.revoked(one) for one in (theirs.access, at_work, ours.access)] == [True, False, False]
    assert active(world, at_work, "theirs")
    with transaction(world.database) as db:
        partners.suspend(db, "ptr_x", because="overdue")
    assert [reader.revoked(one) for one in (at_work, ours.access)] == [True, False]


@pytest.mark.parametrize(
    ("engine", "road"),
    [("sqlite", road) for road in ("suspended", "channels", "closed", "agreement")] + [("postgres", "suspended")],
    indirect=["engine"],
)
def test_se_3_a_practice_that_loses_something_takes_its_people_s_tokens_with_it_and_no_others(
    world: World, reader: Reader, road: str
) -> None:
    now = clock.now()
    with transaction(world.database) as db:
        agreement = organisations.agree(db, world.clinic, "medical", starts_at=now - timedelta(days=9))
        organisations.open_portal(db, world.clinic, "medical", by="operator", starts_at=now - timedelta(days=9))
    here, there = signed_in(world, "Ana"), join(world, "Ben")
    with transaction(world.database) as db, origin.acting_as("operator"):
        affiliations.approve(db, account_id=there, provider_id=world.imaging, by="operator")
    world.sign_in()
    elsewhere, _ = app_tokens(world, provider=world.imaging)
    with transaction(world.database) as db:
        practice = db.get(Provider, world.clinic)
        assert practice is not None
        if road == "suspended":
            organisations.change(db, practice, status="suspended")
        elif road == "channels":
            organisations.change(db, practice, channels=["mobile"])
        elif road == "closed":
            organisations.close_portal(db, world.clinic, "medical", by="operator", because="sanction")
        else:
            organisations.set_end(db, db.merge(agreement), now - timedelta(days=1))
    assert (active(world, here.access), active(world, elsewhere)) == (False, True)
    assert (reader.revoked(here.access), reader.revoked(elsewhere)) == (True, False)


def test_status_list_two_workers_give_no_place_twice_and_say_the_same(
    world: World, reader: Reader, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(allotment, "block", lambda seed, number: order.block(seed, number)[:3])
    with TestClient(create_app(world.service.settings), base_url=str(world.http.base_url)) as second:
        tokens = [service_token(world, "listed") for _ in range(7)]
        tokens += [
            second.post("/oauth/token", data={"grant_type": "client_credentials"}, auth=("listed", SECRET)).json()[
                "access_token"
            ]
            for _ in range(7)
        ]
        said = [claims_of(one)["status"]["status_list"] for one in tokens]
        assert len({(one["uri"], one["idx"]) for one in said}) == 14
        person = signed_in(world, "Ana")
        other = Reader(world)
        other.world = type("", (), {"http": second, "service": second.app.state.service})()  # type: ignore[attr-defined]
        assert not other.revoked(person.access)
        _session_ended(world, person)
        assert reader.revoked(person.access)
        assert other.revoked(person.access)
        _revoke(world, tokens[9])
        assert [other.revoked(one) for one in tokens] == [n == 9 for n in range(14)]


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_status_list_many_who_ask_at_once_are_all_given_a_place(
    world: World, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(allotment, "block", lambda seed, number: order.block(seed, number)[:2])
    lease = allotment.Allotments.lease

    async def leased_and_read(*values: Any) -> None:
        await lease(*values)
        await asyncio.sleep(0.005)  # what a refresh rests on is read anew before its place is taken

    monkeypatch.setattr(allotment.Allotments, "lease", leased_and_read)

    async def ask() -> list[httpx2.Response]:
        served = httpx2.ASGITransport(world.app)
        async with httpx2.AsyncClient(transport=served, base_url=str(world.http.base_url)) as http:
            sent = {"data": {"grant_type": "client_credentials"}, "auth": ("listed", SECRET)}
            return await asyncio.gather(*(http.post("/oauth/token", **sent) for _ in range(24)))

    assert world.http.portal is not None
    answers = world.http.portal.call(ask)
    assert {one.status_code for one in answers} == {200}
    tokens = [one.json()["access_token"] for one in answers]
    assert len({claims_of(one)["status"]["status_list"]["idx"] for one in tokens}) == 24


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_status_list_what_was_revoked_stays_so_when_its_family_is_deleted_and_no_place_is_given_again(
    world: World, reader: Reader
) -> None:
    before, unseen, living = signed_in(world, "Ana"), signed_in(world, "Ben"), signed_in(world, "Cem")
    _session_ended(world, before)
    assert reader.revoked(before.access)
    _session_ended(world, unseen)
    for person in (before, unseen):
        world.run("DELETE FROM token_family WHERE account_id = :a", a=person.account)
        world.run("DELETE FROM session WHERE account_id = :a", a=person.account)
    cleanup.run(world.database)
    world.service.parts.pop("status_lists")
    places = {claims_of(one.access)["status"]["status_list"]["idx"] for one in (before, unseen, living)}
    new = [claims_of(service_token(world, "listed"))["status"]["status_list"]["idx"] for _ in range(200)]
    assert len(set(new) | places) == 203
    assert [reader.revoked(one.access) for one in (before, unseen, living)] == [True, True, False]


def test_status_list_a_full_list_is_followed_by_another_and_goes_when_its_tokens_have(
    world: World, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(allotment, "BLOCKS", 1)
    person = signed_in(world, "Ana")
    first = claims_of(person.access)["status"]["status_list"]["uri"]
    later = {claims_of(service_token(world, "listed"))["status"]["status_list"]["uri"] for _ in range(order.BLOCK)}
    assert len(later) == 2
    assert first in later
    [second] = later - {first}
    known = world.http.get("/oauth/status-lists").json()["status_lists"]
    assert known == [first, second]
    _session_ended(world, person)
    assert reader.revoked(person.access), "a full list still tells"
    with freeze_time(clock.now() + timedelta(minutes=26)):
        assert world.http.get("/oauth/status-lists").json()["status_lists"] == []
        assert reader.fetch(first).status_code == 404
        cleanup.run(world.database)
        assert world.run("SELECT count(*) FROM status_entry") == [(0,)]
    with freeze_time(clock.now() + timedelta(days=2)):
        while cleanup.run(world.database):
            pass
        cleanup.run(world.database)
        assert world.run("SELECT count(*) FROM status_block") == [(0,)]
        assert world.run("SELECT count(*) FROM status_list") == [(0,)]
        again = claims_of(service_token(world, "listed"))["status"]["status_list"]["uri"]
    assert again not in (first, second)


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_status_list_who_did_not_ask_for_it_pays_nothing_and_a_service_s_token_leaves_no_row(
    world: World, reader: Reader
) -> None:
    world.sign_in()
    assert "status" not in claims_of(world.tokens()["access_token"])
    assert "status" not in claims_of(service_token(world, "service"))
    assert world.run("SELECT count(*) FROM status_list") == [(0,)]
    for _ in range(130):
        service_token(world, "listed")
    assert world.run("SELECT count(*) FROM status_entry") == [(0,)]
    assert world.run("SELECT count(*) FROM status_block") == [(3,)]
    refused = world.token("listed", "not-the-secret-of-that-app-at-all-no", grant_type="client_credentials")
    assert refused.status_code == 401
    nobody = world.token("nobody", grant_type="client_credentials")
    assert nobody.status_code == 401
