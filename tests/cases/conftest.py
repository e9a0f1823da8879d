"""The small world of access managers on a fresh database, with nobody suspected yet."""

from typing import Any

import pytest

from idp.database import Database
from tests.engines import Filling
from tests.wam.world import FILLING, World


@pytest.fixture
def filling(request: pytest.FixtureRequest) -> Filling | None:
    return FILLING if "world" in request.fixturenames else None


@pytest.fixture
def world(database: Database, facts: dict[str, Any]) -> World:
    """Two practices, three access managers, three employees."""
    return World(database, **facts)
