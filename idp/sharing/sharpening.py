"""Sharpening weights where the case line lies: at the few innocents who look worst, not at the many who look like none.

Logistic regression is content when most are told apart; a line that one innocent in ten thousand may cross is decided
by the worst of them. So each weight is tried a little lower and higher, and kept where more of what was planted lies
above the lines that the first few innocents would draw.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from random import Random

from idp.sharing import score

RANKS = (0, 0.5, 1, 1.5, 2.5, 4)
"""Where lines are tried: behind this many times the innocents that the case line may cost."""
TRIED = (0.8, 0.9, 1.1, 1.25)
ROUNDS, LEAST, VIEWS, STEPS = 6, 1e-4, 6, 400
Amounts = Mapping[str, float]
Weights = dict[str, float]


def strongest(moments: Iterable[Amounts], kinds: Weights) -> list[Amounts]:
    """Keep an account's moments that weights near these could find its strongest."""
    pick, kept = Random(1), dict[int, Amounts]()  # noqa: S311 - views, not secrets
    listed = list(moments)
    for view in range(VIEWS if listed else 0):
        by = {kind: one * (pick.uniform(0.4, 1.3) if view else 1.0) for kind, one in kinds.items()}
        best = max(range(len(listed)), key=lambda at: sum(score.weighed(listed[at], by).values()))
        kept[best] = listed[best]
    return list(kept.values())


def peak(moments: Iterable[Amounts], kinds: Weights) -> float:
    """Return the highest sum of an account at which two facts agree; below all others if they never do."""
    best = -99.0
    for amounts in moments:
        given = score.weighed(amounts, kinds)
        if len(score.facts(given)) >= score.NEEDED["case"]:
            best = max(best, sum(given.values()))
    return best


def sharpened(
    innocent: Sequence[Sequence[Amounts]],
    shared: Sequence[Sequence[Amounts]],
    kinds: Weights,
    most: Weights,
    allowed: float,
) -> Weights:
    """Return weights, none above `most`, under which more is found at lines that `allowed` innocents may cross."""
    worst = [one for one in (strongest(moments, kinds) for moments in innocent) if one]
    planted = [strongest(moments, kinds) for moments in shared]
    now, best = dict(kinds), _found(worst, planted, kinds, allowed)
    for _ in range(ROUNDS):
        before = best
        for kind, bound in most.items():
            for factor in TRIED:
                other = {**now, kind: min(now[kind] * factor, bound)}
                found = _found(worst, planted, other, allowed)
                if found > best + LEAST:
                    now, best = other, found
        if best == before:
            break
    return now


def _found(
    innocent: Sequence[Sequence[Amounts]], shared: Sequence[Sequence[Amounts]], kinds: Weights, allowed: float
) -> float:
    """Return which share of what was planted lies above the lines that innocents draw, in the mean of the lines."""
    peaks = sorted((peak(moments, kinds) for moments in innocent), reverse=True)
    planted = sorted(peak(moments, kinds) for moments in shared)
    if not peaks or not planted:
        return 0.0
    lines = [peaks[min(int(allowed * rank), len(peaks) - 1)] for rank in RANKS]
    return sum(len(planted) - bisect_right(planted, max(line, -98.0)) for line in lines) / len(lines) / len(planted)
