"""What tests with real processes share."""

import socket
from collections.abc import Callable, Iterator

import pytest


@pytest.fixture
def hold_port() -> Iterator[Callable[[], int]]:
    """Return a function that takes a port of this machine, until the test ends."""
    held: list[socket.socket] = []

    def hold() -> int:
        made = socket.socket()
        made.bind(("127.0.0.1", 0))
        made.listen()
        held.append(made)
        return int(made.getsockname()[1])

    yield hold
    for each in held:
        each.close()
