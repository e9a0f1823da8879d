"""A folder with the world's file, its secrets in the environment, and the command line in this process."""

import contextlib
import io
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from idp.cli.schema import bring_up
from idp.database import Database
from idp.settings import Settings

SECRETS = {
    "CLAIMS_SECRET": "claims-secret-claims-secret-claims-0",
    "EVERGREEN_SECRET": "evergreen-secret-evergreen-secret",
    "WES_PASSWORD": "wes-has-a-long-password",
    "WES_TOTP": "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",
}
POST_SECRET = "post-secret-post-secret-post-secret-0"


@dataclass(frozen=True)
class Result:
    """What the command line printed and its exit status."""

    exit_code: int
    output: str


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with world.yaml and what it refers to."""
    home = tmp_path / "files"
    home.mkdir()
    shutil.copy(Path(__file__).parent / "world.yaml", home)
    (home / "post.secret").write_text(POST_SECRET + "\n")
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    return home


@pytest.fixture
def ready(database: Database) -> Database:
    """A migrated database with the catalogue and signing keys."""
    bring_up(database)
    return database


@pytest.fixture
def idp(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run the command line on the test's database; the result has its output and exit status."""
    values = {
        "IDP_ISSUER": settings.issuer,
        "IDP_DATABASE_URL": settings.database_url,
        "IDP_MASTER_KEYS": settings.master_keys.get_secret_value(),
        "IDP_AUDIT_KEY_FILE": str(settings.audit_key_file),
        "IDP_DEVELOPMENT": "1",
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str) -> Result:
        from idp.cli import main

        monkeypatch.setattr(sys, "argv", ["idp", *arguments])
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out), pytest.raises(SystemExit) as ended:
            main()
        return Result(int(ended.value.code or 0), out.getvalue())

    return run
