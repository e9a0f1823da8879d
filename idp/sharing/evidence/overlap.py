"""Two desktops that are no pool devices in use in the same hour, back and forth; weak alone."""

from idp.sharing.events import Request
from idp.sharing.evidence.role_split import pair
from idp.sharing.seen import Finding, Seen

KIND = "overlap"
AT_HOME = 0.3
"""What is left of it on a line that is no workplace: one of the two is a window on the other's screen, or beside it."""
FROM_POOL = 6
"""Changes in an hour between a pool device and another: fewer are a walk through the clinic."""


def look(seen: Seen) -> Finding | None:
    """Count changes between two desks in the hour: one walk to the printer is nothing, ten changes are two people."""
    act = seen.act
    if not isinstance(act, Request) or not act.interactive or not seen.account.touches:
        return None
    before = seen.account.touches[-1].device
    if before == act.device or not seen.stands_alone(act.device) or not seen.stands_alone(before):
        return None
    pools = seen.pool(act.device) + seen.pool(before)
    if pools == 2:
        return None
    changes = seen.account.today.switches.get(f"{seen.minute // 60} {pair(before, act.device)}", 0) + 1
    if changes < (FROM_POOL if pools else 2):
        return None
    strength = min(1.0, 0.1 * changes)
    if seen.account.touches[-1].network == act.network and not seen.site(act.network):
        strength *= AT_HOME
    return Finding(strength, f"two computers used in turn {changes} times within one hour")
