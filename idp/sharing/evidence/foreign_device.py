"""Use of a device that belongs to another account, while its owner is there."""

from idp.sharing.evidence.role_split import pair
from idp.sharing.seen import OWNER_DAYS, Finding, Seen
from idp.sharing.state import DAY

KIND = "foreign_device"
RECENT, PRESENT = 21 * DAY, 30 * 60.0


def look(seen: Seen) -> Finding | None:
    """Look for the owner. Two people taking turns at their only workstation, or one sitting in, are innocent."""
    here, now, me = seen.here, seen.act.time, seen.account.account
    device = seen.device(here)
    if len(device.users) < 2 or seen.pool(here):
        return None
    mine = device.users.get(me)
    for name, owner in device.users.items():
        if name == me or owner.days < OWNER_DAYS or now - owner.last > RECENT:
            continue
        if owner.days <= 2 * (mine.days if mine else 0) and seen.guards.co_use:
            continue
        if not seen.guards.co_use:
            return Finding(1.0, "used at a computer that mainly somebody else uses")
        if not any(
            use.days >= 5 and seen.stands_alone(one) for one, use in seen.account.devices.items() if one != here
        ):
            continue  # no other place of their own: a shared workstation of two
        present = now - owner.last <= PRESENT
        if seen.away():
            strength = 1.0 if present else 0.6
        elif present and _elsewhere(seen, here, now):
            strength = 1.0
        else:
            strength = 0.25 if present else 0.0
        if strength:
            return Finding(strength, "used at a computer that mainly somebody else uses, while that person was there")
    return None


def _elsewhere(seen: Seen, here: str, now: float) -> bool:
    """Say whether the account was just now in use at a usual place of its own: seconds ago, or to and fro."""
    return any(
        touch.device != here
        and now - touch.time <= (10 if seen.account.today.switches.get(pair(here, touch.device), 0) >= 2 else 3) * 60
        and seen.stands_alone(touch.device)
        and (use := seen.account.devices.get(touch.device)) is not None
        and use.days >= 5
        for touch in seen.account.touches
    )
