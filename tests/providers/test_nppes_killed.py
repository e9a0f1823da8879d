"""`idp import nppes` as a process, killed -9 in the middle: the next one goes on, and nothing counts twice."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import func
from sqlmodel import select

from bench import nppes_file
from idp.database import Database, reading
from idp.providers.registry_tables import ImportRun, ProviderNpi
from idp.providers.tables import Practitioner
from idp.settings import Settings
from tests.engines import MASTER_KEYS

SHORT, LONG = 3_000, 100_000


def _command(settings: Settings, path: Path, *more: str) -> "subprocess.Popen[str]":
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("IDP_")},
        "IDP_ISSUER": settings.issuer,
        "IDP_DEVELOPMENT": "1",
        "IDP_DATABASE_URL": settings.database_url,
        "IDP_MASTER_KEYS": MASTER_KEYS,
        "IDP_AUDIT_KEY_FILE": str(settings.audit_key_file),
    }
    command = [sys.executable, "-m", "idp", "import", "nppes", str(path), *more]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def _run(database: Database) -> tuple[int, bool]:
    """Return how many rows count so far, and whether the import is finished."""
    with reading(database) as db:
        row = db.exec(select(ImportRun)).one_or_none()
        return (row.counts.get("rows", 0), row.finished_at is not None) if row else (0, False)


def _recorded(database: Database) -> int:
    with reading(database) as db:
        return sum(db.exec(select(func.count()).select_from(table)).one() for table in (Practitioner, ProviderNpi))


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_nppes_an_import_killed_in_the_middle_is_resumed_on_the_command_line(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    _play(settings, database, tmp_path, SHORT)


@pytest.mark.faults
def test_nppes_and_so_with_a_hundred_thousand_rows(settings: Settings, database: Database, tmp_path: Path) -> None:
    _play(settings, database, tmp_path, LONG)


def csv_rows(path: Path) -> list[str]:
    """Return the refused rows beside a file."""
    return path.with_name(path.name + ".errors.csv").read_text().splitlines()[1:]


def _play(settings: Settings, database: Database, home: Path, rows: int) -> None:
    path = home / "npidata.csv"
    nppes_file.write(path, rows)
    first = _command(settings, path)
    until = time.monotonic() + 120
    while _run(database)[0] == 0:
        assert first.poll() is None, first.stdout and first.stdout.read()
        assert time.monotonic() < until
        time.sleep(0.002)
    first.kill()
    first.communicate()
    stopped, finished = _run(database)
    assert 0 < stopped < rows
    assert not finished
    assert _recorded(database) <= stopped
    resumed = _command(settings, path, "--resume")
    told, _ = resumed.communicate()
    assert resumed.returncode == 0, told
    assert _run(database) == (rows, True)
    whole = _recorded(database)
    assert whole == sum(1 for number in range(rows) if number % 50 != 49)  # the others are out of use and unknown here
    assert not csv_rows(path), "nothing was refused"
