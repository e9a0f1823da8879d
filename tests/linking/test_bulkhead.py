"""One slow organization holds a few threads and no more: others, and passwords, go on as if nothing were."""

import threading
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from idp.federation.breaker import AT_ONCE
from tests.sign_in_world import World, link_ana, sign_in

pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
"""What waits, waits before the database."""
COME = 3 * AT_ONCE


class Stuck:
    """Makes a provider hold every call until it is let go."""

    def __init__(self, world: World) -> None:
        self.held = threading.Semaphore(0)
        self.go = threading.Event()
        self._answer = world.evergreen.answer
        world.evergreen.answer = self._wait

    def _wait(self, request: httpx2.Request) -> httpx2.Response:
        self.held.release()
        assert self.go.wait(60)
        answer: httpx2.Response = self._answer(request)
        return answer


def test_security_89_one_slow_upstream_takes_no_capacity_of_others_or_of_passwords(world: World) -> None:
    link_ana(world)
    known = sign_in(world.browser())
    stuck = Stuck(world)
    pool = ThreadPoolExecutor(COME)
    try:
        waiting = [pool.submit(lambda: world.browser().get("/login/ups_evergreen")) for _ in range(AT_ONCE)]
        for _ in range(AT_ONCE):
            assert stuck.held.acquire(timeout=30)
        # Those calls are all out, none has been answered, and the organization is not known to be down.
        excess = [pool.submit(lambda: world.browser().get("/login/ups_evergreen")) for _ in range(COME - AT_ONCE)]
        for one in excess:
            page = one.result(30)
            assert page.status == 502
            assert "Evergreen Billing is busy or not answering" in page.text
            assert "Choose another way" in page.text
        told = known.get("/account/logins/add/ups_evergreen")
        assert told.status == 502
        assert "also opens with: your user name and password" in told.text
        assert world.browser().get("/login/ups_lakeside").path == "/link"
        assert sign_in(world.browser()).path == "/account"
        assert world.browser().get("/.well-known/openid-configuration").status == 200
        assert not any(one.done() for one in waiting)
        assert not stuck.held.acquire(blocking=False)  # the organization was asked by nobody else
    finally:
        stuck.go.set()
        pool.shutdown()
    assert [one.result().path for one in waiting] == ["/account"] * AT_ONCE
    assert world.browser().get("/login/ups_evergreen").path == "/account"
