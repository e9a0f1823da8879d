"""`idp story`: play the main job; the exit status tells whether everything held."""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

from idp.demo import filling, processes
from idp.demo.places import HOME, DemoRefused, Places, free, remembered
from idp.demo.story import other_app, past, scenes
from idp.demo.story.stage import Stage
from idp.demo.story.telling import StoryBroke, Teller

SCENES = (
    scenes.ana_arrives,
    scenes.the_app_is_refused,
    scenes.wes_grants,
    other_app.hsconnect_looks,
    scenes.wes_revokes,
    scenes.sam_looks,
    past.an_auditor_asks,
)


def story(*, own: bool = False, say: Callable[[str], object] = print) -> int:
    """Play the story against the running demo, else against servers of its own on free ports."""
    try:
        running = None if own else _running_demo()
        if running is not None:
            say(f"Playing against the demo at {running.main}.")
            return play(running, filling.invitation_of(running), say=say)
        say("Starting servers on free ports ...")
        with own_demo() as (places, link):
            return play(places, link, say=say)
    except DemoRefused as problem:
        sys.stderr.write(f"idp: The story can't be told.\n{problem}\n")
        return 1


@contextmanager
def own_demo(
    home: Path | None = None, *, database_url: str | None = None, workers: int = 1
) -> Iterator[tuple[Places, str | None]]:
    """Fill and start a demo of its own on free ports, in a folder that is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="idp-story-") as made:
        places = Places(home or Path(made), free(), database_url, workers)
        link = filling.fill(places)
        with processes.running(places):
            yield places, link


def play(places: Places, invitation: str | None, *, say: Callable[[str], object] = print) -> int:
    """Play every scene; return 0 when all held, 1 otherwise."""
    teller = Teller(say)
    began = time.monotonic()
    with Stage(places, teller, invitation) as stage:
        try:
            for scene in SCENES:
                scene(stage)
        except StoryBroke as problem:
            say(f"\nThe story broke.\n{problem}")
            return 1
    say(f"\nThe main job works: {teller.checked} checks held, in {time.monotonic() - began:.1f} seconds.")
    return 0


def _running_demo() -> Places | None:
    """Return the demo that runs on this machine, if its main service answers."""
    ports = remembered(HOME)
    if ports is None:
        return None
    places = Places(HOME, ports)
    try:
        answer = httpx2.get(f"{places.main}/.well-known/openid-configuration", timeout=2.0, trust_env=False)
        found = answer.json().get("issuer") if answer.status_code == 200 else None
    except (httpx2.HTTPError, ValueError):
        return None
    return places if found == places.main else None
