"""One code, one refresh token, two processes at the same moment: one winner (security.md 43, 44, 66)."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import httpx2
import pytest

from idp.app import create_app
from idp.settings import Settings
from tests.faults.servers import Server, serving
from tests.oauth.world import CALLBACK, SECRET, VERIFIER, World, open_world

SHORT, LONG = 4, 200


@pytest.fixture
def world(settings: Settings) -> Iterator[World]:
    with open_world(create_app(settings)) as made:
        made.sign_in()
        yield made


def _race(servers: list[Server], form: dict[str, str]) -> list[tuple[int, dict[str, Any]]]:
    """Post the same form to every server, released at one moment."""
    barrier = Barrier(len(servers))

    def post(server: Server) -> tuple[int, dict[str, Any]]:
        with httpx2.Client(base_url=server.base, headers=server.headers, timeout=20) as client:
            client.get("/healthz")  # the connection is open before the race
            barrier.wait()
            answer = client.post("/oauth/token", data=form, auth=("claims", SECRET))
            return answer.status_code, answer.json()

    with ThreadPoolExecutor(len(servers)) as threads:
        return list(threads.map(post, servers))


def _play(world: World, settings: Settings, home: Path, rounds: int) -> None:
    with serving(settings, home, 2) as servers:
        for _ in range(rounds):
            code = {"grant_type": "authorization_code", "code": world.code(), "redirect_uri": CALLBACK}
            answers = _race(servers, {**code, "code_verifier": VERIFIER})
            assert sorted(status for status, _ in answers) == [200, 400], answers
            tokens = next(body for status, body in answers if status == 200)
            # The second use ends what the first produced.
            assert world.introspect(tokens["access_token"])["active"] is False

            fresh = world.tokens()
            answers = _race(servers, {"grant_type": "refresh_token", "refresh_token": fresh["refresh_token"]})
            assert sorted(status for status, _ in answers) == [200, 400], answers
            assert next(body for status, body in answers if status == 400)["error"] == "invalid_grant"
            assert world.introspect(fresh["access_token"])["active"] is False
    spent = world.run("SELECT count(*) FROM authorization_code WHERE spent_at IS NULL")
    assert spent[0][0] == 0


def test_security_43_two_processes_spend_a_code_once_and_a_refresh_token_once(
    world: World, settings: Settings, tmp_path: Path
) -> None:
    _play(world, settings, tmp_path, SHORT)


@pytest.mark.faults
def test_security_43_and_so_for_two_hundred_rounds(world: World, settings: Settings, tmp_path: Path) -> None:
    _play(world, settings, tmp_path, LONG)
