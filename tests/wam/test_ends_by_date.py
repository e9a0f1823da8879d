"""What ends by its date is in the feed at that moment, once, whoever looks; a renewal ends nothing (D-5, SE-3)."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from freezegun import freeze_time
from sqlalchemy import text

from idp import clock
from idp.accounts import attestations
from idp.database import Database, reading, transaction
from idp.database.glance import Glance
from idp.entitlements import grants, pauses
from idp.entitlements.grant_rows import Place
from idp.jobs import expiries
from idp.jobs.expiring import Expiring
from idp.leaving import by_date
from idp.providers import organisations
from idp.providers.tables import Agreement
from tests.wam.world import LINE, World

HOUR = timedelta(hours=1)


def feed(database: Database, after: int = 0) -> list[tuple[str, str | None]]:
    """Return what the feed says after a number: kind, and whose."""
    with reading(database) as db:
        found = text(
            "SELECT kind, coalesce(account_id, provider_id) FROM revocation "
            "WHERE seq > :a AND kind <> 'session_ended' ORDER BY seq"
        )
        return [(kind, whose) for kind, whose in db.execute(found, {"a": after})]


def last(database: Database) -> int:
    with reading(database) as db:
        return int(db.execute(text("SELECT seq FROM revocation_counter")).scalar_one())


@pytest.fixture
def start(world: World) -> datetime:
    """The moment until which everything was told."""
    with transaction(world.database) as db:
        db.execute(text("UPDATE date_told SET at = :at"), {"at": clock.micros(now := clock.now())})
    return now


@pytest.fixture
def glance(database: Database) -> Iterator[Glance]:
    made = Glance(database)
    yield made
    made.close()


def _agreement(world: World) -> Agreement:
    with reading(world.database) as db:
        query = text("SELECT id FROM agreement WHERE provider_id = :p")
        return db.get_one(Agreement, db.execute(query, {"p": world.lakeside}).scalar())


def _set_end(world: World, ends: datetime) -> None:
    with transaction(world.database) as db:
        organisations.set_end(db, db.get_one(Agreement, _agreement(world).id), ends)


def test_d_5_what_ends_by_its_date_is_in_the_feed_at_the_first_look_after_it_and_once(
    world: World, start: datetime, glance: Glance
) -> None:
    database, ends = world.database, start + HOUR
    _set_end(world, ends)
    with transaction(database) as db:
        place = Place(world.hana, world.harbor, LINE)
        pauses.suspend(db, place, ["eligibility.view"], by=world.otto, reason="leave", starts_at=ends)
        values = {"e": clock.micros(ends), "a": world.mia}
        db.execute(text("UPDATE appointment SET ends_at = :e WHERE account_id = :a"), values)
        attested = attestations.attest(db, world.ana, capacity="authorised_agent", principal="Lakeside Clinic")
        db.flush()
        values = {"e": clock.micros(ends), "a": world.ana}
        db.execute(text("UPDATE attestation SET expires_at = :e WHERE account_id = :a"), values)
        assert attested.account_id == world.ana
        facts = {"account_id": world.finn, "provider_id": world.lakeside, "line": LINE, "entitlement": "remit.view"}
        grants.grant(db, by=world.wes, reason="x", expires_at=ends, **facts)
    before, job = last(database), Expiring(glance)
    with freeze_time(ends - timedelta(seconds=1)):
        job.run(database)  # looks at everything, the first time
        assert feed(database, before) == []
    with freeze_time(ends):  # a quarter of a second later nothing but the dates is looked at
        assert glance.at(by_date.DUE, clock.micros(clock.now()))
        job.run(database)
        heard = feed(database, before)
        assert sorted(heard) == sorted(
            [
                ("agreement_ended", world.lakeside),
                ("grant_suspended", world.hana),
                ("grant_ended", world.mia),
                ("access_reduced", world.ana),
                ("grant_ended", world.finn),
            ]
        )
        assert not glance.at(by_date.DUE, clock.micros(clock.now()))
    with freeze_time(ends + HOUR):
        expiries.run(database)
        assert feed(database, before) == heard
    with reading(database) as db:
        named = "('accounts.attestation.lapsed','entitlements.pause.begun','providers.agreement.ended')"
        count = f"SELECT count(*) FROM audit_record WHERE event IN {named} OR event = 'wam.appointment.ended'"
        assert db.execute(text(count)).scalar() == 4


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_d_5_a_renewal_ends_nothing_and_an_end_moved_near_is_told_with_the_move(world: World, start: datetime) -> None:
    _set_end(world, start + HOUR)
    with transaction(world.database) as db:  # the next one begins where this one ends
        organisations.agree(db, world.lakeside, _agreement(world).line, starts_at=start + HOUR)
    before = last(world.database)
    with freeze_time(start + HOUR):
        expiries.run(world.database)
        assert feed(world.database, before) == []
    _set_end(world, clock.now() + timedelta(seconds=5))
    assert feed(world.database, before) == [("agreement_ended", world.lakeside)]


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_d_5_after_a_standstill_all_is_told_in_batches_and_a_clock_set_back_tells_nothing(
    world: World, start: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_date, "BATCH", 2)
    monkeypatch.setattr(by_date, "_NEXT", text(str(by_date._NEXT).replace("LIMIT 500", "LIMIT 2")))
    with transaction(world.database) as db:
        for n in range(5):  # three of them at one moment: they are told together
            ends = start + timedelta(minutes=(1, 2, 2, 2, 3)[n])
            organisations.agree(db, world.harbor, "dental", starts_at=start - HOUR, ends_at=ends)
    before = last(world.database)
    with freeze_time(start + HOUR):
        rounds = 1
        with transaction(world.database) as db:
            more = by_date.tell(db)
        while more:
            rounds += 1
            with transaction(world.database) as db:
                more = by_date.tell(db)
        assert (len(feed(world.database, before)), rounds) == (5, 3)
    with freeze_time(start), transaction(world.database) as db:
        assert by_date.tell(db) is False
