"""Fixtures with providers whose makers never saw this service."""

from collections.abc import Iterator

import pytest

from tests.foreign import openid


@pytest.fixture(scope="module")
def foreign() -> Iterator[openid.ForeignProvider]:
    """Npm's oidc-provider on loopback with Fran and Gus, one for a module's tests."""
    with openid.running(acr=["strong"]) as provider:
        yield provider
