"""Alternation between devices within two minutes at the organization's own shift change, on three days."""

from idp.sharing.events import Request
from idp.sharing.seen import Finding, Seen
from idp.sharing.shifts import near_change

KIND = "handover"
GAP, DAYS, WITHIN = 120.0, 3, 30


def look(seen: Seen) -> Finding | None:
    """Count days on which the account changed hands. Walking from one pool workstation to another does not count."""
    act, account = seen.act, seen.account
    if not isinstance(act, Request) or not act.interactive or not account.touches:
        return None
    before = account.touches[-1]
    if before.device == act.device or act.time - before.time > GAP or not seen.stands_alone(act.device):
        return None
    if not seen.stands_alone(before.device) or (seen.pool(act.device) and seen.pool(before.device)):
        return None
    if not near_change(seen.provider, seen.minute):
        return None
    if not account.handed or account.handed[-1] != seen.day:
        account.handed = [*[day for day in account.handed if day > seen.day - WITHIN][-9:], seen.day]
    if len(account.handed) < DAYS:
        return None
    return Finding(1.0, f"passed from one computer to another at shift change on {len(account.handed)} days")
