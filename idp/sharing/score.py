"""From evidence to a score: estimated log-odds, once per day, saturating per kind, fading by half in 14 days."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from math import exp

from idp.sharing.seen import Finding
from idp.sharing.state import DAY, Standing

COUNTS = 0.7
"""Log-odds from which a kind corroborates another."""
BANDS = ("notice", "case", "containment")
ALONE, MANY_DAYS = ("role_split", "new_work", "foreign_device", "absent_desktop", "two_places"), 1.8
"""Kinds that carry a case without another once so much of them is left (full-strength days): chance does not repeat."""
ONE_FACT = {
    "new_work": "role_split",
    "overlap": "two_hands",
    "hours_span": "hours_split",
    "strange_journey": "strange_place",
}
"""Kinds that see one fact from two sides: other work at another desk, two desks at once, hours of the day, a device far
away. Neither corroborates the other, and the weaker adds but an echo: an innocent who shows the one shows both."""
ECHO = 0.15
"""What is left of the weaker side of one fact."""


@dataclass(slots=True, frozen=True)
class Weight:
    """What a kind can give at most (log-odds), and after how many full-strength days it has given 63 % of it."""

    most: float
    days: float

    def gives(self, left: float) -> float:
        """Turn what is left of a kind's evidence into log-odds."""
        return self.most * (1 - exp(-left / self.days))


@dataclass(slots=True, frozen=True)
class Weights:
    """What each kind gives, and the lines on the sum; estimated, never edited by hand (docs/sharing.md)."""

    version: str
    prior: float
    half_life_days: float
    kinds: dict[str, Weight]
    lines: dict[str, float]


@cache
def weights(what: str = "sharing") -> Weights:
    """Read the weights that are part of this version: of `sharing` or of `takeover`."""
    read = json.loads(files("idp.sharing").joinpath("weights.json").read_text(encoding="utf-8"))
    part = read[what]
    kinds = {kind: Weight(**one) for kind, one in part["kinds"].items()}
    return Weights(read["version"], part["prior"], part["half_life_days"], kinds, part["lines"])


def add(standings: dict[str, Standing], kind: str, found: Finding, *, time: float, day: int, half_life: float) -> bool:
    """Add a finding to its kind; the same day counts once, at its strongest. Says whether anything was added."""
    standing = standings.setdefault(kind, Standing(at=time))
    if standing.day == day and found.strength <= standing.counted:
        return False
    already = standing.counted if standing.day == day else 0.0
    standing.amount = amount(standing, time, half_life) + found.strength - already
    standing.days += standing.day != day
    standing.at, standing.day, standing.counted, standing.seen = time, day, found.strength, found.seen
    return True


def amount(standing: Standing, time: float, half_life: float) -> float:
    """Tell what is left of a kind's evidence at a time."""
    return standing.amount * float(0.5 ** (max(0.0, time - standing.at) / (half_life * DAY)))


def parts(standings: dict[str, Standing], time: float, by: Weights) -> dict[str, float]:
    """Tell each kind's log-odds at a time."""
    left = {kind: amount(standing, time, by.half_life_days) for kind, standing in standings.items()}
    return weighed(left, by.kinds)


def weighed(left: Mapping[str, float], kinds: Mapping[str, Weight]) -> dict[str, float]:
    """Turn what is left of each kind's evidence into log-odds, one fact counting once."""
    given = {kind: kinds[kind].gives(one) if kind in kinds else 0.0 for kind, one in left.items()}
    strongest: dict[str, str] = {}
    for kind, part in given.items():
        fact = fact_of(kind)
        if fact not in strongest or part > given[strongest[fact]]:
            strongest[fact] = kind
    return {kind: part if strongest[fact_of(kind)] == kind else ECHO * part for kind, part in given.items()}


def fact_of(kind: str) -> str:
    """Name the fact a kind sees."""
    return ONE_FACT.get(kind, kind)


def facts(given: Mapping[str, float]) -> set[str]:
    """Name the facts of which enough is seen to corroborate each other."""
    return {fact_of(kind) for kind, part in given.items() if part >= COUNTS}


def agreed(given: Mapping[str, float], kinds: Mapping[str, Weight]) -> bool:
    """Say whether two facts agree, or one that can speak for itself was seen on many days."""
    if len(facts(given)) >= 2:
        return True
    return any(given.get(kind, 0.0) >= kinds[kind].gives(MANY_DAYS) for kind in ALONE if kind in kinds)


def band(given: dict[str, float], by: Weights, *, corroborated: bool = True) -> str:
    """Name the highest line that is reached, or "" below all of them; above the lowest, facts must agree."""
    counted = sum(part >= COUNTS for part in given.values())
    enough = {
        "notice": counted >= 1,
        "case": agreed(given, by.kinds),
        "containment": counted >= 3 and len(facts(given)) >= 2,
    }
    total, reached = by.prior + sum(given.values()), ""
    for name in BANDS:
        if total >= by.lines[name] and (enough[name] or not corroborated):
            reached = name
    return reached


def shown(total: float) -> int:
    """Show log-odds as a probability from 0 to 100."""
    return round(100 / (1 + exp(-max(-30.0, min(30.0, total)))))
