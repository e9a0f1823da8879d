"""The small world on a fresh database, on both engines."""

import pytest

from idp.database import Database
from tests.wam.world import World, build


@pytest.fixture
def world(database: Database) -> World:
    """Two practices, three access managers, three employees."""
    return build(database)
