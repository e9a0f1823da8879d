"""A running application with one person in it."""

from collections.abc import Iterator

import pytest
from fastapi import FastAPI

from idp.app import create_app
from idp.settings import Settings
from tests.oauth.world import World, open_world


@pytest.fixture
def app(settings: Settings) -> FastAPI:
    return create_app(settings)


@pytest.fixture
def world(app: FastAPI) -> Iterator[World]:
    with open_world(app) as made:
        yield made
