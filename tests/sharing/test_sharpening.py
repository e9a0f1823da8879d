"""Weights are moved to where cases begin: what the worst innocents show counts less (domain.md 10)."""

from idp.sharing import sharpening
from idp.sharing.score import Weight
from idp.sharing.state import DAY

INNOCENT = [[{"new_work": 9.0, "slow_code": 0.5}]] * 3 + [[{"overlap": 0.5, "slow_code": 0.5}]] * 40
SHARED = [[(3 * DAY, {"hours_split": 4.0, "slow_code": 2.0})]] * 6 + [[(DAY, {"two_hands": 9.0, "slow_code": 2.0})]] * 2
GIVES = {"new_work": 3.2, "hours_split": 2.0, "slow_code": 2.0, "two_hands": 4.0, "overlap": 1.0}
FITTED = {kind: Weight(most, 1.2) for kind, most in GIVES.items()}
MOST = {"new_work": 4.5, "hours_split": 3.0, "slow_code": 3.0, "two_hands": 5.0, "overlap": 1.5}


def _above(kinds: dict[str, Weight]) -> int:
    """How many shared logins lie above every innocent."""
    worst = max(sharpening.total(amounts, kinds) for moments in INNOCENT for amounts in moments)
    return sum(any(sharpening.total(amounts, kinds) > worst for _, amounts in moments) for moments in SHARED)


def test_domain_10_more_is_found_where_the_worst_innocents_draw_the_line() -> None:
    assert _above(FITTED) == 2, "people who change jobs hide those who share in turn"
    _, moved = sharpening.sharpened(INNOCENT, SHARED, FITTED, MOST, 1.0)
    assert _above(moved) == 8
    assert all(0 < weight.most <= MOST[kind] for kind, weight in moved.items())


def test_domain_10_what_an_innocent_shows_for_a_day_may_take_a_week_to_count() -> None:
    innocent = [[{"slow_code": 1.0, "overlap": 2.0}]] * 20
    shared = [[(day * DAY, {"slow_code": 0.5 * day, "overlap": 1.0}) for day in range(1, 10)]] * 5
    sooner = {"slow_code": Weight(3.0, 0.4), "overlap": Weight(1.5, 1.2)}
    _, moved = sharpening.sharpened(innocent, shared, sooner, {"slow_code": 3.0, "overlap": 1.5}, 1.0)
    assert moved["slow_code"].days > 0.4, "three slow codes say more than one, so they must be able to count more"


def test_domain_10_one_fact_alone_draws_no_line_and_nothing_to_learn_from_changes_nothing() -> None:
    both = {**FITTED, "overlap": Weight(1.0, 1.2), "two_hands": Weight(3.0, 1.2)}
    assert sharpening.total({"overlap": 9.0, "two_hands": 9.0}, both) < -50
    assert sharpening.sharpened([], [], FITTED, MOST, 1.0) == (0.0, FITTED)
    assert sharpening.strongest([], FITTED) == []
    assert sharpening.earliest([], FITTED) == []
