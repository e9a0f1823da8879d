"""Fixtures every test may use: a fresh database on both engines, settings, the application."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from idp.database import Database
from idp.settings import Settings
from tests import engines

ENGINES = ("sqlite", "postgres")


def pytest_configure(config: pytest.Config) -> None:
    """Keep what tests write in memory where there is room, unless somebody says where it goes."""
    folder = engines.scratch()
    if folder is not None and config.getoption("basetemp", None) is None:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(folder))


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
