"""A computer that came later is used at a workplace at hours at which the older one never is, on the same days."""

from idp.sharing.events import Request
from idp.sharing.evidence.role_split import FACTOR, STANDING_IN, alike, factor, together
from idp.sharing.seen import Finding, Seen
from idp.sharing.state import DAY, Own

KIND = "hours_split"
SETTLED, DAYS, OLDER, ALIKE = 14 * DAY, 2, 4.5, 0.25
SAME_PLACE = 0.5
"""Likeness of the organizations worked for: a morning here and an afternoon there is what a float does."""


def look(seen: Seen) -> Finding | None:
    """Compare hours of use. Who goes to another desk for the last hours of the day has had those hours before."""
    act, account, here = seen.act, seen.account, seen.here
    if not isinstance(act, Request) or len(account.today.desks) < 2:
        return None
    own = account.devices.get(here)
    if own is None or own.days < DAYS or own.first - account.first < SETTLED or not seen.desk(here):
        return None
    if not seen.site(act.network) or seen.network(act.network).use in ("vpn", "carrier"):
        return None
    names = [one for one in account.today.desks if one != here]
    theirs = [account.devices[one] for one in names if one in account.devices and not seen.pool(one)]
    if any(seen.pool(one) for one in names):
        theirs.append(together(seen))
    if not any(_apart(own, one) for one in theirs):
        return None
    strength = STANDING_IN if seen.standing_in(here) else 1.0
    return Finding(strength, "a computer that came later is used at hours at which the usual one never is")


def _apart(own: Own, other: Own) -> bool:
    return (
        other.used >= OLDER
        and other.first < own.first
        and alike(own.providers, other.providers) > SAME_PLACE
        and alike(own.hours, other.hours) < ALIKE
        and factor(own.hours, other.hours, max(own.used, 1.0), other.used) > FACTOR
    )
