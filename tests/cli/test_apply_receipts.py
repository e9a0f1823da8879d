"""An applied file that gives or takes access leaves the log's signed receipt; cases are destroyed by a command."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from idp.audit import checkpoint, export, verifier
from idp.audit.receipts import Receipt
from idp.audit.seal import Sealer
from idp.audit.search import Filters
from idp.database import Database
from tests.cli.conftest import Result

pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


def test_security_73_an_applied_file_leaves_a_signed_receipt_of_the_access_it_gave(
    ready: Database, folder: Path, idp: Callable[..., Result]
) -> None:
    to, file = folder / "receipt.json", str(folder / "world.yaml")
    told = idp("apply", file, "--receipt", str(to))
    assert told.exit_code == 0, told.output
    assert "signed receipt" in told.output
    Sealer(ready).seal()
    key = checkpoint.load_key(ready.settings.audit_key_file).public_key()
    receipt = Receipt.read(to.read_text(), key)
    result = verifier.verify(b"".join(export.jsonl(ready, Filters())).splitlines(), key, receipt.hashes)
    assert receipt.compared(result).startswith("Kept")
    promised = [json.loads(record["leaf"])["event"] for record in json.loads(to.read_text())["records"]]
    assert {"entitlements.grant.added", "wam.appointment.made", "providers.affiliation.approved"} <= set(promised)
    assert "nothing to sign" in idp("apply", file, "--receipt", str(to)).output  # again: nothing was given


def test_security_73_a_receipt_that_cannot_be_written_stops_the_file_before_anything_is_done(
    ready: Database, folder: Path, idp: Callable[..., Result]
) -> None:
    told = idp("apply", str(folder / "world.yaml"), "--receipt", str(folder / "nowhere" / "receipt.json"))
    assert told.exit_code != 0
    assert "clients" in idp("apply", str(folder / "world.yaml"), "--dry-run").output


def test_domain_7_cases_are_destroyed_by_a_command_and_never_the_young_ones(
    ready: Database, idp: Callable[..., Result]
) -> None:
    assert "0 cases were destroyed" in idp("cases", "prune").output
    assert "Cases are kept" in idp("cases", "prune", "--before", "2026-11-01").output
    assert "such as 2020-11-01" in idp("cases", "prune", "--before", "soon").output
