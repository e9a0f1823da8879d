"""A storm of password sign-ins at a real worker: bounded, refused soon, and others are not made to pay."""

import sys

import pytest

from bench import sign_ins, storm

pytestmark = [
    pytest.mark.faults,
    # the storm's browsers end with it, their connections open
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.mark.parametrize("postgres", [False, True], ids=["sqlite", "postgres"])
def test_figure_a_login_storm_is_refused_soon_and_token_checks_do_not_pay_for_it(*, postgres: bool) -> None:
    with sign_ins.the_service(postgres=postgres) as (process, _, _):
        found = storm.measure(process, people=60, seconds=3)
    sys.stdout.write(f"{found}\n")
    assert found["other answers"] == 0
    assert found["refused"] > 100
    assert found["refused without Retry-After"] == 0
    assert found["refused, half of them within ms"] < 200
    assert found["storm / calm"] < 1.3
    assert found["memory, MiB"] < 120 + 2 * 19.5, "two are hashed at once; nothing else grows"
