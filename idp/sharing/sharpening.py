"""Sharpening weights where the case line lies: at the few innocents who look worst, not at the many who look like none.

Logistic regression is content when most are told apart; a line that one innocent in ten thousand may cross is decided
by the worst of them. So what each kind gives, and how soon, is tried a little lower and higher, and kept where more of
what was planted lies above the lines that the first few innocents would draw, and sooner.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import exp
from random import Random

from idp.sharing import score
from idp.sharing.score import Weight
from idp.sharing.state import DAY

RANKS = (0, 0.5, 1, 1.5, 2.5, 4)
"""Where lines are tried: behind this many times the innocents that the case line may cost."""
TRIED, DAYS_TRIED = (0.8, 0.9, 1.1, 1.25), (0.6, 0.8, 1.25, 1.6)
SHORTEST, LONGEST = 0.7, 4.0
"""Full-strength days after which a kind may have given 63 % of what it can."""
SOON, WEEK = 0.3, 5 * DAY
"""What finding soon counts beside finding at all, and how fast that is lost."""
ROUNDS, LEAST, VIEWS, STEP = 6, 1e-4, 6, 0.05
Amounts = Mapping[str, float]
Moment = tuple[float, Amounts]
"""Seconds since the sharing began (of an innocent, any), and how much of each kind there was."""
Weights = dict[str, Weight]


def strongest(moments: Sequence[Amounts], kinds: Weights) -> list[Amounts]:
    """Keep an innocent's moments that weights near these could find their strongest."""
    kept = dict[int, Amounts]()
    for by in _views(kinds) if moments else ():
        best = max(range(len(moments)), key=lambda at: sum(score.weighed(moments[at], by).values()))
        kept[best] = moments[best]
    return list(kept.values())


def earliest(moments: Sequence[Moment], kinds: Weights) -> list[Moment]:
    """Keep the moments of shared logins at which weights near these could see more than ever before."""
    kept, highest = set[int](), [-99.0] * VIEWS
    for view, by in enumerate(_views(kinds)):
        for at, (_, amounts) in enumerate(moments):
            total = sum(score.weighed(amounts, by).values())
            if total > highest[view] + STEP:
                highest[view] = total
                kept.add(at)
    return [moments[at] for at in sorted(kept)]


def _views(kinds: Weights) -> Iterator[Weights]:
    pick = Random(1)  # noqa: S311 - views, not secrets
    for view in range(VIEWS):
        yield {
            kind: Weight(one.most * pick.uniform(0.4, 1.3), one.days * pick.uniform(0.5, 1.8)) if view else one
            for kind, one in kinds.items()
        }


def total(amounts: Amounts, kinds: Weights) -> float:
    """Return the sum of a moment at which enough is seen for a case; below all others where it is not."""
    given = score.weighed(amounts, kinds)
    return sum(given.values()) if score.agreed(given, kinds) else -99.0


def sharpened(
    innocent: Sequence[Sequence[Amounts]],
    shared: Sequence[Sequence[Moment]],
    kinds: Weights,
    most: Mapping[str, float],
    allowed: float,
) -> tuple[float, Weights]:
    """Return weights, none above `most`, under which more is found, and sooner, at lines that few innocents cross.

    Before them: how much (0 to 1). `allowed` is how many innocents the case line may cost.
    """
    worst = [one for one in (strongest(moments, kinds) for moments in innocent) if one]
    planted = [earliest(moments, kinds) for moments in shared]
    now, best = dict(kinds), _found(worst, planted, kinds, allowed)
    for _ in range(ROUNDS):
        before = best
        for kind, bound in most.items():
            for tried in _tried(now[kind], bound):
                other = {**now, kind: tried}
                found = _found(worst, planted, other, allowed)
                if found > best + LEAST:
                    now, best = other, found
        if best == before:
            break
    return best, now


def _tried(now: Weight, bound: float) -> list[Weight]:
    return [replace(now, most=min(now.most * factor, bound)) for factor in TRIED] + [
        replace(now, days=min(max(now.days * factor, SHORTEST), LONGEST)) for factor in DAYS_TRIED
    ]


def _found(
    innocent: Sequence[Sequence[Amounts]], shared: Sequence[Sequence[Moment]], kinds: Weights, allowed: float
) -> float:
    """Return which share of what was planted lies above the lines that innocents draw, soon counting more."""
    peaks = sorted((max(total(one, kinds) for one in moments) for moments in innocent), reverse=True)
    if not peaks or not shared:
        return 0.0
    lines = [max(peaks[min(int(allowed * rank), len(peaks) - 1)], -98.0) for rank in RANKS]
    found = 0.0
    for moments in shared:
        after: list[float] = []
        rising: list[float] = []
        for time, amounts in moments:
            now = total(amounts, kinds)
            if not rising or now > rising[-1]:
                rising.append(now)
                after.append(time)
        for line in lines:
            first = bisect_right(rising, line)
            if first < len(rising):
                found += 1 - SOON + SOON * exp(-after[first] / WEEK)
    return found / len(lines) / len(shared)
