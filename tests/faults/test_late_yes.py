"""A revocation holds in every app within a second, also where the feed is cut (security.md 92).

The short form is in tests/kit/test_with_the_service.py; ten thousand revocations: `python -m bench.revoking`.
"""

import asyncio
from pathlib import Path

import pytest

from bench import demo_world
from bench.revoking import BOUND, Place, measure


@pytest.mark.faults
@pytest.mark.parametrize("postgres", [False, True])
def test_security_92_no_app_of_twenty_says_yes_a_second_after_a_revocation_by_one_of_four_workers(
    tmp_path: Path, postgres: bool
) -> None:
    with demo_world.serving(tmp_path, postgres=postgres, workers=4) as (places, database):
        place = Place(places.main, "claims", places.secret("claims.secret"), places.claims, database)
        found = asyncio.run(measure(place, "acc_ben", revocations=500, apps=20, rate=20))
    assert found.beyond == 0, f"{max(found.late)} s, at most {BOUND}"
    assert found.cuts > 3
