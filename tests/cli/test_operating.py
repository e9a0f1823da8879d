"""Starting, migrating, the first administrator, keys, the log's proof, and what doctor says."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from idp import migrate
from idp.apply.run import apply_file
from idp.audit import checkpoint
from idp.audit.seal import Sealer
from idp.cli.doctor import examine
from idp.database import Database, transaction
from idp.database.schema import NEWEST
from idp.settings import NotConfigured, Settings, load
from idp.web import built
from tests import engines
from tests.cli.conftest import Result

Run = Callable[..., Result]
HALF = [
    ({"IDP_ISSUER": None}, "IDP_ISSUER is not set"),
    ({"IDP_ISSUER": "http://login.example.org", "IDP_DEVELOPMENT": "0"}, "must be https"),
    ({"IDP_ISSUER": "https://login.example.org/path"}, "no path"),
    ({"IDP_ISSUER": "https://login.example.org"}, "IDP_DEVELOPMENT=1 is refused"),
    ({"IDP_MASTER_KEYS": None}, "IDP_MASTER_KEYS is not set"),
    ({"IDP_MASTER_KEYS": "k1:short"}, "IDP_MASTER_KEYS"),
    ({"IDP_AUDIT_KEY_FILE": None}, "IDP_AUDIT_KEY_FILE is not set"),
    ({"IDP_PORT": "99999"}, "IDP_PORT"),
]


@pytest.mark.parametrize(("change", "said"), HALF)
def test_nothing_starts_half_configured(
    idp: Run, monkeypatch: pytest.MonkeyPatch, change: dict[str, str | None], said: str
) -> None:
    for name, value in change.items():
        monkeypatch.delenv(name) if value is None else monkeypatch.setenv(name, value)
    for command in (["serve"], ["export"], ["doctor"]):
        result = idp(*command)
        assert result.exit_code in (1, 3), command
        assert said in result.output, command
        assert "Traceback" not in result.output


def test_security_91_an_unknown_schema_is_refused(database: Database, idp: Run) -> None:
    with transaction(database) as db:
        db.execute(text("UPDATE alembic_version SET version_num = 'ffff'"))
    for command in (["serve"], ["export"], ["apply", __file__]):
        result = idp(*command)
        assert result.exit_code == 1, command
        assert "newer" in result.output
    with transaction(database) as db:
        db.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    assert "Run: idp migrate" in idp("serve").output
    with transaction(database) as db:
        db.execute(text(f"UPDATE alembic_version SET version_num = '{NEWEST}'"))


def test_migrate_says_what_it_did_and_can_be_run_again(database: Database, idp: Run) -> None:
    first, second = idp("migrate"), idp("migrate")
    assert first.exit_code == second.exit_code == 0
    assert "Loaded the default catalogue" in first.output
    assert second.output.strip() == f"The schema is {NEWEST} already."
    assert migrate.state(database) == (NEWEST, NEWEST)


def test_the_first_administrators_link_is_printed_once_and_only_its_hash_is_kept(ready: Database, idp: Run) -> None:
    result = idp("bootstrap", "--name", "Ivy Stone", "--email", "ivy@meridian.example")
    assert result.exit_code == 0, result.output
    secret = result.output.split()[0].rsplit("/", 1)[1]
    assert len(secret) >= 43
    with transaction(ready) as db:
        stored = db.execute(text("SELECT token_hash FROM invitation")).scalars().all()
        events = db.execute(text("SELECT event FROM audit_record")).scalars().all()
    assert len(stored) == 1
    assert secret.encode() not in bytes(stored[0])
    assert "service.bootstrap.made" in events


def test_bootstrap_is_refused_once_people_manage_access(ready: Database, folder: Path, idp: Run) -> None:
    apply_file(ready, folder / "world.yaml")
    result = idp("bootstrap", "--name", "Ivy Stone", "--email", "ivy@meridian.example")
    assert result.exit_code == 1
    assert "manage access here already" in result.output


def test_keys_are_not_rotated_before_apps_know_the_next_one(ready: Database, idp: Run) -> None:
    refused = idp("keys", "rotate")
    assert refused.exit_code == 1
    assert "published less than" in refused.output
    early = idp("keys", "rotate", "--early")
    assert early.exit_code == 0
    assert early.output.count("signs now") == 2


def test_key_files_are_made_once_and_only_their_owner_reads_them(
    tmp_path: Path, idp: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("IDP_MASTER_KEYS")
    monkeypatch.setenv("IDP_MASTER_KEYS_FILE", str(tmp_path / "k" / "master"))
    monkeypatch.setenv("IDP_AUDIT_KEY_FILE", str(tmp_path / "k" / "audit.pem"))
    assert idp("keys", "make").exit_code == 0
    master = (tmp_path / "k" / "master").read_text()
    assert oct((tmp_path / "k" / "master").stat().st_mode & 0o777) == "0o600"
    assert master.strip() not in idp("keys", "make").output
    assert (tmp_path / "k" / "master").read_text() == master
    assert load().master_keys.get_secret_value() == master.strip()


def test_audit_verify_tells_a_whole_log_from_a_changed_one(
    ready: Database, settings: Settings, folder: Path, idp: Run
) -> None:
    checkpoint.make_key(settings.audit_key_file)
    apply_file(ready, folder / "world.yaml")
    _seal(ready, settings)
    whole = idp("audit", "verify")
    assert whole.exit_code == 0, whole.output
    assert "The log is whole" in whole.output
    with engines.owned(ready) as owner, transaction(owner) as db:
        if ready.is_sqlite:
            db.execute(text("DROP TRIGGER audit_record_no_update"))
        else:
            db.execute(text("ALTER TABLE audit_record DISABLE TRIGGER audit_record_insert_only"))
        db.execute(text("UPDATE audit_record SET leaf = leaf || leaf WHERE seq = 3"))
    changed = idp("audit", "verify")
    assert changed.exit_code == 1
    assert "NOT whole" in changed.output
    assert "3" in changed.output


def _seal(database: Database, settings: Settings) -> None:
    Sealer(database, checkpoint.load_key(settings.audit_key_file)).seal_all()


def test_doctor_names_each_fault_and_how_to_mend_it(
    ready: Database, settings: Settings, folder: Path, idp: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = folder / "world.yaml"
    file.write_text(
        file.read_text().replace("id_token_alg: RS256", "id_token_alg: RS256\n    pkce: optional") + "".replace("", "")
    )
    apply_file(ready, file)
    with transaction(ready) as db:
        db.execute(text("UPDATE partner SET status = 'suspended' WHERE name = 'Evergreen Health'"))
        db.execute(text("UPDATE upstream SET issuer = 'http://127.0.0.1:9'"))
        db.execute(text("DELETE FROM appointment"))
        db.execute(
            text("UPDATE signing_key SET private = CAST(kid AS BLOB) WHERE state = 'active'")
            if ready.is_sqlite
            else text("UPDATE signing_key SET private = convert_to(kid, 'UTF8') WHERE state = 'active'")
        )
    result = idp("doctor")
    assert result.exit_code == 1
    for said in (
        "IDP_AUDIT_KEY_FILE",
        "does not open",
        "claims may sign people in without PKCE",
        "pocket is refused: its partner is not in good standing",
        "No access manager: Lakeside Clinic (medical)",
        "Evergreen Health cannot be reached",
    ):
        assert said in result.output, result.output
    assert "Traceback" not in result.output
    checkpoint.make_key(settings.audit_key_file)
    settings.audit_key_file.chmod(0o644)
    assert any("chmod 600" in finding.what for finding in examine())


def test_doctor_tells_a_database_that_is_away_or_empty(
    tmp_path: Path, idp: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IDP_DATABASE_URL", f"sqlite:///{tmp_path / 'empty.db'}")
    assert "Run: idp migrate" in idp("doctor").output
    monkeypatch.setenv("IDP_DATABASE_URL", "postgresql://nobody@127.0.0.1:9/none")
    result = idp("doctor")
    assert result.exit_code == 1
    assert "The database does not answer" in result.output


def test_a_taken_port_is_told(ready: Database, idp: Run) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = idp("serve", "--port", str(taken.getsockname()[1]))
    assert result.exit_code == 1
    assert "already in use" in result.output.lower()


@pytest.mark.parametrize(("engine", "workers"), [("sqlite", 1), ("postgres", 2)], indirect=["engine"])
def test_security_88_sigterm_turns_readiness_off_then_stops(
    ready: Database, settings: Settings, idp: Run, workers: int
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "idp", "serve", "--port", str(port), "--workers", str(workers), "--drain", "3"]
    home = Path(__file__).parents[2]
    environment = {**os.environ, "IDP_ISSUER": f"http://localhost:{port}", "PYTHONPATH": str(home)}
    process = subprocess.Popen(command, cwd=home, env=environment, stdin=subprocess.DEVNULL)
    try:
        assert _until(lambda: _status(port) == 200, 60)
        process.send_signal(signal.SIGTERM)
        assert _until(lambda: _status(port) == 503, 3)
        assert process.wait(timeout=25) == 0
    finally:
        process.kill()
        process.wait()


def _status(port: int) -> int | None:
    try:
        with urllib.request.urlopen(f"http://localhost:{port}/readyz", timeout=2) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as problem:
        return problem.code
    except OSError:
        return None


def _until(holds: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.05)
    return False


def test_settings_never_show_their_secrets(settings: Settings) -> None:
    assert settings.master_keys.get_secret_value() not in repr(settings)
    with pytest.raises(NotConfigured) as caught:
        load(issuer="x", master_keys="very-secret")
    assert "very-secret" not in str(caught.value)


def test_doctor_tells_that_the_pages_are_bare_without_their_built_files(
    idp: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(built, "_MANIFEST", tmp_path / "manifest.json")
    said = idp("doctor").output
    assert "pages look like plain text" in said
    assert "make assets" in said
    (tmp_path / "manifest.json").write_text('{"files": {"site.css": "site.0.css"}}')
    assert "Built files of the pages are missing: site.css." in idp("doctor").output
    (tmp_path / "site.0.css").touch()
    assert "Built files" not in idp("doctor").output
