"""An export is proven on another machine by one small file, and holds one line a record (SE-5, security.md 77)."""

import ast
import csv
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from idp.audit import checkpoint, export, log, verifier
from idp.audit.events import Event
from idp.audit.forms import FORMS
from idp.audit.report import Report
from idp.audit.seal import Sealer
from idp.audit.search import Filters
from idp.database import Database, transaction
from tests.audit.conftest import as_superuser
from tests.audit.hostile import HOSTILE


@pytest.fixture
def public(database: Database, tmp_path: Path) -> Path:
    path = tmp_path / "public.pem"
    path.write_bytes(checkpoint.public_pem(checkpoint.load_key(database.settings.audit_key_file).public_key()))
    return path


@pytest.fixture
def hostile(database: Database, sealer: Sealer) -> None:
    for value in HOSTILE:
        with transaction(database) as session:
            details = {"value": value, value: [value]}
            log.record(session, Event("wam.change.refused", outcome="refused", reason=value, details=details))
        sealer.seal()


def test_what_strangers_send_is_always_recorded_and_never_too_long(
    database: Database, sealer: Sealer, check: Callable[..., Report]
) -> None:
    for value in ("x" * 100_000, "\x00" * 3000, "\ud800 half", "\u00e9" * 5000):
        with transaction(database) as session:
            told = {"value": value, value: [value] * 500}
            log.record(session, Event("wam.change.refused", account=value, client=value, reason=value, details=told))
            column, leaf = session.execute(
                text("SELECT account_id, leaf FROM audit_record ORDER BY seq DESC LIMIT 1")
            ).one()
        assert len(column) <= 200
        assert json.loads(bytes(leaf))["account"] == column
    sealer.seal()
    assert check().whole


def _exported(database: Database, path: Path, filters: Filters | None = None) -> Path:
    path.write_bytes(b"".join(export.jsonl(database, filters or Filters(), every=1)))
    return path


def _verify(path: Path, public: Path, home: Path) -> tuple[int, str]:
    """Run the verifier alone, as on another machine: no part of the service beside it."""
    alone = home / "verify.py"
    shutil.copyfile(Path(verifier.__file__), alone)
    done = subprocess.run(
        [sys.executable, "-I", str(alone), str(path), "--key", str(public)], cwd=home, capture_output=True, text=True
    )
    return done.returncode, done.stdout + done.stderr


def test_security_74_the_verifier_imports_nothing_of_the_service() -> None:
    tree = ast.parse(Path(verifier.__file__).read_text())
    names = {a.name for node in ast.walk(tree) if isinstance(node, ast.Import) for a in node.names}
    names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in names} - set(sys.stdlib_module_names) == {"cryptography"}


def test_se5_an_export_is_verified_on_another_machine(
    database: Database, sealer: Sealer, write: Callable[..., None], public: Path, tmp_path: Path
) -> None:
    for _ in range(3):
        write(7)
        sealer.seal()
    write(2)
    status, said = _verify(_exported(database, tmp_path / "log.jsonl"), public, tmp_path)
    assert status == 0, said
    assert said.startswith("Whole: 21 records of localhost:8000/log verified, numbers 1 to 21")
    assert "2 records were not sealed yet" in said


def test_security_77_hostile_values_are_one_record_in_one_record_out(
    database: Database, hostile: None, public: Path, tmp_path: Path
) -> None:
    path = _exported(database, tmp_path / "log.jsonl")
    lines = path.read_bytes().split(b"\n")
    records = [json.loads(line) for line in lines if b'"type":"record"' in line]
    kept = [value.replace("\x00", "\u2400") for value in HOSTILE]  # no database takes a NUL
    assert [entry["record"]["reason"] for entry in records] == kept
    assert _verify(path, public, tmp_path)[0] == 0
    body = b"".join(export.lines(database, Filters(), FORMS["csv"])).decode()
    assert body.count("\r\n") == len(body.splitlines()) == len(HOSTILE) + 1
    rows = list(csv.DictReader(io.StringIO(body, newline="")))
    assert len(rows) == len(HOSTILE)
    for row, value in zip(rows, HOSTILE, strict=True):
        for cell in row.values():
            assert cell.lstrip()[:1] not in ("=", "+", "-", "@", "\uff1d")
            assert cell.isprintable()
        assert value.isprintable() is (row["reason"].lstrip("'") == value)


@pytest.mark.parametrize("nth", [0, 1, 5, 13, 20])
def test_a_filtered_export_is_proven_although_others_records_are_not_in_it(
    database: Database, sealer: Sealer, public: Path, tmp_path: Path, nth: int
) -> None:
    for batch in range(3):
        with transaction(database) as session:
            for n in range(7):
                log.record(session, Event("entitlements.grant.added", account=f"acc_{batch * 7 + n}"))
        sealer.seal()
    for filters in (Filters(person=f"acc_{nth}"), Filters(event="entitlements.")):
        status, said = _verify(_exported(database, tmp_path / "one.jsonl", filters), public, tmp_path)
        assert status == 0, said
        assert ("numbers" in said) is True
    path = _exported(database, tmp_path / "one.jsonl", Filters(person=f"acc_{nth}"))
    assert [json.loads(x)["number"] for x in path.read_text().splitlines() if '"type":"record"' in x] == [nth + 1]
    assert f"numbers {nth + 1} to {nth + 1}" in _verify(path, public, tmp_path)[1]


def test_an_export_of_nothing_is_whole(database: Database, public: Path, tmp_path: Path) -> None:
    assert _verify(_exported(database, tmp_path / "log.jsonl"), public, tmp_path)[0] == 0


@pytest.fixture
def lines(database: Database, sealer: Sealer, write: Callable[..., None], tmp_path: Path) -> list[str]:
    """An export of twelve records in three batches: 1 + 3 * (4 + 1) + 1 lines."""
    for _ in range(3):
        write(4)
        sealer.seal()
    return _exported(database, tmp_path / "log.jsonl").read_text().splitlines()


def _changed(line: str) -> str:
    return line.replace('"index":5', '"index":5, "x":1').replace("acc_1", "acc_9")


CHANGES: dict[str, tuple[Callable[[list[str]], list[str]], str]] = {
    "altered for readers": (lambda x: [*x[:7], x[7].replace("acc_1", "acc_9"), *x[8:]], "Record 6 was changed"),
    "deleted": (lambda x: [*x[:7], *x[8:]], "Record 7 is preceded by missing ones"),
    "inserted": (lambda x: [*x[:7], x[3], *x[7:]], "Record 3 is out of order or twice here"),
    "swapped": (lambda x: [*x[:7], x[8], x[7], *x[9:]], "Record 7 is preceded by missing ones"),
    "cut off": (lambda x: x[:9], "cut off after record 7"),
    "cut in a line": (lambda x: [*x[:9], x[9][:40]], "Line 10 is damaged"),
    "a batch removed": (lambda x: [*x[:6], *x[11:]], "Record 9 is preceded by missing ones"),
    "the last checkpoint removed": (lambda x: [*x[:-2], x[-1]], "Record 9 and later ones stand under no signed"),
    "the count": (lambda x: [*x[:-1], x[-1].replace("12", "11")], "the last line counts 11, 12 are here"),
    "skipped": (lambda x: [*x[:7], '{"type":"skip","nodes":[]}', *x[8:]], "a record is missing"),
    "forged note": (lambda x: [*x[:5], x[5].replace("\\n4\\n", "\\n3\\n"), *x[6:]], "A checkpoint is forged"),
    "the first line": (lambda x: x[1:], "The first line"),
    "something after the end": (lambda x: [*x, x[-1]], "Something follows"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_security_74_the_verifier_names_the_first_bad_record(
    lines: list[str], public: Path, tmp_path: Path, change: str
) -> None:
    do, expected = CHANGES[change]
    path = tmp_path / "changed.jsonl"
    path.write_text("\n".join(do(lines)) + "\n")
    status, said = _verify(path, public, tmp_path)
    assert (status, expected in said) == (1, True), said


def test_security_74_a_record_with_its_hash_changed_is_found_by_the_signed_root(
    lines: list[str], public: Path, tmp_path: Path
) -> None:
    import base64
    from hashlib import sha256

    entry = json.loads(lines[7])
    entry["record"]["account"] = "acc_9"
    leaf = json.dumps(entry["record"], sort_keys=True, separators=(",", ":")).encode()
    entry["leaf"] = base64.b64encode(leaf).decode()
    entry["hash"] = base64.b64encode(sha256(b"\x00" + leaf).digest()).decode()
    path = tmp_path / "changed.jsonl"
    path.write_text("\n".join([*lines[:7], json.dumps(entry), *lines[8:]]) + "\n")
    status, said = _verify(path, public, tmp_path)
    assert status == 1
    assert "Records 5 to 8 are not those that were sealed" in said


def test_another_key_proves_nothing(lines: list[str], tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    checkpoint.make_key(tmp_path / "other.pem")
    status, said = _verify(path, tmp_path / "other.pem.pub", tmp_path)
    assert (status, "forged" in said) == (1, True)
    assert _verify(path, tmp_path / "missing.pem", tmp_path)[0] == 2


def test_se5_an_export_of_a_changed_database_names_the_record(
    database: Database, lines: list[str], public: Path, tmp_path: Path
) -> None:
    as_superuser(database, "UPDATE audit_record SET leaf = mac WHERE seq = 6", "DELETE FROM audit_record WHERE seq = 9")
    status, said = _verify(_exported(database, tmp_path / "bad.jsonl"), public, tmp_path)
    assert (status, "Record 6 was changed" in said) == (1, True), said
    assert b"unreadable" in b"".join(export.lines(database, Filters(), FORMS["csv"]))
    with database.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM audit_record")).scalar() == 11
