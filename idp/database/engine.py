"""One Database per process: the engine of the pages' lane and the one transaction boundary."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DisconnectionError
from sqlmodel import Session

from idp.envelope import KeyRing
from idp.errors import Refused
from idp.settings import NotConfigured, Settings

_FINISHERS = "finishers"
_OWNER = "database"
_USED = "used"
_PATIENCE, _OFTEN = 5.0, 0.002
"""Seconds a writer waits for SQLite's write lock; how often the one looks who may not wait its turn."""
LOG_PAGES = 4000
"""Pages of SQLite's write-ahead log before a commit copies it into the file: what is written all day lies in it many
times and is copied once. More than 4,062 would make every read look in a second place (sqlite.org/walformat.html)."""
IDLE = 1.0
"""Seconds after which an idle connection is asked whether the server is still there."""


class Database:
    """The engine, the settings and the key ring that every session of this process shares."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.ring = KeyRing(settings.master_keys.get_secret_value())
        self.url = make_url(settings.database_url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine = _sqlite(self.url) if self.is_sqlite else _postgres(self.url)

    def dispose(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()


def _sqlite(url: Any) -> Engine:
    if url.database and url.database != ":memory:":
        folder = Path(url.database).parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise NotConfigured(f"IDP_DATABASE_URL: cannot make {folder}: {problem.strerror}") from None
    engine = create_engine(url, pool_size=10, max_overflow=40, pool_timeout=2)

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        # None: SQLAlchemy's BEGIN is ours to write; Python's own deferred one loses updates.
        connection.isolation_level = None
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            f"busy_timeout={_PATIENCE * 1000:.0f}",
            "foreign_keys=ON",
            f"wal_autocheckpoint={LOG_PAGES}",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        if options.get("idp_prompt"):
            _take_promptly(connection)
        else:
            connection.exec_driver_sql("BEGIN" if options.get("idp_read_only") else "BEGIN IMMEDIATE")

    return engine


def _take_promptly(connection: Connection) -> None:
    """Take SQLite's write lock as soon as it is free: who waits for it SQLite's way sleeps for up to 100 ms at a time.

    Where many write at once, the one that looks every other millisecond goes next.
    """
    driver: Any = connection.connection.driver_connection
    until = monotonic() + _PATIENCE
    driver.execute("PRAGMA busy_timeout=0")
    try:
        while monotonic() < until:
            try:
                driver.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:  # it is locked; what else it may be, the last try says
                sleep(_OFTEN)
            else:
                return
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    finally:
        driver.execute(f"PRAGMA busy_timeout={_PATIENCE * 1000:.0f}")


def _postgres(url: Any) -> Engine:
    options = "-c jit=off -c statement_timeout=30000 -c lock_timeout=5000 -c idle_in_transaction_session_timeout=30000"
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_size=10,
        max_overflow=40,
        pool_timeout=2,
        pool_use_lifo=True,
        connect_args={"connect_timeout": 2, "options": options},
    )

    @event.listens_for(engine, "checkin")
    def _came_back(_connection: Any, record: Any) -> None:
        record.info[_USED] = monotonic()

    @event.listens_for(engine, "checkout")
    def _still_there(connection: Any, record: Any, _proxy: object) -> None:
        """Ask a connection that was idle a while; one that works all the time need not say so each time."""
        if monotonic() - record.info.get(_USED, monotonic()) < IDLE:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as gone:
            raise DisconnectionError from gone

    return engine


def of(session: Session) -> Database:
    """Return the Database a session belongs to (its settings and key ring)."""
    database: Database = session.info[_OWNER]
    return database


@contextmanager
def transaction(database: Database, *, prompt: bool = False) -> Iterator[Session]:
    """Commit on success, roll back on any exception; the only place that commits.

    A Refused rolls back (unless it `keeps`), then its consequences run and commit in a transaction of their own, then
    it is raised again (see errors.py). `prompt`: go before other writers on SQLite, for what must not be late.
    """
    engine = database.engine.execution_options(idp_prompt=True) if prompt and database.is_sqlite else database.engine
    try:
        with Session(engine, expire_on_commit=False, info={_OWNER: database}) as session:
            try:
                yield session
            except Refused as refusal:
                if refusal.keeps:
                    _finish(session)
                    session.commit()
                raise
            _finish(session)
            session.commit()
    except Refused as refusal:
        if refusal.then:
            consequences, refusal.then = refusal.then, ()
            with transaction(database) as session:
                for consequence in consequences:
                    consequence(session)
        raise


@contextmanager
def reading(database: Database) -> Iterator[Session]:
    """A session that only reads: takes no write lock on SQLite; PostgreSQL refuses to write in it.

    What was changed in it is forgotten. On PostgreSQL it ends with COMMIT all the same: after a ROLLBACK psycopg
    forgets every statement it had prepared, and making the plans anew costs more than running them.
    """
    more = {} if database.is_sqlite else {"postgresql_readonly": True}
    engine = database.engine.execution_options(idp_read_only=True, **more)
    with Session(engine, expire_on_commit=False, info={_OWNER: database}) as session:
        yield session
        if not database.is_sqlite:
            session.expunge_all()
            session.commit()


def unconnected(database: Database) -> Session:
    """Return a session that has no connection and will get none: for facts made from what was read before."""
    return Session(info={_OWNER: database})


def before_commit(session: Session, order: int, name: str, finish: Callable[[Session], object]) -> None:
    """Run `finish` once, just before this session commits, in rising `order`.

    Keeps the lock order of decisions.md 3 (account versions, policy epoch, revocation counter) whatever
    order the domain functions were called in. The first registration under a name wins.
    """
    session.info.setdefault(_FINISHERS, {}).setdefault((order, name), finish)


def _finish(session: Session) -> None:
    finishers = session.info.pop(_FINISHERS, {})
    for key in sorted(finishers):
        finishers[key](session)
