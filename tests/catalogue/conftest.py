"""The small world on a fresh database, on both engines."""

from typing import Any

import pytest

from idp.database import Database
from tests.engines import Filling
from tests.wam.world import FILLING, World


@pytest.fixture
def filling(request: pytest.FixtureRequest) -> Filling | None:
    """The world's data, for the tests that ask for the world."""
    return FILLING if "world" in request.fixturenames else None


@pytest.fixture
def world(database: Database, facts: dict[str, Any]) -> World:
    """Two practices, three access managers, three employees."""
    return World(database, **facts)
