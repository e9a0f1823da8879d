"""Interactive requests within 1.5 seconds from two devices, interleaved at least three times."""

from idp.sharing.events import Request
from idp.sharing.seen import Finding, Seen

KIND = "two_hands"
SECONDS, TIMES = 1.5, 3


def look(seen: Seen) -> Finding | None:
    """Count the day's interleavings. A phone beside a desktop is one person; so is a remote desktop in its window."""
    act = seen.act
    if not isinstance(act, Request) or not act.interactive or not seen.stands_alone(act.device):
        return None
    for touch in reversed(seen.account.touches):
        if act.time - touch.time > SECONDS:
            break
        if touch.device != act.device and seen.stands_alone(touch.device):
            seen.account.today.hands += 1
            break
    if seen.account.today.hands < TIMES:
        return None
    return Finding(1.0, "two computers were worked at in the same seconds, again and again")
