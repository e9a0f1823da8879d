"""Devices of one account with disjoint profiles of functions or providers, used on the same days."""

from math import lgamma

from idp.sharing.seen import Finding, Seen
from idp.sharing.state import DAY, Own

KIND = "role_split"
DAYS, ALIKE, FACTOR = 1.9, 0.35, 3.0
"""Device-days each profile needs; above which likeness they are one mix; the natural log of the Bayes factor needed."""
STANDING_IN = 0.15
"""What is left of the strength where the computer's owner is away: somebody does an absent colleague's work."""
LEFT, SETTLED = 0.3, 14 * DAY
"""What is left of it where the computer that was there first is only visited, and from when on one came later."""


def look(seen: Seen) -> Finding | None:
    """Compare the present device with each other desk of the same day; nobody's phone is compared."""
    here = seen.here
    if len(seen.account.today.desks) < 2 or not seen.desk(here):
        return None
    mine = seen.account.devices.get(here)
    if mine is None or mine.used < DAYS:
        return None
    best: Finding | None = None
    shared = [one for one in seen.account.today.desks if one != here and seen.pool(one)]
    if shared:
        best = _compare(mine, together(seen), returned=any(_returned(seen, here, one) for one in shared))
        if best and seen.standing_in(here):
            best.strength *= STANDING_IN
    for other in seen.account.today.desks:
        theirs = seen.account.devices.get(other)
        if other == here or theirs is None or theirs.used < DAYS or not seen.desk(other):
            continue
        found = _compare(mine, theirs, returned=_returned(seen, here, other))
        if found and (seen.standing_in(here) or seen.standing_in(other)):
            found.strength *= STANDING_IN
        elif found and _left(seen, here, other):
            found.strength *= LEFT
        if found and (best is None or found.strength > best.strength):
            best = found
    return best


def _compare(mine: Own, theirs: Own, *, returned: bool) -> Finding | None:
    """Weigh two profiles. A morning here and an afternoon there is what a float does: only coming back counts fully."""
    functions, providers = alike(mine.functions, theirs.functions), alike(mine.providers, theirs.providers)
    if min(mine.used, theirs.used) < DAYS:
        return None
    if functions < ALIKE and factor(mine.functions, theirs.functions, mine.used, theirs.used) > FACTOR:
        what, strength = "functions", (1.0 if returned else 0.4) * (1.0 if functions < 0.15 else 0.6)
    elif providers < 0.1 and returned and factor(mine.providers, theirs.providers, mine.used, theirs.used) > FACTOR:
        what, strength = "organizations", 0.5
    else:
        return None
    return Finding(strength, f"two computers used on the same days for different {what}, as if by two people")


def _left(seen: Seen, here: str, other: str) -> bool:
    """Say whether the younger of two computers took the older one's place: that one is only visited now."""
    older, younger = sorted((here, other), key=lambda one: seen.account.devices[one].first)
    came = seen.account.devices[younger].first - seen.account.first
    return came >= SETTLED and not seen.as_before([older])


def _returned(seen: Seen, one: str, other: str) -> bool:
    return seen.account.today.switches.get(pair(one, other), 0) >= 2


def together(seen: Seen) -> Own:
    """Take the pool devices of an account as one place: which of them one sits at is chance."""
    place = Own(first=0.0, last=0.0)
    for name, use in seen.account.devices.items():
        if seen.pool(name):
            place.used += use.used
            pairs = ((place.functions, use.functions), (place.providers, use.providers), (place.hours, use.hours))
            for mine, theirs in pairs:
                for key, count in theirs.items():
                    mine[key] = mine.get(key, 0.0) + count
    return place


def alike(one: dict[str, float], other: dict[str, float]) -> float:
    """Tell how alike two profiles are: 0 nothing in common, 1 the same mix (cosine)."""
    dot = sum(count * other.get(key, 0.0) for key, count in one.items())
    size = sum(c * c for c in one.values()) * sum(c * c for c in other.values())
    return dot / size**0.5 if size else 1.0


def factor(one: dict[str, float], other: dict[str, float], days: float, more: float) -> float:
    """Weigh "two people" against "one mix": the log Bayes factor over days of presence (Beta-Bernoulli, flat-ish)."""
    total = 0.0
    for key in one.keys() | other.keys():
        a, b = min(one.get(key, 0.0), days), min(other.get(key, 0.0), more)
        total += _beta(1 + a, 1 + days - a) + _beta(1 + b, 1 + more - b) - _beta(1 + a + b, 1 + days + more - a - b)
    return total


def _beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)


def pair(one: str, other: str) -> str:
    """Name a pair of devices."""
    return f"{one}\n{other}" if one < other else f"{other}\n{one}"
