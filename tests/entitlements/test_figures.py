"""The short form of `make bench`: right answers on a crowd, and a cost that does not follow its size."""

import asyncio
import os
from pathlib import Path

import pytest

from bench import engine
from bench.crowd import NOW
from idp import clock, entropy


def test_a_decision_does_not_cost_more_in_a_crowd_while_plain_casbin_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)
    few, many = (asyncio.run(engine.measure(size, tmp_path, rounds=400)) for size in (500, 20_000))
    assert many["plain pycasbin"] > 8 * few["plain pycasbin"]  # forty times the grants
    # Generous, for a busy machine: the promise itself is printed by `make bench`.
    for way in ("remembered", "function, first time", "person, first time", "person and practice, first time"):
        assert many[way] < 4 * few[way], way
        assert many["plain pycasbin"] > 20 * many[way], way
    text = engine.table({500: few, 20_000: many})
    assert "pycasbin / remembered" in text


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_ids_are_drawn_by_the_page_and_never_twice_not_even_after_a_fork() -> None:
    entropy.new_id("x")
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, entropy.new_id("x").encode())
        os._exit(0)
    os.waitpid(child, 0)
    ids = {os.read(reader, 100).decode(), *(entropy.new_id("x") for _ in range(2000))}
    os.close(reader)
    os.close(writer)
    assert len(ids) == 2001
    assert all(len(found) == len("x_") + 26 for found in ids)
