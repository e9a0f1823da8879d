"""Records past their time go, held ones stay, a person's fields are shredded; the proof holds all the while."""

import base64
import threading
from collections.abc import Callable
from datetime import UTC, datetime

import orjson
import pytest
from freezegun import freeze_time
from sqlalchemy import text

from idp.audit import checkpoint, export, holds, log, months, origin, retention, rights, search, shredding, verifier
from idp.audit.events import Event
from idp.audit.report import Report
from idp.audit.seal import Sealer
from idp.audit.search import Filters
from idp.database import Database, reading, transaction
from idp.errors import Conflict, Invalid, NotFound
from tests import engines
from tests.audit.conftest import as_superuser

OLD = "2020-03-05"
CUTOFF = datetime(2020, 11, 1, tzinfo=UTC)


@pytest.fixture
def database_url(database_url: str) -> str:
    """The owner's address: the service's own role may not prune."""
    return engines.as_owner(database_url)


@pytest.fixture
def aged(database: Database) -> None:
    """Twelve records of 2020 in three batches, the last of which holds four of today as well."""
    months.ensure(database, since=datetime(2020, 1, 1, tzinfo=UTC))
    sealer = Sealer(database)
    for batch in range(3):
        with freeze_time(OLD), transaction(database) as db:
            for n in range(4):
                event = Event(
                    "entitlements.grant.added", account=f"acc_{n}", provider=f"prv_{batch}", personal={"name": "Ana"}
                )
                log.record(db, event)
        if batch == 2:
            _today(database)
        sealer.seal()


def _today(database: Database) -> None:
    with transaction(database) as db:
        for n in range(4):
            log.record(db, Event("entitlements.grant.ended", account=f"acc_{n}", provider="prv_0"))


def _numbers(database: Database) -> list[int]:
    with reading(database) as db:
        return list(db.execute(text("SELECT seq FROM audit_record ORDER BY seq")).scalars())


def _exported(database: Database, filters: Filters | None = None) -> verifier.Result:
    public = checkpoint.load_key(database.settings.audit_key_file).public_key()
    return verifier.verify(b"".join(export.jsonl(database, filters or Filters(), every=1)).splitlines(), public)


def test_security_78_what_is_past_its_time_goes_and_the_rest_is_still_proven(
    aged: None, database: Database, check: Callable[..., Report]
) -> None:
    done = retention.prune(database)
    assert (done.records, done.held) == (12, 0)
    Sealer(database).seal()
    assert _numbers(database)[:4] == [13, 14, 15, 16]
    report = check()
    assert report.whole, report.sentence
    assert (report.pruned, report.records, report.copies) == (12, 5, 4)
    assert "12 older records were pruned after their time" in report.sentence
    assert (_exported(database).records, _exported(database).pruned) == (5, 12)
    one = _exported(database, Filters(person="acc_2"))
    assert (one.records, one.first) == (1, 15)
    assert retention.prune(database).records == 0  # nothing twice
    _today(database)
    Sealer(database).seal()
    assert check().whole


def test_security_76_a_legal_hold_keeps_records_and_keys_whoever_asks(
    aged: None, database: Database, check: Callable[..., Report]
) -> None:
    with transaction(database) as db, origin.acting_as("acc_counsel"):
        person = holds.place(db, "matter 7", account="acc_1")
        practice = holds.place(db, "matter 8", provider="prv_1")
        everything = holds.place(db, "matter 9")
    for who in ("acc_1", "acc_3"):
        with pytest.raises(Conflict), transaction(database) as db:
            shredding.shred(db, who)
    with pytest.raises(Conflict):
        retention.prune(database)
    with transaction(database) as db:
        holds.lift(db, everything)
    with pytest.raises(NotFound), transaction(database) as db:
        holds.lift(db, everything)
    done = retention.prune(database)
    assert (done.records, done.held) == (6, 6)
    assert _numbers(database)[:6] == [2, 5, 6, 7, 8, 10]
    Sealer(database).seal()
    assert check().whole, check().sentence
    assert _exported(database).pruned == 6
    with transaction(database) as db:
        holds.lift(db, person)
        holds.lift(db, practice)
    assert retention.prune(database).records == 6
    Sealer(database).seal()
    assert (check().whole, check().pruned, _exported(database).pruned) == (True, 12, 12)


def test_security_76_a_hold_is_acknowledged_only_once_nothing_it_names_is_being_destroyed(
    aged: None, database: Database
) -> None:
    placed: list[str] = []

    def place() -> None:
        with transaction(database) as db:
            made = holds.place(db, "matter 7", account="acc_1")
        placed.append(made)

    with transaction(database) as db:
        shredding.shred(db, "acc_1")
        counsel = threading.Thread(target=place)
        counsel.start()
        counsel.join(0.5)
        assert not placed, "the hold was promised while the person's key was being destroyed"
    counsel.join(20)
    assert placed
    with transaction(database) as db:
        holds.lift(db, placed[0])
        holds.place(db, "matter 8", account="acc_3")
        late = threading.Thread(target=lambda: _refused_to_shred(database, "acc_3", placed))
        late.start()
        late.join(0.5)
        assert len(placed) == 1
    late.join(20)
    assert placed[1:] == ["kept"], "the hold was not seen by who began while it was being placed"


def _refused_to_shred(database: Database, who: str, told: list[str]) -> None:
    try:
        with transaction(database) as db:
            shredding.shred(db, who)
        told.append("destroyed")
    except Conflict:
        told.append("kept")


def test_security_78_nothing_younger_than_six_years_goes(aged: None, database: Database) -> None:
    with pytest.raises(Invalid):
        retention.prune(database, datetime(2021, 3, 1, tzinfo=UTC))
    assert retention.prune(database, datetime(2020, 3, 31, tzinfo=UTC)).records == 0  # the month itself is not over
    assert retention.prune(database, datetime(2020, 4, 30, tzinfo=UTC)).records == 12


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("UPDATE audit_pruned SET gone = nodes WHERE first_index = 8", "missing"),
        ("DELETE FROM audit_pruned WHERE first_index = 0", "broken"),
        ("DELETE FROM audit_record WHERE seq = 14", "missing"),
        ("UPDATE audit_pruned SET high_seq = high_seq + 1 WHERE first_index = 4", "forged"),
    ],
)
def test_security_74_destroying_under_the_name_of_pruning_is_found(
    aged: None, database: Database, check: Callable[..., Report], statement: str, kind: str
) -> None:
    retention.prune(database)
    Sealer(database).seal()
    as_superuser(database, statement)
    assert kind in [f.kind for f in check().findings]


def test_security_74_whoever_adds_a_pruned_stretch_without_its_record_is_found(
    aged: None, database: Database, check: Callable[..., Report]
) -> None:
    gone = "x'" + (5).to_bytes(8, "big").hex() + "'" if database.is_sqlite else "'\\x0000000000000005'::bytea"
    nothing = "x''" if database.is_sqlite else "''::bytea"
    as_superuser(
        database,
        "DELETE FROM audit_record WHERE seq = 5",
        f"INSERT INTO audit_pruned VALUES (0, 4, 4, 5, 8, {nothing}, {gone})",
    )
    assert [f.kind for f in check().findings] == ["forged"]


def test_security_76_a_shredded_person_cannot_be_read_and_the_tree_still_verifies(
    aged: None, database: Database, check: Callable[..., Report]
) -> None:
    with reading(database) as db:
        assert search.record(db, 3).personal == {"name": "Ana"}
    with transaction(database) as db:
        shredding.shred(db, "acc_2")
    with reading(database) as db:
        assert search.record(db, 3).shredded
        assert search.record(db, 4).personal == {"name": "Ana"}
    for again in ("acc_2", "acc_nobody"):
        with pytest.raises((Conflict, NotFound)), transaction(database) as db:
            shredding.shred(db, again)
    Sealer(database).seal()
    assert check().whole
    assert _exported(database).records == 17
    with transaction(database) as db:  # and nothing personal is kept of them from now on
        log.record(db, Event("entitlements.grant.added", account="acc_2", personal={"name": "Ana"}))
        leaf = db.execute(text("SELECT leaf FROM audit_record ORDER BY seq DESC LIMIT 1")).scalar_one()
    assert "personal" not in orjson.loads(bytes(leaf))
    assert base64.b64encode(b"Ana") not in bytes(leaf)


def test_the_log_lies_in_months_on_postgresql_and_nobody_changes_one(aged: None, database: Database) -> None:
    if database.is_sqlite:
        assert months.ensure(database) == 0
        return
    assert months.ensure(database) == 0  # made before
    with reading(database) as db:
        assert db.execute(text("SELECT count(*) FROM audit_record_2020_03")).scalar() == 12
        assert db.execute(text("SELECT count(*) FROM audit_record_rest")).scalar() == 0
    for statement in (
        "DELETE FROM audit_record_2020_03",
        "UPDATE audit_record_2020_03 SET outcome = 'x'",
        "TRUNCATE audit_record_2020_03",
        "DELETE FROM audit_record_rest",
    ):
        with pytest.raises(Exception, match="insert-only"), transaction(database) as db:
            db.execute(text(statement))
    with freeze_time("2019-02-03"), transaction(database) as db:  # a clock gone wrong, or a month nobody made
        log.record(db, Event("entitlements.grant.added", account="acc_1"))
    with reading(database) as db:
        assert db.execute(text("SELECT count(*) FROM audit_record_rest")).scalar() == 1
    assert Sealer(database).seal().records == 1


def test_security_74_the_services_own_role_adds_records_and_changes_none(database: Database) -> None:
    """The rights `idp audit rights` gives: a stolen service password alters nothing that was written."""
    if database.is_sqlite:
        return
    _today(database)
    Sealer(database).seal()
    with database.engine.connect() as connection:
        connection.exec_driver_sql(
            "DO $$ BEGIN CREATE ROLE another_service; EXCEPTION WHEN duplicate_object THEN NULL; END $$"
        )
        connection.commit()
        for role in ("nobody_here", 'x"; DROP TABLE account; --'):
            with pytest.raises(Invalid):
                rights.give(database, role)
        rights.give(database, "another_service")
        connection.exec_driver_sql("SET ROLE another_service")
        for statement in (
            "UPDATE audit_record SET outcome = 'x'",
            "DELETE FROM audit_batch",
            "UPDATE audit_checkpoint SET note = ''",
            "INSERT INTO audit_pruned SELECT * FROM audit_pruned",
            "ALTER TABLE audit_record DISABLE TRIGGER ALL",
            "DROP TRIGGER audit_record_insert_only ON audit_record",
            "SET session_replication_role = replica",
            "DROP TABLE audit_record_rest",
            "DELETE FROM audit_record_rest",
        ):
            with pytest.raises(Exception, match=r"permission denied|must be owner"):
                connection.exec_driver_sql(statement)
            connection.rollback()
            connection.exec_driver_sql("SET ROLE another_service")
        connection.exec_driver_sql("SELECT count(*) FROM audit_record")
        connection.exec_driver_sql("SELECT audit_record_month('2031-05-01')")  # months are made with the owner's rights
        connection.exec_driver_sql(
            "INSERT INTO audit_record (created_at, at, event, leaf, mac, outcome) VALUES (0, 0, 'x', '', '', 'done')"
        )
        connection.rollback()
        connection.exec_driver_sql("RESET ROLE")
        connection.exec_driver_sql("DROP OWNED BY another_service")
        connection.commit()
