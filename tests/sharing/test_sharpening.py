"""Weights are moved to where cases begin: what the worst innocents show counts less (domain.md 10)."""

from idp.sharing import sharpening

INNOCENT = [[{"new_work": 9.0, "slow_code": 0.5}]] * 3 + [[{"overlap": 0.5, "slow_code": 0.5}]] * 40
SHARED = [[{"hours_split": 4.0, "slow_code": 2.0}]] * 6 + [[{"two_hands": 9.0, "slow_code": 2.0}]] * 2
FITTED = {"new_work": 3.2, "hours_split": 2.0, "slow_code": 2.0, "two_hands": 4.0, "overlap": 1.0}
MOST = {"new_work": 4.5, "hours_split": 3.0, "slow_code": 3.0, "two_hands": 5.0, "overlap": 1.5}


def _above(kinds: dict[str, float]) -> int:
    """How many shared logins lie above every innocent."""
    worst = max(sharpening.peak(moments, kinds) for moments in INNOCENT)
    return sum(sharpening.peak(moments, kinds) > worst for moments in SHARED)


def test_domain_10_more_is_found_where_the_worst_innocents_draw_the_line() -> None:
    assert _above(FITTED) == 2, "people who change jobs hide those who share in turn"
    moved = sharpening.sharpened(INNOCENT, SHARED, FITTED, MOST, 1.0)
    assert _above(moved) == 8
    assert all(0 < weight <= MOST[kind] for kind, weight in moved.items())


def test_domain_10_one_fact_alone_draws_no_line_and_nothing_to_learn_from_changes_nothing() -> None:
    assert sharpening.peak([{"new_work": 9.0, "role_split": 9.0}], {**FITTED, "role_split": 3.0}) < -50
    assert sharpening.sharpened([], [], FITTED, MOST, 1.0) == FITTED
    assert sharpening.strongest([], FITTED) == []
