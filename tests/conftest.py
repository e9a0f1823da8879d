"""Fixtures every test may use: a fresh database on both engines, settings, the application."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from idp.database import Database
from idp.settings import Settings
from tests import engines

ENGINES = ("sqlite", "postgres")


@pytest.fixture(scope="session")
def _sqlite(tmp_path_factory: pytest.TempPathFactory) -> engines.SqliteEngine:
    return engines.SqliteEngine(tmp_path_factory.mktemp("sqlite"))


@pytest.fixture(scope="session")
def _postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[engines.PostgresEngine]:
    if not os.environ.get("IDP_TEST_POSTGRES_URL") and engines.find_postgres() is None:
        if os.environ.get("CI"):
            pytest.fail(engines.MISSING)
        pytest.skip(engines.MISSING)
    engine = engines.PostgresEngine(tmp_path_factory.mktemp("postgres"))
    yield engine
    engine.close()


@pytest.fixture(params=ENGINES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a freshly migrated database; the test runs once on each engine."""
    engine = request.getfixturevalue(f"_{request.param}")
    with engine.fresh(tmp_path) as url:
        yield url


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
