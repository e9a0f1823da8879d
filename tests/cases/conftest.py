"""The small world of access managers on a fresh database, and the insurer's desk."""

from typing import Any

import pytest

from idp.database import Database
from tests.cases.world import FILLING
from tests.engines import Filling
from tests.wam.world import World


@pytest.fixture
def filling(request: pytest.FixtureRequest) -> Filling | None:
    return FILLING if "world" in request.fixturenames else None


@pytest.fixture
def world(database: Database, facts: dict[str, Any]) -> World:
    """Two practices, three access managers, three employees, three of the desk."""
    return World(database, **facts)
