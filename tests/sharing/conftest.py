"""The small world of access managers, with weeks of one login's life in the log."""

from typing import Any

import pytest

from idp.database import Database, transaction
from tests.engines import Filling
from tests.sharing.history import BACK, FRONT, History
from tests.wam.world import FILLING, World

WEEKS, SHARED = 28, 12
"""Days of history, and on how many of the last of them two people used the login."""


@pytest.fixture
def filling(request: pytest.FixtureRequest) -> Filling | None:
    return FILLING if "world" in request.fixturenames else None


@pytest.fixture
def world(database: Database, facts: dict[str, Any]) -> World:
    """Two practices, three access managers, three employees."""
    return World(database, **facts)


@pytest.fixture
def told(world: World, monkeypatch: pytest.MonkeyPatch) -> History:
    """Finn at the front desk for weeks; of late his login does other work at another computer between."""
    history = History(world.database, world.lakeside, monkeypatch)
    for name in ("dev_front", "dev_back", "dev_hall"):
        history.device(name)
    for device in ("dev_front", "dev_back"):
        history.session(world.finn, world.logins["finn"], device)
    with transaction(world.database) as db:
        for ago in range(WEEKS, 0, -1):
            history.work(db, ago, 9, world.finn, "dev_front", *FRONT)
            if ago <= SHARED:
                history.work(db, ago, 9.2, world.finn, "dev_back", *BACK)
                history.work(db, ago, 9.4, world.finn, "dev_front", *FRONT)
                history.work(db, ago, 9.6, world.finn, "dev_back", *BACK)
    return history
