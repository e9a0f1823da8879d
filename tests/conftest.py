"""Fixtures every test may use: a fresh database on both engines, settings, the application."""

import gc
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import Engine

from idp.database import Database
from idp.database import engine as engine_module
from idp.oauth import keys
from idp.settings import Settings
from idp.signatures import Key
from tests import engines

ENGINES = ("sqlite", "postgres")


def pytest_configure(config: pytest.Config) -> None:
    """Keep what tests write in memory where there is room, unless somebody says where it goes."""
    folder = engines.scratch()
    if folder is not None and config.getoption("basetemp", None) is None:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(folder))


def pytest_collection_finish() -> None:
    """Leave what every test needs out of the collector's rounds."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _keys_read_once() -> Iterator[None]:
    """Read each signing key once in a process: tests start the service a thousand times, with the same few keys.

    Reading an RSA key means proving that its numbers belong together, which takes 50 ms of a start.
    """
    read, seen = keys.key_from_jwk, dict[bytes, Key]()

    def once(value: Mapping[str, Any], alg: str | None = None) -> Key:
        text = orjson.dumps([value, alg], option=orjson.OPT_SORT_KEYS)
        if text not in seen:
            seen[text] = read(value, alg)
        return seen[text]

    keys.key_from_jwk = once
    yield
    keys.key_from_jwk = read


@pytest.fixture(scope="session", autouse=True)
def _statements_compiled_once() -> Iterator[None]:
    """Let all engines of a kind share what was compiled: each test has a database of its own, with the same tables.

    Mappers keep compiled statements by dialect, so with one for each test they also keep every test's dialect.
    """
    make, first = engine_module.create_engine, dict[str, Engine]()

    def shared(url: Any, **options: Any) -> Engine:
        made = make(url, **options)
        known = first.setdefault(made.dialect.name, made)
        if known.dialect.server_version_info is None:  # it never met its server
            first[made.dialect.name] = made
        elif known is not made:
            made.dialect = made.pool._dialect = known.dialect
            made._compiled_cache = known._compiled_cache
        return made

    engine_module.create_engine = shared
    yield
    engine_module.create_engine = make


@pytest.fixture(scope="session")
def _sqlite(tmp_path_factory: pytest.TempPathFactory) -> engines.SqliteEngine:
    return engines.SqliteEngine(tmp_path_factory.mktemp("sqlite"))


@pytest.fixture(scope="session")
def _postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[engines.PostgresEngine]:
    if not os.environ.get("IDP_TEST_POSTGRES_URL"):
        engines.need_postgres()
    engine = engines.PostgresEngine(tmp_path_factory.mktemp("postgres"))
    yield engine
    engine.close()


@pytest.fixture
def filling() -> engines.Filling | None:
    """The world a test's database begins with; a folder's conftest may name one for the tests that ask for it."""
    return None


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> engines.SqliteEngine | engines.PostgresEngine:
    """Each database engine in turn: the test runs once on each."""
    found: engines.SqliteEngine | engines.PostgresEngine = request.getfixturevalue(f"_{request.param}")
    return found


@pytest.fixture
def database_url(
    engine: engines.SqliteEngine | engines.PostgresEngine, filling: engines.Filling | None, tmp_path: Path
) -> Iterator[str]:
    """The URL of a fresh database: migrated, and filled where the test's folder says so."""
    with engine.fresh(tmp_path, filling) as url:
        yield url


@pytest.fixture
def facts(
    engine: engines.SqliteEngine | engines.PostgresEngine, filling: engines.Filling | None, database_url: str
) -> object:
    """What the filling said of its world, such as ids."""
    assert filling is not None, f"{database_url} was not filled"
    return engine.facts(filling)


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """Development settings on the fresh database."""
    return engines.settings_for(database_url, tmp_path)


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    """A Database on the fresh database."""
    made = Database(settings)
    yield made
    made.dispose()
