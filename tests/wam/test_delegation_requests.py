"""W-6, asked for: a company asks a practice; its manager accepts less or equal, or denies; and what must not pass."""

import threading
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from freezegun import freeze_time
from sqlalchemy import text
from sqlmodel import col, select

from idp import clock
from idp.accounts.tables import Contact
from idp.database import Database, transaction
from idp.errors import Conflict, Invalid, NotEntitled, NotFound, Refused, TooMany
from idp.jobs import expiries
from idp.partners import members
from idp.providers.tables import Provider
from idp.wam import delegation_requests as requests
from idp.wam.requests import AlreadyDecided
from idp.wam.tables import DelegationRequest
from tests.engines import Filling
from tests.wam.test_delegating import refused
from tests.wam.third_parties import FILLING, Parties
from tests.wam.world import LINE

SQLITE = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
TIN = "12-3456789"
"""Lakeside Clinic's."""


@pytest.fixture
def filling() -> Filling:
    return FILLING


@pytest.fixture
def world(database: Database, facts: dict[str, Any]) -> Parties:
    world = Parties(database, **facts)
    with transaction(database) as db:
        for name in ("wes", "mia", "otto"):
            db.add(Contact(account_id=world.people[name], email=f"{name}@practice.example", verified_at=clock.now()))
    return world


def ask(world: Parties, *keys: str, by: str = "ada", days: int = 100, **more: Any) -> str:
    measure = {"lines": more.pop("lines")} if "lines" in more else {}
    with transaction(world.database) as db:
        values = {"partner_id": world.firm, "tin": TIN, "note": "Bills for you", **more}
        return requests.ask(db, by=world.people[by], scope=world.scope(*keys, days=days, **measure), **values).id


def accept(world: Parties, request: str, *keys: str, by: str = "wes", days: int = 50, **more: Any) -> str:
    measure = {name: more.pop(name) for name in ("lines", "locations") if name in more}
    with transaction(world.database) as db:
        provider = db.get(Provider, more.pop("provider_id", world.lakeside))
        found = db.get(DelegationRequest, request)
        assert provider is not None
        assert found is not None
        scope = world.scope(*keys, days=days, **measure)
        values = {"form_id": world.form(), **more}
        return requests.accept(db, found, provider, by=world.people[by], scope=scope, **values).id


def status(world: Parties, request: str) -> str:
    with transaction(world.database) as db:
        return db.exec(select(DelegationRequest.status).where(col(DelegationRequest.id) == request)).one()


def told(world: Parties, template: str) -> set[str]:
    with transaction(world.database) as db:
        query = text("SELECT DISTINCT account_id FROM outbox WHERE template = :t")
        return set(db.execute(query, {"t": template}).scalars())


def test_w6_a_company_asks_the_manager_accepts_less_and_only_then_its_people_can_work(world: Parties) -> None:
    request = ask(world)
    assert told(world, "delegation_wanted") == {world.wes, world.mia}
    with transaction(world.database) as db:
        assert db.execute(text("SELECT count(*) FROM delegation")).scalar_one() == 0
    made = accept(world, request, "eligibility.view", locations=(world.north,))
    row = world.row(made)
    assert (row.entitlements, row.locations, row.approved_by) == (["eligibility.view"], [world.north], world.wes)
    assert status(world, request) == "approved"
    world.assign(made, scope=world.scope("eligibility.view", days=20, locations=(world.north,)))
    assert world.can("bo", record={"location": world.north})
    refused(AlreadyDecided, lambda: accept(world, request, "eligibility.view"), "Wes Kane approved this")


@SQLITE
def test_delegation_a_request_opens_no_more_than_asked_than_held_and_than_its_manager_manages(world: Parties) -> None:
    request = ask(world, "eligibility.view", lines=(LINE, "dental"))
    for keys, more in (
        (("claim.status.view",), {}),
        (("eligibility.view", "remit.view"), {}),
        (("eligibility.view",), {"lines": ("behavioural",)}),
        (("eligibility.view",), {"days": 200}),
        (("eligibility.view",), {"locations": ("loc_elsewhere",)}),
        (("eft.manage",), {}),
    ):
        refused(Invalid, lambda k=keys, m=more: accept(world, request, *k, **m))  # type: ignore[misc]
    refused(NotEntitled, lambda: accept(world, request, "eligibility.view", by="mia", lines=("dental",)))
    refused(NotEntitled, lambda: accept(world, request, "eligibility.view", by="finn"))
    refused(NotEntitled, lambda: accept(world, request, "eligibility.view", by="otto"))
    with transaction(world.database) as db:
        members.record(db, partner_id=world.firm, account_id=world.wes, by="operator")
    refused(NotEntitled, lambda: accept(world, request, "eligibility.view"))  # gives, and would receive
    with transaction(world.database) as db:
        db.execute(text("UPDATE partner SET status = 'suspended' WHERE id = :p"), {"p": world.firm})
    refused(Invalid, lambda: accept(world, request, "eligibility.view", by="mia"))
    assert status(world, request) == "requested", "what was refused left nothing"
    with transaction(world.database) as db:
        assert db.execute(text("SELECT count(*) FROM delegation")).scalar_one() == 0
        harbor, lakeside = db.get(Provider, world.harbor), db.get(Provider, world.lakeside)
        assert harbor is not None
        assert lakeside is not None
        assert requests.waiting_at(db, harbor, [LINE]) == []
        with pytest.raises(NotFound):
            requests.find(db, request, harbor, [LINE])
        with pytest.raises(NotFound):
            requests.find(db, request, lakeside, ["behavioural"])


def test_w6_a_company_s_request_is_reminded_of_escalated_and_ended_by_the_clock_once(world: Parties) -> None:
    ask(world)
    ask(world, tin="55-5555555")  # of a practice nobody knows: nobody to remind, and the company is told the same
    start = clock.now()
    for day in (3, 3, 7, 14, 14):
        with freeze_time(start + timedelta(days=day, seconds=1)):
            expiries.remind(world.database)
    sent = text("SELECT template FROM outbox WHERE template LIKE 'delegation%'")
    with transaction(world.database) as db:
        counted = Counter(db.execute(sent).scalars())
        assert counted == {"delegation_wanted": 6, "delegation_escalated": 1}, "two managers, at once and twice more"
        assert set(db.exec(select(DelegationRequest.reminded)).all()) == {3}
    with freeze_time(start + timedelta(days=31)):
        expiries.run(world.database)
        expiries.remind(world.database)
    with transaction(world.database) as db:
        assert set(db.exec(select(DelegationRequest.status)).all()) == {"expired"}
        counted = Counter(db.execute(sent).scalars())
    assert counted == {"delegation_wanted": 6, "delegation_escalated": 1, "delegation_unanswered": 2}
    assert told(world, "delegation_unanswered") == {world.people["ada"]}


@SQLITE
def test_w6_an_answered_request_is_not_reminded_of(world: Parties) -> None:
    accept(world, ask(world), "eligibility.view")
    with freeze_time(clock.now() + timedelta(days=8)):
        expiries.remind(world.database)
    with transaction(world.database) as db:
        assert set(db.exec(select(DelegationRequest.reminded)).all()) == {0}


@SQLITE
def test_delegation_asking_teaches_nothing_asks_for_no_money_and_floods_nobody(world: Parties) -> None:
    known, unknown = ask(world), ask(world, tin="55-5555555")
    with transaction(world.database) as db:
        for row in requests.of_company(db, world.firm):
            assert (row.status, row.decided_by, row.delegation_id) == ("requested", None, None)
    for key in ("eft.manage", "access.manage", "access.view", "audit.search", "no.such"):
        refused(Invalid, lambda k=key: ask(world, k, tin="44-4444444"))  # type: ignore[misc]
    refused(Invalid, lambda: ask(world, tin="12-34"))
    refused(Invalid, lambda: ask(world, tin="44-4444444", days=900))
    refused(Invalid, lambda: ask(world, tin="44-4444444", note=" "))
    refused(Conflict, lambda: ask(world))
    refused(Conflict, lambda: ask(world, tin="55-5555555"))
    for who in ("bo", "ed", "wes"):
        refused(NotFound, lambda w=who: ask(world, by=w, tin="44-4444444"))  # type: ignore[misc]
    for request, tin in ((known, TIN), (unknown, "55-5555555")):
        for _ in range(3):
            with transaction(world.database) as db:
                requests.withdraw(db, by=world.ada, partner_id=world.firm, request_id=request)
            try:
                request = ask(world, tin=tin)  # noqa: PLW2901
            except TooMany:
                break
        else:
            pytest.fail("a company may write to the same managers as often as it likes")
        with pytest.raises(NotFound), transaction(world.database) as db:
            requests.withdraw(db, by=world.ed, partner_id=world.helper, request_id=request)


@SQLITE
def test_w6_a_denial_is_read_by_the_company_and_silence_ends_after_30_days(world: Parties) -> None:
    first = ask(world)
    with transaction(world.database) as db:
        found, provider = db.get(DelegationRequest, first), db.get(Provider, world.lakeside)
        assert found is not None
        assert provider is not None
        for by, reason, kind in ((world.wes, " ", Invalid), (world.otto, "no", NotEntitled)):
            with pytest.raises(kind):
                requests.deny(db, found, provider, by=by, reason=reason)
        requests.deny(db, found, provider, by=world.mia, reason="We bill ourselves")
    assert told(world, "delegation_denied") == {world.ada}
    refused(AlreadyDecided, lambda: accept(world, first), "Mia Ode denied this")
    second = ask(world)
    with freeze_time(clock.now() + timedelta(days=30, seconds=1)):
        refused(AlreadyDecided, lambda: accept(world, second), "ended without")
        expiries.run(world.database)
    assert status(world, second) == "expired"


def test_w6_accepted_denied_and_taken_back_at_once_is_decided_once(world: Parties) -> None:
    request = ask(world)
    done: list[str] = []

    def work(what: str) -> None:
        try:
            if what == "accept":
                accept(world, request)
            with transaction(world.database) as db:
                found, provider = db.get(DelegationRequest, request), db.get(Provider, world.lakeside)
                assert found is not None
                assert provider is not None
                if what == "deny":
                    requests.deny(db, found, provider, by=world.mia, reason="no")
                if what == "withdraw":
                    requests.withdraw(db, by=world.ada, partner_id=world.firm, request_id=request)
            done.append(what)
        except Refused:
            pass

    threads = [threading.Thread(target=work, args=(what,)) for what in ("accept", "deny", "withdraw")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 1
    assert status(world, request) == {"accept": "approved", "deny": "denied", "withdraw": "withdrawn"}[done[0]]
    with transaction(world.database) as db:
        assert db.execute(text("SELECT count(*) FROM delegation")).scalar_one() == (done == ["accept"])


@SQLITE
def test_w6_a_company_that_asks_and_takes_back_asks_forty_practices_a_day_and_no_more(world: Parties) -> None:
    with transaction(world.database) as db:
        row = {"entitlements": ["eligibility.view"], "lines": [LINE], "ends_at": clock.now() + timedelta(days=9)}
        for n in range(requests.MOST_OF_A_DAY - 1):
            made = DelegationRequest(
                partner_id=world.firm, tin_hash=b"%032d" % n, tin_last4="0000", note="x", asked_by=world.ada,
                expires_at=clock.now() + timedelta(days=9), status="withdrawn", **row,
            )  # fmt: skip
            db.add(made)
    request = ask(world, tin="44-4444444")
    with transaction(world.database) as db:
        requests.withdraw(db, by=world.ada, partner_id=world.firm, request_id=request)
    refused(TooMany, lambda: ask(world, tin="55-5555555"), "forty times")
    with freeze_time(clock.now() + timedelta(days=1, minutes=1)):
        ask(world, tin="55-5555555")
