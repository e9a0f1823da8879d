"""Whoever owns the database changes the log; verifying names the record (security.md 74, SE-5)."""

import shutil
import struct
from collections.abc import Callable
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text

from idp import clock
from idp.audit import copies
from idp.audit.checkpoint import Checkpoint, origin_of, sign
from idp.audit.merkle import Frontier, leaf_hash
from idp.audit.report import Report
from idp.audit.seal import LogDamaged, Sealer
from idp.database import Database, reading
from tests.audit.conftest import as_superuser

Write = Callable[..., None]
Check = Callable[..., Report]
_COPY_ROW = (
    "INSERT INTO audit_record (seq, created_at, at, event, outcome, actor_id, account_id, provider_id, entitlement, "
    "client_id, session_id, device_id, decision_id, request_id, reason, address_hash, leaf, mac) "
    "SELECT {seq}, created_at, at, event, outcome, actor_id, account_id, provider_id, entitlement, client_id, "
    "session_id, device_id, decision_id, request_id, reason, address_hash, leaf, mac FROM audit_record WHERE seq = {of}"
)


@pytest.fixture
def sealed(write: Write, sealer: Sealer, check: Check) -> None:
    """Thirty records in three batches."""
    for _ in range(3):
        write(10)
        sealer.seal()
    assert check().whole


def test_an_untouched_log_is_whole_and_says_what_was_checked(sealed: None, write: Write, check: Check) -> None:
    write(2)
    report = check()
    assert report.whole
    assert (report.records, report.waiting, report.checkpoints, report.copies) == (30, 2, 3, 3)
    assert report.sentence.startswith("The log is whole: 30 records verified")
    assert "2 newer records wait to be sealed" in report.sentence


@pytest.mark.parametrize("column", ["leaf", "leaf_and_mac"])
def test_security_74_an_altered_record_is_named(sealed: None, database: Database, check: Check, column: str) -> None:
    cast = "CAST(REPLACE(CAST(leaf AS TEXT), 'grant.added', 'grant.ended') AS BLOB)"
    if not database.is_sqlite:
        cast = "convert_to(replace(convert_from(leaf, 'UTF8'), 'grant.added', 'grant.ended'), 'UTF8')"
    more = ", mac = leaf" if column == "leaf_and_mac" else ""
    as_superuser(database, f"UPDATE audit_record SET leaf = {cast}{more} WHERE seq IN (17, 23)")
    report = check()
    assert [(f.kind, f.record) for f in report.findings] == [("altered", 17), ("altered", 23)]
    assert "Record 17 was changed after it was sealed." in report.sentence
    assert report.records == 16


def test_security_74_a_column_that_searches_use_is_compared_with_the_sealed_record(
    sealed: None, database: Database, check: Check
) -> None:
    as_superuser(database, "UPDATE audit_record SET account_id = 'acc_other', at = at + 1 WHERE seq = 9")
    report = check()
    assert [(f.kind, f.record) for f in report.findings] == [("columns", 9)]
    assert "at, account_id" in report.sentence


def test_security_74_a_deleted_record_is_named(sealed: None, database: Database, check: Check) -> None:
    as_superuser(database, "DELETE FROM audit_record WHERE seq = 12")
    assert [(f.kind, f.record) for f in check().findings] == [("missing", 12)]


def test_security_74_an_inserted_record_is_named(sealed: None, database: Database, check: Check) -> None:
    as_superuser(database, _COPY_ROW.format(seq=1001, of=5))
    assert [(f.kind, f.record) for f in check().findings] == [("inserted", 1001)]


@pytest.mark.parametrize("number", [1001, -3])
def test_security_74_a_copy_of_a_true_record_is_not_sealed_a_second_time(
    sealed: None, database: Database, sealer: Sealer, check: Check, number: int
) -> None:
    with database.engine.connect() as connection:  # the triggers work: the copy waits to be sealed like any record
        connection.exec_driver_sql(_COPY_ROW.format(seq=number, of=5))
        connection.commit()
    assert sealer.seal().refused == 1
    report = check()
    assert ("inserted", number) in [(f.kind, f.record) for f in report.findings]


def test_security_74_a_record_this_service_did_not_write_is_refused_and_told(
    sealed: None, database: Database, sealer: Sealer, check: Check
) -> None:
    with database.engine.connect() as connection:
        connection.exec_driver_sql(
            "INSERT INTO audit_record (seq, created_at, at, event, outcome, leaf, mac) "
            "SELECT 2000, created_at, at, event, outcome, leaf, account_id::bytea FROM audit_record WHERE seq = 1"
            if not database.is_sqlite
            else "INSERT INTO audit_record (seq, created_at, at, event, outcome, leaf, mac) "
            "SELECT 2000, created_at, at, event, outcome, leaf, x'00' FROM audit_record WHERE seq = 1"
        )
        connection.commit()
    assert sealer.seal().refused == 1
    assert sealer.seal().records == 1  # the record that tells of it
    report = check()
    assert [(f.kind, f.record) for f in report.findings] == [("inserted", 2000)]
    with reading(database) as session:
        told = session.execute(text("SELECT reason FROM audit_record WHERE event = 'audit.record.refused'")).all()
    assert [row.reason for row in told] == ["not_ours"]


def test_security_74_two_swapped_records_are_named(sealed: None, database: Database, check: Check) -> None:
    as_superuser(
        database,
        "UPDATE audit_record SET seq = 900 WHERE seq = 14",
        "UPDATE audit_record SET seq = 14 WHERE seq = 18",
        "UPDATE audit_record SET seq = 18 WHERE seq = 900",
    )
    assert [(f.kind, f.record) for f in check().findings] == [("reordered", 14), ("reordered", 18)]


def test_security_74_a_tail_cut_off_is_named(sealed: None, database: Database, check: Check) -> None:
    as_superuser(database, "DELETE FROM audit_record WHERE seq > 24")
    assert [f.record for f in check().findings] == [25, 26, 27, 28, 29, 30]
    as_superuser(database, "DELETE FROM audit_batch WHERE first_index >= 20")
    report = check()
    assert report.first is not None
    assert report.first.kind == "cut_off"
    assert "Records after number 20 were cut off" in report.sentence


def test_security_74_a_tail_cut_off_with_its_checkpoints_is_found_by_the_copy(
    sealed: None, database: Database, sealer: Sealer, check: Check
) -> None:
    as_superuser(
        database,
        "DELETE FROM audit_record WHERE seq > 20",
        "DELETE FROM audit_batch WHERE first_index >= 20",
        "DELETE FROM audit_checkpoint WHERE size > 20",
    )
    report = check()
    assert report.first is not None
    assert report.first.kind == "cut_off"
    assert "The copy states 30 records" in report.sentence
    assert check(with_copy=False).whole  # nothing but the copy can tell
    assert "would not be noticed" in check(with_copy=False).sentence
    for one in (sealer, Sealer(database)):  # remembered by the worker, and by a fresh one through the copy
        with pytest.raises(LogDamaged, match="rolled back"):
            one.seal(at_least_every=timedelta(0))


def test_security_74_a_tail_cut_off_and_sealed_anew_without_the_key_is_found(
    sealed: None, database: Database, check: Check
) -> None:
    as_superuser(
        database,
        "DELETE FROM audit_record WHERE seq > 20",
        "DELETE FROM audit_batch WHERE first_index >= 20",
        "DELETE FROM audit_checkpoint WHERE size > 20",
        _COPY_ROW.format(seq=21, of=3),
    )
    with reading(database) as session:
        row = session.execute(text("SELECT leaf FROM audit_record WHERE seq = 21")).one()
        last = session.execute(text("SELECT frontier FROM audit_checkpoint WHERE size = 20")).one()
    digest = leaf_hash(bytes(row.leaf))
    tree = Frontier.load(20, bytes(last.frontier))
    tree.append(digest)
    note = sign(Checkpoint(origin_of(database.settings), 21, tree.root(), clock.now()), Ed25519PrivateKey.generate())
    with database.engine.connect() as connection:
        connection.execute(
            text("INSERT INTO audit_batch VALUES (0, 20, 1, 21, 21, :s, :h)"),
            {"s": struct.pack(">q", 21), "h": digest},
        )
        connection.execute(
            text("INSERT INTO audit_checkpoint VALUES (0, 3, 21, :r, :f, :n, 0)"),
            {"r": tree.root(), "f": tree.dump(), "n": note},
        )
        connection.commit()
    for with_copy in (True, False):
        report = check(with_copy=with_copy)
        assert "Checkpoint 3 is forged" in report.sentence
        assert ("forged", 21) in [(f.kind, f.record) for f in report.findings]
    with pytest.raises(LogDamaged, match="not one that this service signed"):
        Sealer(database).seal(at_least_every=timedelta(0))


def test_security_74_a_record_and_its_hash_changed_together_is_named(
    sealed: None, database: Database, check: Check
) -> None:
    new = b'{"event":"nothing.happened"}'
    with reading(database) as session:
        row = session.execute(text("SELECT seqs, hashes FROM audit_batch WHERE first_index = 10")).one()
    place = struct.unpack(">10q", bytes(row.seqs)).index(15)
    hashes = bytearray(bytes(row.hashes))
    hashes[place * 32 : place * 32 + 32] = leaf_hash(new)
    literal = (lambda b: f"x'{b.hex()}'") if database.is_sqlite else (lambda b: f"'\\x{b.hex()}'::bytea")
    as_superuser(
        database,
        f"UPDATE audit_record SET leaf = {literal(new)} WHERE seq = 15",
        f"UPDATE audit_batch SET hashes = {literal(bytes(hashes))} WHERE first_index = 10",
    )
    kinds = [(f.kind, f.record) for f in check().findings]
    assert ("columns", 15) in kinds or ("altered", 15) in kinds
    assert kinds[0][1] == 15


def test_security_74_a_forged_checkpoint_is_named(sealed: None, database: Database, check: Check) -> None:
    as_superuser(database, "UPDATE audit_checkpoint SET note = replace(note, '20', '19') WHERE number = 2")
    report = check()
    assert report.first is not None
    assert report.first.kind == "forged"
    assert "Checkpoint 2 is forged" in report.sentence


def test_security_74_a_missing_checkpoint_is_named(sealed: None, database: Database, check: Check) -> None:
    as_superuser(database, "DELETE FROM audit_checkpoint WHERE number = 2")
    assert "Checkpoint 2 is missing" in check().sentence


def test_security_74_two_logs_for_two_readers_are_found(
    sealed: None, database: Database, sealer: Sealer, check: Check
) -> None:
    copy = database.settings.audit_copy
    assert copy is not None
    other = sign(Checkpoint(origin_of(database.settings), 30, b"\x07" * 32, clock.now()), sealer._key)
    copies.append(copy, 3, other)
    assert "Two logs" in check().sentence


def test_security_91_a_backup_put_back_is_found_by_the_copy(
    database: Database, write: Write, sealer: Sealer, check: Check
) -> None:
    copy = database.settings.audit_copy
    assert copy is not None
    write(5)
    sealer.seal()
    kept = copy.with_suffix(".kept")
    write(5)
    sealer.seal()
    shutil.copyfile(copy, kept)
    as_superuser(  # what a restore of the older backup leaves
        database,
        "DELETE FROM audit_record WHERE seq > 5",
        "DELETE FROM audit_batch WHERE first_index >= 5",
        "DELETE FROM audit_checkpoint WHERE size > 5",
    )
    assert "rolled back to an older state" in check().sentence
    copy.rename(copy.with_suffix(".evidence"))  # the operator accepts the loss and keeps the proof of it
    assert check(with_copy=False).whole


def test_a_waiting_record_that_vanished_is_named(
    database: Database, write: Write, sealer: Sealer, check: Check
) -> None:
    write(3)
    as_superuser(database, "DELETE FROM audit_record WHERE seq = 2")
    assert [(f.kind, f.record) for f in check().findings] == [("missing", 2)]
    assert sealer.seal().refused == 1


def test_a_record_taken_out_of_the_waiting_list_is_named(database: Database, write: Write, check: Check) -> None:
    write(3)
    as_superuser(database, "DELETE FROM audit_unsealed WHERE seq = 2")
    assert [(f.kind, f.record) for f in check().findings] == [("inserted", 2)]


def test_security_74_records_sealed_out_of_their_order_are_verified_and_a_changed_one_among_them_is_named(
    database: Database, write: Write, sealer: Sealer, check: Check
) -> None:
    write(12)
    as_superuser(database, "DELETE FROM audit_unsealed WHERE (seq & 1) = 0")  # as those of a transaction still open
    sealer.seal()
    as_superuser(database, "INSERT INTO audit_unsealed (seq, at) SELECT seq, at FROM audit_record WHERE (seq & 1) = 0")
    sealer.seal()
    report = check()
    assert (report.whole, report.records) == (True, 12)
    as_superuser(database, "UPDATE audit_record SET account_id = 'acc_other' WHERE seq = 5")
    as_superuser(database, "DELETE FROM audit_record WHERE seq = 8")
    report = check()
    assert [(f.kind, f.record) for f in report.findings] == [("columns", 5), ("missing", 8)]
    assert report.records == 2
