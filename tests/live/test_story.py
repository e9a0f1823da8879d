"""The main job against real processes on loopback: both databases, one worker and two."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from idp.demo import filling, processes
from idp.demo.places import ROOT, DemoRefused, Places, refuse_taken
from idp.demo.story.run import own_demo, play
from tests import engines


def told(lines: list[str]) -> str:
    return "\n".join(lines[-60:])


def test_the_main_job_on_sqlite_with_two_workers_and_again_in_the_same_world() -> None:
    lines: list[str] = []
    with own_demo(workers=2) as (places, link):
        assert link is not None
        assert play(places, link, say=lines.append) == 0, told(lines)
        # The world is kept: a second telling finds Ana's login linked, and her access taken away.
        assert filling.invitation_of(places) is None
        again: list[str] = []
        assert play(places, None, say=again.append) == 0, told(again)
    whole = "\n".join(lines)
    assert not [secret for secret in SECRETS if secret in whole]


SECRETS = ("thimble orchid canyon", "otter violin granite", "copper meadow lantern")


def test_the_main_job_on_postgresql_with_two_workers(tmp_path: Path, _postgres: Any) -> None:  # noqa: PT019
    lines: list[str] = []
    with (
        _postgres.fresh(tmp_path, engines.WITHOUT_KEYS) as url,
        own_demo(database_url=url, workers=2) as (places, link),
    ):
        assert play(places, link, say=lines.append) == 0, told(lines)


def test_a_taken_port_is_named_with_the_setting_that_changes_it(hold_port: Callable[[], int]) -> None:
    port = hold_port()
    with pytest.raises(DemoRefused) as caught:
        refuse_taken((port, port + 1, port + 2, port + 3))
    assert f"Port {port} is taken; Meridian Health Plan needs it." in str(caught.value)
    assert "IDP_DEMO_PORTS=" in str(caught.value)


def test_the_command_says_a_taken_port_and_starts_nothing(hold_port: Callable[[], int], tmp_path: Path) -> None:
    port = hold_port()
    environment = {"PATH": "/usr/bin:/bin", "IDP_DEMO_PORTS": f"{port},{port + 1},{port + 2},{port + 3}"}
    done = subprocess.run(
        [sys.executable, "-m", "idp", "demo", "--check"],
        cwd=ROOT,
        env=environment | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert f"Port {port} is taken" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_server_that_does_not_start_is_named_with_its_log(tmp_path: Path) -> None:
    places = Places(tmp_path, (9, 9, 9, 9))
    places.secrets.mkdir(parents=True)
    with pytest.raises(DemoRefused, match="ended by itself"), processes.running(places):
        pytest.fail("nothing can run without being filled")
