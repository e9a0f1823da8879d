"""The long form of the applied worlds: a million questions over HTTP, ten worlds, both engines (invariants 4 to 8)."""

import asyncio
import os
from pathlib import Path

import pytest

from idp.cli.schema import bring_up
from idp.database import Database
from idp.settings import Settings
from tests.entitlements.described import Maker
from tests.entitlements.test_described_worlds import apply_world, ask, compare, located, noon

__all__ = ["noon"]
QUESTIONS = int(os.environ.get("IDP_LONG_QUESTIONS", "1000000"))
SEEDS = range(10)
AT_ONCE = 10_000


@pytest.mark.faults
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.usefixtures("noon")
def test_d4_a_million_questions_agree_with_the_oracle(
    settings: Settings, database: Database, tmp_path: Path, seed: int
) -> None:
    bring_up(database)
    maker = Maker(seed, people=40, providers=8)
    file = maker.world()
    apply_world(database, tmp_path, file)
    left = QUESTIONS // (2 * len(SEEDS))
    while left > 0:
        questions = [maker.question(file) for _ in range(min(left, AT_ONCE))]
        compare(file, questions, asyncio.run(ask(settings, located(database, questions))), seed)
        left -= AT_ONCE
