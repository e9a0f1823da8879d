"""The service feeds the detector from its sealed log: each record once, whatever breaks, and findings follow."""

from datetime import datetime
from pathlib import Path

import orjson
import pytest
from sqlalchemy import text
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock
from idp.accounts import sessions
from idp.audit import log, shredding
from idp.audit.events import Event
from idp.audit.tables import AuditRecord
from idp.cases import file
from idp.cases.tables import SecurityCase
from idp.database import reading, transaction
from idp.sharing.live import feeding, shown, stored, telling
from idp.sharing.live.tables import SharingMemory, SharingPlace, SharingScore
from idp.sharing.state import NetworkMemory
from tests.sharing.history import BACK, FAR, FRONT, HERE, History
from tests.wam.world import World


def fed(history: History) -> None:
    """Seal and let the job do all there is."""
    history.seal()
    feeding.run(history.database)  # sets where it begins
    while feeding.run(history.database):
        pass


def memory_of(history: History, account: str) -> bytes:
    with reading(history.database) as db:
        return orjson.dumps(stored.account(db.get_one(SharingMemory, ("account", account)).body))


def test_domain_10_a_shared_login_becomes_a_case_with_its_reasons_and_the_records_they_rest_on(
    told: History, world: World
) -> None:
    fed(told)
    with reading(told.database) as db:
        row = db.get_one(SharingScore, (world.finn, "sharing"))
        assert {"role_split", "new_work"} <= row.evidence.keys()
        case = db.exec(select(SecurityCase)).one()
        assert (case.account_id, case.kind, case.source) == (world.finn, "sharing", "finding")
        assert case.band in ("case", "containment")
        crossed = db.exec(
            select(AuditRecord).where(AuditRecord.event == "security.score.crossed").order_by(col(AuditRecord.seq))
        ).all()
        assert [one.account_id for one in crossed] == [world.finn] * len(crossed)
        assert crossed[0].reason in ("notice", "case")
        said = orjson.loads(crossed[-1].leaf)["details"]
        assert said["weights"] == row.version
        assert db.get(AuditRecord, said["record"]) is not None
        found = shown.explained(db, world.finn, "sharing")
        assert found.parts[0].words.endswith(".")
        assert found.parts[0].marks
        assert len(found.days) > 1
        assert found.days[-1].log_odds >= found.days[0].log_odds
        assert [one.account_id for one in shown.listed(db, "sharing")] == [world.finn]


def test_se_2_each_finding_lists_the_records_it_rested_on_then_and_none_that_came_later(
    told: History, world: World
) -> None:
    fed(told)  # in one round: each line is crossed at another moment of it
    with reading(told.database) as db:
        case = db.exec(select(SecurityCase)).one()
        found = [one.body["evidence"] for one in file.entries(db, case.id) if one.body and "evidence" in one.body]
    assert len(found) > 1
    for one in found:
        for reason in one["reasons"]:
            moments = [datetime.fromisoformat(row["at"]) for row in reason["rows"]]
            assert moments
            assert max(moments) <= datetime.fromisoformat(one["to"]), "a record that came after the finding"
    rested = [{row["record"] for reason in one["reasons"] for row in reason["rows"]} for one in found]
    assert rested[0] != rested[-1]


def test_each_record_counts_once_in_rounds_of_any_size_and_after_any_crash(
    told: History, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    told.seal()
    feeding.begin(told.database)
    tries = 0

    def crash(db: Db, watcher: object) -> None:
        nonlocal tries
        tries += 1
        if tries % 2:
            raise OSError("the worker was killed")
        kept(db, watcher)  # type: ignore[arg-type]

    kept = telling.keep
    with monkeypatch.context() as patch:
        patch.setattr(feeding, "MOST", 37)
        patch.setattr(telling, "keep", crash)
        more = True
        while more:
            try:
                more = feeding.run(told.database)
            except OSError:
                more = True
    assert tries > 12
    in_parts = memory_of(told, world.finn)
    with transaction(told.database) as db:
        first = db.get_one(SharingScore, (world.finn, "sharing")).log_odds
        cases = len(db.exec(select(SecurityCase)).all())
        db.execute(text("UPDATE sharing_place SET leaf = 0"))
        db.execute(text("DELETE FROM sharing_memory"))
        db.execute(text("DELETE FROM sharing_score"))
    while feeding.run(told.database):
        pass
    assert memory_of(told, world.finn) == in_parts
    with reading(told.database) as db:
        assert db.get_one(SharingScore, (world.finn, "sharing")).log_odds == first
        assert len(db.exec(select(SecurityCase)).all()) == cases == 1


def test_of_two_workers_with_the_same_records_one_is_heard(told: History, monkeypatch: pytest.MonkeyPatch) -> None:
    told.seal()
    feeding.begin(told.database)
    looked = feeding._looked

    def beaten(*given: object) -> object:
        with monkeypatch.context() as patch:
            patch.setattr(feeding, "_looked", looked)
            assert feeding.run(told.database)
        return looked(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(feeding, "_looked", beaten)
    feeding.run(told.database)
    monkeypatch.undo()
    with reading(told.database) as db:
        assert db.get_one(SharingPlace, 1).leaf == feeding.MOST or not feeding._next(db)
        crossed = select(AuditRecord).where(AuditRecord.event == "security.score.crossed")
        assert len(db.exec(crossed).all()) <= 3


def test_containment_ends_what_is_open_now_and_takes_nothing_away(
    told: History, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = telling._acted_on
    monkeypatch.setattr(telling, "_acted_on", lambda db, _band, **_late: fresh(db, "containment", late=False))
    with reading(told.database) as db:
        held = db.execute(text('SELECT count(*) FROM "grant" WHERE ended_at IS NULL')).scalar()
        assert sessions.live_of(db, world.finn)
    fed(told)
    with reading(told.database) as db:
        assert not sessions.live_of(db, world.finn)
        assert db.execute(text('SELECT count(*) FROM "grant" WHERE ended_at IS NULL')).scalar() == held


@pytest.mark.parametrize(
    ("most", "band", "late", "acted"),
    [
        ("containment", "containment", False, "containment"),
        ("containment", "containment", True, "case"),
        ("case", "containment", False, "case"),
        ("notice", "case", False, "notice"),
        ("score", "containment", False, None),
    ],
)
@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_domain_10_findings_go_by_themselves_as_far_as_the_operator_says_and_late_ones_end_nothing(
    world: World, most: str, band: str, late: bool, acted: str | None
) -> None:
    with transaction(world.database) as db:
        body = orjson.dumps({"sharing": {"most": most}}).decode()
        db.execute(text("DELETE FROM configuration"))
        db.execute(text("INSERT INTO configuration (id, body, created_at) VALUES (1, :body, 0)"), {"body": body})
    with reading(world.database) as db:
        assert telling._acted_on(db, band, late=late) == acted


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_without_a_file_of_places_no_address_is_a_place_and_with_one_a_journey_is_seen(
    told: History, world: World, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with transaction(told.database) as db:
        told.work(db, 0, 0.1, world.finn, "dev_front", *FRONT)
        told.work(db, 0, 0.2, world.finn, "dev_back", *BACK, address=FAR)
    fed(told)
    with reading(told.database) as db:
        assert "two_places" not in db.get_one(SharingScore, (world.finn, "sharing")).evidence
        assert shown.state(db).silent
        db.rollback()
    file = tmp_path_factory.mktemp("places") / "networks.jsonl"
    file.write_text(
        '{"network": "203.0.113.0/24", "latitude": 41.9, "longitude": -87.6, "use": "egress"}\n'
        '{"network": "203.0.113.8/30", "latitude": 41.9, "longitude": -87.6, "accuracy_km": 10.0}\n'
        '{"network": "198.51.100.0/24", "latitude": 34.1, "longitude": -118.2}\n'
    )
    told.database.settings = told.database.settings.model_copy(update={"networks_file": file})
    feeding._files.clear()
    with transaction(told.database) as db:
        for table in ("sharing_memory", "sharing_score", "sharing_place"):
            db.execute(text(f"DELETE FROM {table}"))
    fed(told)
    with reading(told.database) as db:
        assert "two_places" in db.get_one(SharingScore, (world.finn, "sharing")).evidence
        assert not shown.state(db).silent
        db.rollback()
    file.write_text('{"network": "203.0.113.0/24", "remote_desktops": true}\n')
    with transaction(told.database) as db:
        for table in ("sharing_memory", "sharing_score", "sharing_place"):
            db.execute(text(f"DELETE FROM {table}"))
    fed(told)
    with reading(told.database) as db:  # windows on one screen are one pair of hands
        assert db.get(SharingScore, (world.finn, "sharing")) is None


def test_domain_10_where_another_person_used_a_computer_before_is_remembered_as_it_was(
    told: History, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "networks.jsonl"
    file.write_text(
        '{"network": "203.0.113.0/24", "latitude": 41.9, "longitude": -87.6, "accuracy_km": 10.0}\n'
        '{"network": "198.51.100.0/24", "latitude": 34.1, "longitude": -118.2, "accuracy_km": 10.0}\n'
    )
    monkeypatch.setattr(told.database, "settings", told.database.settings.model_copy(update={"networks_file": file}))
    feeding._files.clear()

    def far() -> NetworkMemory:
        with reading(told.database) as db:
            rows = db.exec(select(SharingMemory).where(SharingMemory.kind == "network")).all()
            return next(one for row in rows if (one := stored.network(row.body)).latitude == 34.1)

    for who, login, address in ((world.hana, "hana", FAR), (world.finn, "finn", HERE)):
        told.session(who, world.logins[login], "dev_hall")
        with transaction(told.database) as db:
            told.work(db, 0, 0.1, who, "dev_hall", *FRONT, address=address)
        fed(told)
        assert world.hana in far().users, who
    assert far().moved == {"dev_hall": 1}, "the computer came from far away, whoever sat at it"


def test_leave_from_one_practice_is_known_and_a_shredded_person_is_forgotten(told: History, world: World) -> None:
    now = clock.micros(clock.now())
    with transaction(told.database) as db:
        db.execute(
            text(
                "INSERT INTO absence (id, account_id, provider_id, line, starts_at, set_by, created_at) "
                "VALUES ('abs_1', :who, :where, 'medical', :now, 'operator', :now)"
            ),
            {"who": world.finn, "where": world.lakeside, "now": now},
        )
        told.record(db, clock.now(), (world.finn, "dev_front"), Event("wam.absence.set", account=world.finn))
    fed(told)
    with reading(told.database) as db:
        [leave] = stored.account(db.get_one(SharingMemory, ("account", world.finn)).body).memory.leaves
        assert leave[0] == now / 1e6
        assert leave[1] > leave[0] + 365 * 86_400
        assert leave[2] == world.lakeside
    with transaction(told.database) as db:
        shredding.shred(db, world.finn)
    fed(told)
    with reading(told.database) as db:
        assert db.get(SharingMemory, ("account", world.finn)) is None
        assert db.get(SharingScore, (world.finn, "sharing")) is None
        assert not db.execute(text("SELECT 1 FROM sharing_day WHERE account_id = :a"), {"a": world.finn}).all()


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("event", "said", "innocent"),
    [
        ("decided", {"decision": "innocent", "cause": "roles"}, True),
        ("decided", {"decision": "substantiated"}, False),
        ("appeal_decided", {"outcome": "overturned"}, True),
        ("appeal_decided", {"outcome": "upheld"}, False),
    ],
)
def test_domain_10_what_the_desk_finds_innocent_at_once_or_on_appeal_speaks_no_more_against_a_login(
    told: History, world: World, event: str, said: dict[str, str], innocent: bool
) -> None:
    fed(told)
    with transaction(told.database) as db:
        case = db.exec(select(SecurityCase)).one()
        details = {"case": case.id} | said
        log.record(db, Event(f"security.case.{event}", account=world.finn, reason=case.id, details=details))
    fed(told)
    with reading(told.database) as db:
        kept = stored.account(db.get_one(SharingMemory, ("account", world.finn)).body)
        assert (db.get(SharingScore, (world.finn, "sharing")) is None) == innocent
        assert bool(kept.memory.evidence) == bool(kept.marks) == (not innocent)


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_a_session_of_somebody_else_in_a_record_tells_nothing(told: History, world: World) -> None:
    told.opened[world.ana, "dev_front"] = told.opened[world.finn, "dev_front"]
    with transaction(told.database) as db:
        told.work(db, 0, 0.1, world.ana, "dev_front", *FRONT)
    fed(told)
    with reading(told.database) as db:
        assert not stored.account(db.get_one(SharingMemory, ("account", world.ana)).body).memory.devices
