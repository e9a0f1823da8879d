"""Use of a strange desktop while the person is marked on leave or off shift."""

from idp.sharing.events import Request
from idp.sharing.seen import Finding, Seen
from idp.sharing.state import DAY

KIND = "absent_desktop"
MARGIN = 180
"""Minutes beyond the marked hours that are overtime, not absence."""
FORGETS = 0.25
"""What is left of it where the browser forgets: then every computer is one not used before."""
ENOUGH = 3
"""Requests in the day; one peek is a peek."""


def look(seen: Seen) -> Finding | None:
    """Look at desktops that were not the person's before. From home or a hotel it may be they; at work it is not."""
    act = seen.act
    if not isinstance(act, Request) or not act.interactive or not seen.stands_alone(act.device):
        return None
    leave = seen.away()
    if not leave and not _off(seen):
        return None
    known = seen.account.devices.get(act.device)
    if known is not None and known.days > 1 and not _new_in_leave(seen, known.first):
        return None
    seen.account.today.strange += 1
    if seen.account.today.strange < ENOUGH:
        return None
    at_work = seen.site(act.network) and seen.network(act.network).use not in ("vpn", "carrier")
    strength = (0.6 if seen.pool(act.device) else 1.0) if at_work else 0.25
    if not leave:
        strength *= 0.4
    if seen.forgets():
        strength *= FORGETS
    when = "while its person was marked on leave" if leave else "far outside its person's marked hours"
    return Finding(strength, f"used at a computer it had not used before, {when}")


def _new_in_leave(seen: Seen, first: float) -> bool:
    """Say whether the device first appeared during the present leave: then it stays strange until the leave ends."""
    now = seen.act.time
    return any(begins <= now < ends and begins <= first for begins, ends, _ in seen.leaves())


def _off(seen: Seen) -> bool:
    account = seen.account
    if account.begins < 0 or account.ends < 0:
        return False
    long = (account.ends - account.begins) % 1440
    since = (seen.minute - account.begins + MARGIN) % 1440
    day = seen.day if seen.minute >= account.begins - MARGIN else seen.day - 1
    on_day = not account.weekdays or (day + 3) % 7 in account.weekdays
    return since > long + 2 * MARGIN if on_day else _day_off(seen)


def _day_off(seen: Seen) -> bool:
    """Say whether a free day is really free: extra shifts are common, so only people who never work then are absent."""
    return all((int(use.last // DAY) + 3) % 7 in seen.account.weekdays for use in seen.account.devices.values())
