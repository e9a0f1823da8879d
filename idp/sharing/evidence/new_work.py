"""A computer that came later is used for work this login never did before, while the old one is used as before."""

from idp.sharing.events import Request
from idp.sharing.evidence.role_split import STANDING_IN
from idp.sharing.seen import Finding, Seen
from idp.sharing.state import DAY, FUNCTIONS

KIND = "new_work"
SETTLED, DAYS, STILL = 14 * DAY, 2, 4 * DAY
FIRST_DAY, OTHER_DAYS = 0.5, 0.3
"""What a first day counts, and a day on which the old computer is not used as before."""
FUNCTIONS_NEW, SHARE = 2, 0.35
"""New functions at least, and their least share of what the computer is used for."""


def look(seen: Seen) -> Finding | None:
    """Ask what came with a computer. Who changes jobs leaves the old work and the old computer; two people don't."""
    act, account, here = seen.act, seen.account, seen.here
    if not isinstance(act, Request):
        return None
    own = account.devices.get(here)
    if own is None or own.first - account.first < SETTLED or not seen.desk(here):
        return None
    others = [one for name, one in account.devices.items() if name != here]
    older = [
        name
        for name, one in account.devices.items()
        if name != here
        and one.first < own.first
        and one.used >= 3
        and act.time - one.last < STILL
        and one.last > own.first
        and seen.stands_alone(name)
    ]
    away = seen.away() and seen.site(act.network)
    if not (older or away) or len(account.functions) >= FUNCTIONS:
        return None
    new = [
        name
        for name in own.functions
        if account.functions.get(name, act.time) >= own.first
        and not any(one.functions.get(name, 0.0) >= 0.5 for one in others)
    ]
    total = sum(own.functions.values())
    if len(new) < FUNCTIONS_NEW or sum(own.functions[name] for name in new) < SHARE * total:
        return None
    same_day = away or seen.as_before([name for name in older if name in account.today.desks])
    strength = (1.0 if own.days >= DAYS else FIRST_DAY) if same_day else OTHER_DAYS
    if seen.standing_in(here):
        strength *= STANDING_IN
    return Finding(
        strength, f"a computer that came later is used for {len(new)} functions this login never used before it"
    )
