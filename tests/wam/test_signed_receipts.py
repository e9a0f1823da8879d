"""A signed receipt for what was given or taken, at once: the log's promise, compared on another machine (issue 5)."""

import json
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from idp import clock
from idp.audit import checkpoint, export, log, promises, receipts, verifier
from idp.audit.events import Event
from idp.audit.seal import Sealer
from idp.audit.search import Filters
from idp.audit.verify import verify
from idp.database import Database, gathering, reading, transaction
from idp.wam import removing
from tests import engines
from tests.wam.world import LINE, World

_GUARDS = (
    "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit_record' "
    "AND name <> 'audit_record_unsealed'"
)


def _removed(world: World) -> dict[str, Any]:
    """Take Finn's access away as a manager does; return the receipt as it is downloaded."""
    with transaction(world.database) as db:
        asked = {"function": None, "lines": [LINE], "reason": "left", "form_id": "form-" + "s" * 8}
        receipt = removing.remove(db, by=world.wes, provider_id=world.lakeside, account_id=world.finn, **asked)  # type: ignore[arg-type]
    assert receipt.promise is not None
    return receipt.promise


def _erase(database: Database, number: int) -> None:
    """Take a record away as the database's owner can, its place on the waiting list with it."""
    with engines.owned(database) as owner, owner.engine.connect() as connection:
        if database.is_sqlite:
            for name in connection.execute(text(_GUARDS)).scalars().all():
                connection.exec_driver_sql(f"DROP TRIGGER {name}")
        else:
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        for table in ("audit_record", "audit_unsealed"):
            assert connection.execute(text(f"DELETE FROM {table} WHERE seq = {number}")).rowcount == 1
        connection.commit()


class Elsewhere:
    """Another machine: the two files, the public key, and what was sent there; nothing of the service."""

    def __init__(self, database: Database, home: Path) -> None:
        self._database, self._home = database, home
        for program in (verifier, receipts):
            shutil.copy(Path(program.__file__), home)
        public = checkpoint.load_key(database.settings.audit_key_file).public_key()
        (home / "public.pem").write_bytes(checkpoint.public_pem(public))

    def export(self, filters: Filters | None = None) -> None:
        (self._home / "export.jsonl").write_bytes(b"".join(export.jsonl(self._database, filters or Filters())))

    def add(self, line: bytes) -> None:
        """Put one more line before the end of the file."""
        *lines, end = self._lines()
        self._write([*lines, line, end], json.loads(end)["records"] + 1)

    def call_pruned(self) -> None:
        """Put the hash of the first record in its place, as of a record that was destroyed after its time."""
        lines = self._lines()
        at = next(n for n, line in enumerate(lines) if line.startswith(b'{"type":"record","index":0,'))
        lines[at] = json.dumps({"type": "pruned", "nodes": [[0, json.loads(lines[at])["hash"]]]}).encode() + b"\n"
        self._write(lines, json.loads(lines[-1])["records"] - 1)

    def _lines(self) -> list[bytes]:
        return (self._home / "export.jsonl").read_bytes().splitlines(keepends=True)

    def _write(self, lines: list[bytes], records: int) -> None:
        lines[-1] = json.dumps({"type": "end", "records": records}).encode() + b"\n"
        (self._home / "export.jsonl").write_bytes(b"".join(lines))

    def says(self, promise: dict[str, Any], *more: str, whole: bool = True) -> tuple[int, str]:
        (self._home / "receipt.json").write_text(json.dumps(promise))
        asked = ["receipt.json", "--key", "public.pem", *(["--export", "export.jsonl"] if whole else []), *more]
        run = [sys.executable, "-E", "-s", "receipts.py", *asked]
        done = subprocess.run(run, cwd=self._home, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def elsewhere(world: World, tmp_path: Path) -> Elsewhere:
    checkpoint.ensure_key(world.database.settings)
    home = tmp_path / "elsewhere"
    home.mkdir()
    return Elsewhere(world.database, home)


def test_issue_5_a_removal_is_promised_at_once_and_the_promise_is_kept(world: World, elsewhere: Elsewhere) -> None:
    promise = _removed(world)
    said = [json.loads(one["leaf"]) for one in promise["records"]]
    assert {one["event"] for one in said} >= {"entitlements.grant.ended", "providers.affiliation.ended"}
    assert [one["event"] for one in said].count("entitlements.grant.ended") == 6
    assert {one["provider"] for one in said} == {world.lakeside}
    elsewhere.export()
    code, words = elsewhere.says(promise)
    assert (code, "Not due yet" in words, "Kept" in words) == (0, True, False), words  # nothing signed says it
    Sealer(world.database).seal_all()
    elsewhere.export()
    code, words = elsewhere.says(promise)
    assert (code, f"Kept: the {len(said)} records promised" in words) == (0, True), words


def test_security_74_a_record_taken_away_before_it_was_sealed_is_missed_by_its_receipt_alone(
    world: World, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    promise = _removed(world)
    number = promise["records"][0]["number"]
    _erase(world.database, number)
    sealer = Sealer(world.database)
    sealer.seal_all()
    assert verify(world.database, checkpoint.load_key(world.database.settings.audit_key_file).public_key()).whole
    elsewhere.export()
    code, words = elsewhere.says(promise)
    assert (code, "cut before it was due" in words) == (2, True), words  # too early to say
    later = clock.now() + 2 * promises.DUE
    monkeypatch.setattr(clock, "now", lambda: later)
    with transaction(world.database) as db:
        log.record(db, Event("service.settings.exported"))
    sealer.seal_all()
    elsewhere.export(Filters(event="service."))
    code, words = elsewhere.says(promise)
    assert (code, "does not hold all records" in words) == (2, True), words
    elsewhere.export()
    code, words = elsewhere.says(promise)
    assert code == 1
    assert f"Promised but not in the log: record {number}" in words
    # What nothing signed says excuses nothing: a line that it waits, and another record named as pruned.
    leaf = promise["records"][0]["leaf"].encode()
    elsewhere.add(b'{"type":"waiting","number":%d,"record":%s}\n' % (number, leaf))
    assert elsewhere.says(promise)[0] == 1
    elsewhere.export()
    elsewhere.call_pruned()
    code, words = elsewhere.says(promise)
    assert (code, "1 records were pruned" in words) == (1, True), words


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_security_74_a_changed_or_forged_receipt_is_refused_and_a_proof_of_inclusion_keeps_it(
    world: World, elsewhere: Elsewhere, tmp_path: Path
) -> None:
    from idp.web.transparency import told

    promise = _removed(world)
    Sealer(world.database).seal_all()
    with reading(world.database) as db:
        proof = told(db, promise["records"][0]["number"])
        other = told(db, promise["records"][0]["number"] - 1)
        proofs = [told(db, one["number"]) for one in promise["records"]]
    for name, one in (
        ("proof", proof), ("other", other), ("bent", {**proof, "path": other["path"]}),
        *((str(n), one) for n, one in enumerate(proofs)),
    ):  # fmt: skip
        (tmp_path / "elsewhere" / f"{name}.json").write_text(json.dumps(one))
    every = [word for n in range(len(proofs)) for word in ("--proof", f"{n}.json")]
    assert elsewhere.says(promise, *every, whole=False)[0] == 0
    assert elsewhere.says(promise, *every[2:], whole=False)[0] == 2
    assert elsewhere.says(promise, "--proof", "other.json", whole=False)[0] == 2
    assert elsewhere.says(promise, "--proof", "bent.json", whole=False)[0] == 1
    record = promise["records"][0]
    for forged in (
        {**promise, "records": [{**record, "leaf": record["leaf"].replace("ended", "added")}]},
        {**promise, "note": promise["note"].replace(record["hash"], "A" * 43 + "=")},
        {**promise, "note": proof["checkpoint"]},  # a checkpoint is no receipt
        {"note": 1},
    ):
        assert elsewhere.says(forged, "--proof", "proof.json", whole=False)[0] == 1
    with pytest.raises(verifier.NotWhole):  # nor is a receipt a checkpoint
        verifier.open_note(
            promise["note"],
            checkpoint.origin_of(world.database.settings),
            checkpoint.load_key(world.database.settings.audit_key_file).public_key(),
        )


@pytest.mark.parametrize("gathers", [False, True])
def test_issue_5_what_a_savepoint_took_back_is_not_promised(database: Database, *, gathers: bool) -> None:
    kept: list[dict[str, Any]] = []
    with transaction(database) as db:
        if gathers:
            gathering.gather(db)
        promises.want(db, "prv_1", kept.append)
        log.record(db, Event("entitlements.grant.added", account="acc_1", provider="prv_1"))
        with pytest.raises(ZeroDivisionError), db.begin_nested():
            log.record(db, Event("entitlements.grant.ended", account="acc_1", provider="prv_1"))
            raise ZeroDivisionError
        log.record(db, Event("entitlements.grant.added", account="acc_1", provider="prv_2"))
    [promise] = kept
    assert [json.loads(one["leaf"])["event"] for one in promise["records"]] == ["entitlements.grant.added"]
    assert promise["note"].startswith(f"{receipts.RECEIPT}\nlocalhost:8000/log\n")
    with pytest.raises(ZeroDivisionError), transaction(database) as db:
        promises.want(db, "prv_1", kept.append)
        raise ZeroDivisionError
    assert len(kept) == 1
    assert timedelta(0) < promises.DUE
