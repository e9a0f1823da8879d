"""Both database engines for tests: a migrated template once, a fresh copy for each test."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from idp import migrate
from idp.database import Database
from idp.settings import Settings, load

MASTER_KEYS = "test:c7l3xGfVb1zwb9xJmR4Cq1Yy8Q2c3m5n7p9r1t3v5x8="
ISSUER = "http://localhost:8000"
MISSING = "PostgreSQL's server was not found: install Debian's package postgresql, or set IDP_TEST_POSTGRES_URL"


def settings_for(database_url: str, home: Path, **more: object) -> Settings:
    """Return development settings that name a database; keys and files lie in `home`."""
    values: dict[str, object] = {
        "issuer": ISSUER,
        "database_url": database_url,
        "master_keys": MASTER_KEYS,
        "audit_key_file": home / "audit.pem",
        "development": True,
        "jobs": False,  # tests call a job's function when they mean it
    }
    return load(**{**values, **more})


class SqliteEngine:
    """A migrated file, copied for each test."""

    name = "sqlite"

    def __init__(self, home: Path) -> None:
        self._template = home / "template.db"
        database = Database(settings_for(f"sqlite:///{self._template}", home))
        migrate.migrate(database)
        with database.engine.connect() as connection:
            connection.exec_driver_sql("ROLLBACK")
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.exec_driver_sql("BEGIN")
        database.dispose()

    @contextmanager
    def fresh(self, home: Path) -> Iterator[str]:
        """Yield the URL of a fresh database."""
        path = home / "idp.db"
        shutil.copyfile(self._template, path)
        yield f"sqlite:///{path}"


class PostgresEngine:
    """A private server on a unix socket (fsync off), or the one IDP_TEST_POSTGRES_URL names."""

    name = "postgres"
    crash: Callable[[], None]
    """Stop the private server at once, as `pg_ctl stop -m immediate` does."""
    kill: Callable[[], None]
    """Kill -9 its postmaster."""
    again: Callable[[], None]
    """Start it after that; it recovers from its own log."""

    def __init__(self, home: Path, *, fsync: bool = False) -> None:
        self._fsync = "on" if fsync else "off"
        self._stop = lambda: None
        url = None if fsync else os.environ.get("IDP_TEST_POSTGRES_URL")
        self._admin = url or self._start()
        self._template = f"tpl_{uuid.uuid4().hex[:8]}"
        self._run(f"CREATE DATABASE {self._template}")
        database = Database(settings_for(self._url(self._template), home))
        migrate.migrate(database)
        database.dispose()

    def _start(self) -> str:
        binaries = find_postgres()
        if binaries is None:
            raise RuntimeError(MISSING)
        folder = Path(tempfile.mkdtemp(prefix="idp-pg-"))
        run: dict[str, object] = {"check": True, "cwd": "/", "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
        if os.geteuid() == 0:  # the server refuses to run as root
            shutil.chown(folder, "postgres")
            run |= {"user": "postgres", "group": "postgres", "extra_groups": []}
        initdb = [str(binaries / "initdb"), "--no-sync", "-A", "trust", "-U", "postgres", "-E", "UTF8"]
        subprocess.run([*initdb, "-D", str(folder / "data")], **run)  # type: ignore[call-overload]
        options = (
            f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync={self._fsync} -c max_connections=300"
        )
        control = [str(binaries / "pg_ctl"), "-D", str(folder / "data"), "-w"]
        begin = [*control, "-l", str(folder / "log"), "-o", options, "start"]
        subprocess.run(begin, **run)  # type: ignore[call-overload]

        def stop() -> None:
            subprocess.run([*control, "-m", "immediate", "stop"], **run)  # type: ignore[call-overload]
            shutil.rmtree(folder, ignore_errors=True)

        def crash() -> None:
            subprocess.run([*control, "-m", "immediate", "stop"], **run)  # type: ignore[call-overload]

        def again() -> None:
            for _ in range(50):  # its orphans hold its memory for a moment
                if subprocess.run(begin, **{**run, "check": False}).returncode == 0:  # type: ignore[call-overload]
                    return
                time.sleep(0.1)
            raise RuntimeError((folder / "log").read_text()[-2000:])

        def kill() -> None:
            postmaster = int((folder / "data" / "postmaster.pid").read_text().splitlines()[0])
            os.kill(postmaster, signal.SIGKILL)

        self._stop, self.crash, self.kill, self.again = stop, crash, kill, again
        return f"postgresql://postgres@/postgres?host={folder}"

    def _url(self, name: str) -> str:
        head, _, query = self._admin.partition("?")
        return head.rsplit("/", 1)[0] + f"/{name}" + (f"?{query}" if query else "")

    def _run(self, statement: str) -> None:
        with psycopg.connect(self._admin, autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[call-overload]

    @contextmanager
    def fresh(self, home: Path) -> Iterator[str]:
        """Yield the URL of a fresh database, dropped afterwards."""
        name = f"t_{uuid.uuid4().hex[:12]}"
        self._run(f"CREATE DATABASE {name} TEMPLATE {self._template}")
        try:
            yield self._url(name)
        finally:
            self._run(f"DROP DATABASE {name} WITH (FORCE)")

    def close(self) -> None:
        """Stop the private server."""
        self._stop()


def find_postgres() -> Path | None:
    """Return the folder of PostgreSQL's server programs, or None."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]))
    if found:
        return found[-1].parent
    config = shutil.which("pg_config")
    if config:
        folder = subprocess.run([config, "--bindir"], check=True, capture_output=True, text=True).stdout.strip()
        if (Path(folder) / "initdb").exists():
            return Path(folder)
    return None
