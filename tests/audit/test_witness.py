"""A witness on another machine: signs only a tree that grew out of the one it knows; a foreign tree agrees."""

import base64
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from pymerkle import InmemoryTree, verify_consistency, verify_inclusion
from sqlalchemy import text
from starlette.testclient import TestClient

from idp import clock
from idp.app import create_app
from idp.audit import checkpoint, witness
from idp.audit.checkpoint import Checkpoint, origin_of, sign
from idp.audit.report import Report
from idp.audit.seal import Sealer
from idp.database import Database, reading
from idp.settings import Settings
from tests.audit.conftest import as_superuser

Write = Callable[..., None]


@pytest.fixture
def service(settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(settings), base_url=settings.issuer) as client:
        yield client


@pytest.fixture
def another(database: Database, service: TestClient, tmp_path: Path) -> Callable[[], witness.Witness]:
    """A witness that asks the service; made anew, it goes on from its file."""
    key = checkpoint.load_key(database.settings.audit_key_file).public_key()

    def fetch(path: str) -> bytes:
        answer = service.get(path)
        if answer.status_code != 200:
            raise witness.CannotAsk(str(answer.status_code))
        return answer.content

    own = witness.own_key(tmp_path / "witness.pem")
    return lambda: witness.Witness("tower", key, own, tmp_path / "notes.jsonl", fetch)


def test_security_74_a_witness_signs_what_grew_and_keeps_what_the_verifier_reads(
    database: Database, write: Write, sealer: Sealer, another: Callable[[], witness.Witness], tmp_path: Path
) -> None:
    one = another()
    with pytest.raises(witness.CannotAsk):
        one.look()
    for size in (3, 10, 11, 32):
        write(size - (one.last.size if one.last else 0))
        sealer.seal()
        seen = one.look()
        assert seen is not None
        assert seen.size == size
        assert one.look() is None  # nothing new
        one = another()  # and a witness started again goes on
    notes = [json.loads(line)["note"] for line in (tmp_path / "notes.jsonl").read_text().splitlines()]
    assert len(notes) == 4
    public = load_pem_public_key((tmp_path / "witness.pem.pub").read_bytes())
    body, _, signatures = notes[-1].rpartition("\n\n")
    value = base64.b64decode(signatures.splitlines()[-1].rpartition(" ")[2])
    at = int.from_bytes(value[4:12], "big")
    public.verify(value[12:], f"cosignature/v1\ntime {at}\n{body}\n".encode())  # type: ignore[union-attr,call-arg,arg-type]
    from idp.audit.verify import verify

    report = verify(
        database, checkpoint.load_key(database.settings.audit_key_file).public_key(), tmp_path / "notes.jsonl"
    )
    assert (report.whole, report.copies) == (True, 4)


@pytest.mark.parametrize("crime", ["rolled back", "rewritten", "forked"])
def test_security_74_two_logs_for_two_readers_are_not_both_witnessed(
    database: Database, write: Write, sealer: Sealer, another: Callable[[], witness.Witness], crime: str
) -> None:
    """Whoever holds the database and the log's key: the file copy could be made anew, what the witness knows cannot."""
    write(6)
    sealer.seal()
    write(6)
    sealer.seal()
    one = another()
    assert one.look() is not None
    root = {"rolled back": 6, "rewritten": 12, "forked": 20}[crime]
    with reading(database) as db:
        frontier = db.execute(text("SELECT frontier FROM audit_checkpoint WHERE size = 6")).scalar_one()
    forged = Checkpoint(origin_of(database.settings), root, b"\x07" * 32, clock.now())
    note = sign(forged, sealer._key)
    as_superuser(database, "DELETE FROM audit_checkpoint WHERE size > 6")
    with database.engine.connect() as connection:
        values = {"s": root, "r": forged.root, "f": bytes(frontier), "n": note}
        connection.execute(text("INSERT INTO audit_checkpoint VALUES (0, 9, :s, :r, :f, :n, 0)"), values)
        connection.commit()
    with pytest.raises((witness.NotConsistent, witness.CannotAsk)) as found:
        one.look()
    if crime != "forked":  # there it has no proof to show, and so no signature
        assert "Witnessed before" in str(found.value)
    assert one.last is not None
    assert one.last.size == 12


def test_security_74_a_proof_that_does_not_fit_ends_the_witness(
    database: Database, write: Write, sealer: Sealer, another: Callable[[], witness.Witness], tmp_path: Path
) -> None:
    write(5)
    sealer.seal()
    one = another()
    one.look()
    write(5)
    sealer.seal()
    honest = one._fetch
    wrong = json.dumps({"path": [base64.b64encode(b"\x01" * 32).decode()] * 3}).encode()
    one._fetch = lambda path: wrong if "consistency" in path else honest(path)
    with pytest.raises(witness.NotConsistent, match="did not grow"):
        one.look()
    said: list[str] = []
    assert witness.run(one, 0, said.append, rounds=1) == 1
    assert said[0].startswith("NOT CONSISTENT")
    for nonsense in (b"{}", b'{"path":["%"]}', b"[]"):
        one._fetch = lambda path, nonsense=nonsense: nonsense if "consistency" in path else honest(path)  # type: ignore[misc]
        with pytest.raises(witness.CannotAsk):
            one.look()
    strange = sign(Checkpoint("other/log", 10, b"\x07" * 32, clock.now()), Ed25519PrivateKey.generate())
    one._fetch = lambda _path: strange.encode()
    with pytest.raises(witness.CannotAsk):
        one.look()


def test_a_foreign_tree_agrees_with_the_proofs_the_service_hands_out(
    database: Database, write: Write, sealer: Sealer, service: TestClient
) -> None:
    sizes = []
    for count in (1, 2, 4, 6, 7):
        write(count)
        sealer.seal()
        sizes.append(sum((1, 2, 4, 6, 7)[: len(sizes) + 1]))
    foreign = InmemoryTree(algorithm="sha256")
    with reading(database) as db:
        for (leaf,) in db.execute(text("SELECT leaf FROM audit_record ORDER BY seq")):
            foreign.append_entry(bytes(leaf))
    for number in range(1, 21):
        said = service.get(f"/log/v1/inclusion/{number}").json()
        proof = foreign.prove_inclusion(number, said["size"])
        leaf, root = foreign.get_leaf(number), foreign.get_root(said["size"])
        assert base64.b64decode(said["leaf_hash"]) == leaf
        assert [base64.b64decode(node) for node in said["path"]] == proof.path[1:]  # theirs begins with the leaf
        assert base64.b64encode(root).decode() == said["checkpoint"].split("\n")[2]
        verify_inclusion(leaf, root, proof)
    for old in sizes:
        for new in (size for size in sizes if size >= old):
            path = [base64.b64decode(n) for n in service.get(f"/log/v1/consistency?old={old}&new={new}").json()["path"]]
            first, second = foreign.get_root(old), foreign.get_root(new)
            verify_consistency(first, second, foreign.prove_consistency(old, new))
            assert old == new or witness.consistent(old, first, new, second, path)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("inclusion/0", 404), ("inclusion/99", 404), ("inclusion/99999999999999999999", 404), ("inclusion/x", 422),
        ("consistency?old=0&new=3", 422), ("consistency?old=4&new=3", 422), ("consistency?old=2&new=3", 404),
        ("consistency?old=3&new=999999", 422), ("consistency?old=3", 422),
    ],
)  # fmt: skip
def test_what_cannot_be_proven_is_said_plainly(
    write: Write, sealer: Sealer, service: TestClient, path: str, status: int
) -> None:
    write(3)
    sealer.seal()
    assert service.get(f"/log/v1/{path}").status_code == status


def test_the_witness_runs_alone_on_another_machine(tmp_path: Path) -> None:
    alone = tmp_path / "witness_alone.py"
    shutil.copyfile(Path(witness.__file__), alone)
    key = tmp_path / "log.pem"
    checkpoint.make_key(key)

    def run(*more: str) -> Any:
        given = [sys.executable, "-I", str(alone), *more, "--key", f"{key}.pub", "--own", str(tmp_path / "own.pem")]
        given += ["--notes", str(tmp_path / "n.jsonl"), "--rounds", "1"]
        return subprocess.run(given, cwd=tmp_path, capture_output=True, text=True)

    answered = run("http://127.0.0.1:9")
    assert (answered.returncode, "Cannot ask" in answered.stdout) == (0, True), answered.stderr
    assert run("http://log.example.org").returncode == 2


def test_a_log_that_is_whole_verifies_beside_its_copies(
    write: Write, sealer: Sealer, check: Callable[..., Report]
) -> None:
    write(2)
    sealer.seal()
    assert check().whole


def test_the_command_is_the_file_itself(capsys: pytest.CaptureFixture[str]) -> None:
    from idp.cli.app import app

    with pytest.raises(SystemExit) as ended:
        app(["witness", "--help"])
    assert ended.value.code == 0
    assert "Witness a log's checkpoints." in capsys.readouterr().out
