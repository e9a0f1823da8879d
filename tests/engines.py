"""Both database engines for tests: a migrated template once, a fresh copy for each test."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url, text

from idp import clock, migrate
from idp.audit import rights
from idp.database import Database, transaction
from idp.oauth import keys
from idp.oauth.tables import SigningKey
from idp.settings import Settings, load
from idp.signatures.keys import generate

MASTER_KEYS = "test:c7l3xGfVb1zwb9xJmR4Cq1Yy8Q2c3m5n7p9r1t3v5x8="
ISSUER = "http://localhost:8000"
MISSING = "PostgreSQL's server was not found: install Debian's package postgresql, or set IDP_TEST_POSTGRES_URL"

SERVICE = "idp_service"
"""The role every test's service is on PostgreSQL: as in production it adds records and changes none."""
_ROLE = re.compile(r"//[^:@/]*")


def as_service(url: str) -> str:
    """Return the address of a database for the service's own role."""
    return _ROLE.sub(f"//{SERVICE}", url, count=1)


def as_owner(url: str) -> str:
    """Return the address of the same database for the role that owns its tables (SQLite: the same address)."""
    if url.startswith("sqlite"):
        return url
    owner = make_url(os.environ.get("IDP_TEST_POSTGRES_URL", "postgresql://postgres@/")).username
    return _ROLE.sub(f"//{owner}", url, count=1)


@contextmanager
def owned(database: Database) -> Iterator[Database]:
    """Yield the same database as its owner sees it, who may do what the service may not."""
    url = as_owner(database.settings.database_url)
    made = Database(database.settings.model_copy(update={"database_url": url}))
    try:
        yield made
    finally:
        made.dispose()


FORGETFUL = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": 0,
    "checkpoint_timeout": "1h",
    "max_wal_size": "4GB",
    "autovacuum": "off",
}
"""A server whose databases live for one test: making and dropping one takes a third less."""


def scratch() -> Path | None:
    """Return a folder in memory for what a test makes and forgets, or None where there is no room for one.

    A database is made for each test: on a busy disk that is most of a test's time.
    """
    memory = Path("/dev/shm")  # noqa: S108 - every folder below is made by mkdtemp
    if memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 4 * 2**30:
        return memory
    return None


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


def _prepare(database: Database) -> None:
    """Make the tables, and the signing keys that a first start would make: a test need not wait for them.

    The keys are stored without a record, so that a test's log begins with what the test does.
    """
    migrate.migrate(database)
    with transaction(database) as db:
        for alg in keys.ALGORITHMS:
            for state in ("active", "next"):
                key = generate(alg)
                sealed = database.ring.seal("signing", keys.place(str(key.kid)), key.private_json())
                since = clock.now() if state == "active" else None
                db.add(
                    SigningKey(
                        kid=str(key.kid),
                        alg=alg,
                        private=sealed,
                        public=key.public_jwk(),
                        state=state,
                        activated_at=since,
                    )
                )


@dataclass(frozen=True, slots=True)
class Filling:
    """A world that many tests begin with: filled once on each engine, then copied."""

    name: str
    fill: Callable[[Database], object]
    """Fill a migrated database through domain functions; what it returns is copied for each test."""


def _forget_keys(database: Database) -> None:
    with transaction(database) as db:
        db.execute(text("DELETE FROM signing_key"))


WITHOUT_KEYS = Filling("without_keys", _forget_keys)
"""A database for a service with master keys of its own, which could not open the tests' signing keys."""


class SqliteEngine:
    """A migrated file, copied for each test."""

    name = "sqlite"

    def __init__(self, home: Path) -> None:
        self._home = home
        self._facts: dict[str, object] = {}
        self._make("template", _prepare)

    def _make(self, name: str, fill: Callable[[Database], object]) -> None:
        database = Database(settings_for(f"sqlite:///{self._home / name}.db", self._home))
        self._facts[name] = fill(database)
        with database.engine.connect() as connection:
            connection.exec_driver_sql("ROLLBACK")
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.exec_driver_sql("BEGIN")
        database.dispose()

    @contextmanager
    def fresh(self, home: Path, filling: Filling | None = None) -> Iterator[str]:
        """Yield the URL of a fresh database."""
        name = filling.name if filling else "template"
        if filling and name not in self._facts:
            shutil.copyfile(self._home / "template.db", self._home / f"{name}.db")
            self._make(name, filling.fill)
        path = home / "idp.db"
        shutil.copyfile(self._home / f"{name}.db", path)
        yield f"sqlite:///{path}"

    def facts(self, filling: Filling) -> object:
        """Return a copy of what the filling said of its world."""
        return deepcopy(self._facts[filling.name])


class PostgresEngine:
    """A private server on a unix socket (fsync off), or the one IDP_TEST_POSTGRES_URL names."""

    name = "postgres"
    crash: Callable[[], None]
    """Stop the private server at once, as `pg_ctl stop -m immediate` does."""
    kill: Callable[[], None]
    """Kill -9 its postmaster."""
    again: Callable[[], None]
    """Start it after that; it recovers from its own log."""

    def __init__(self, home: Path, *, fsync: bool = False, in_memory: bool | None = None) -> None:
        self._fsync = "on" if fsync else "off"
        self._in_memory = not fsync if in_memory is None else in_memory
        self._stop = lambda: None
        url = None if fsync else os.environ.get("IDP_TEST_POSTGRES_URL")
        self._admin = url or self._start()
        self._home = home
        self._template = f"tpl_{uuid.uuid4().hex[:8]}"
        self._facts: dict[str, object] = {}
        password = (make_url(self._admin).password or "none").replace("'", "''")
        self._run(
            f"DO $$ BEGIN CREATE ROLE {SERVICE} LOGIN PASSWORD '{password}'; "
            "EXCEPTION WHEN duplicate_object OR unique_violation THEN END $$"  # another process of the tests was first
        )
        self._run(f"CREATE DATABASE {self._template}")
        self._make(self._template, _prepare)

    def _make(self, name: str, fill: Callable[[Database], object]) -> None:
        database = Database(settings_for(self._url(name), self._home))
        self._facts[name] = fill(database)
        rights.give(database, SERVICE)
        database.dispose()

    def _start(self) -> str:
        binaries = find_postgres()
        if binaries is None:
            raise RuntimeError(MISSING)
        folder = Path(tempfile.mkdtemp(prefix="idp-pg-", dir=scratch() if self._in_memory else None))
        run: dict[str, object] = {"check": True, "cwd": "/", "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
        if os.geteuid() == 0:  # the server refuses to run as root
            shutil.chown(folder, "postgres")
            run |= {"user": "postgres", "group": "postgres", "extra_groups": []}
        initdb = [str(binaries / "initdb"), "--no-sync", "-A", "trust", "-U", "postgres", "-E", "UTF8"]
        subprocess.run([*initdb, "-D", str(folder / "data")], **run)  # type: ignore[call-overload]
        wanted = {"listen_addresses": "''", "unix_socket_directories": folder, "max_connections": 300}
        wanted |= {"fsync": "on"} if self._fsync == "on" else FORGETFUL
        options = " ".join(f"-c {name}={value}" for name, value in wanted.items())
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
    def fresh(self, home: Path, filling: Filling | None = None) -> Iterator[str]:
        """Yield the URL of a fresh database, dropped afterwards."""
        template = f"{self._template}_{filling.name}" if filling else self._template
        if filling and template not in self._facts:
            self._run(f"CREATE DATABASE {template} TEMPLATE {self._template}")
            self._make(template, filling.fill)
        name = f"t_{uuid.uuid4().hex[:12]}"
        self._run(f"CREATE DATABASE {name} TEMPLATE {template}")
        try:
            yield as_service(self._url(name))
        finally:
            self._run(f"DROP DATABASE {name} WITH (FORCE)")

    def facts(self, filling: Filling) -> object:
        """Return a copy of what the filling said of its world."""
        return deepcopy(self._facts[f"{self._template}_{filling.name}"])

    def close(self) -> None:
        """Stop the private server."""
        self._stop()


def need_postgres() -> None:
    """Go on only where PostgreSQL's server is: without it a test fails where CI is set, else says what is missing."""
    if find_postgres() is None:
        if os.environ.get("CI"):
            pytest.fail(MISSING)
        pytest.skip(MISSING)


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
