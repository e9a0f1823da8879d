"""What every test of the kit starts from."""

import pytest

from idp.resource_server.issuer import Issuer
from idp.resource_server.verify import Verifier
from tests.kit.issuer import AUDIENCE, URL, FakeIssuer


class Monotonic:
    """A clock the test moves by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def fake() -> FakeIssuer:
    return FakeIssuer()


@pytest.fixture
def ticks() -> Monotonic:
    return Monotonic()


@pytest.fixture
def issuer(fake: FakeIssuer, ticks: Monotonic) -> Issuer:
    return Issuer(URL, http=fake.client(), monotonic=ticks)


@pytest.fixture
def verifier(issuer: Issuer) -> Verifier:
    return Verifier(issuer=URL, audience=AUDIENCE, keys=issuer)
