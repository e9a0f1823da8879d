"""A running application with one person in it."""

from collections.abc import Iterator

import pytest
from fastapi import FastAPI

from idp.app import create_app
from idp.settings import Settings
from tests.engines import Filling
from tests.oauth.world import FILLING, Ids, World, open_world


@pytest.fixture
def app(settings: Settings) -> FastAPI:
    return create_app(settings)


@pytest.fixture
def filling(request: pytest.FixtureRequest) -> Filling | None:
    return FILLING if "world" in request.fixturenames else None


@pytest.fixture
def world(app: FastAPI, facts: Ids) -> Iterator[World]:
    with open_world(app, facts) as made:
        yield made
