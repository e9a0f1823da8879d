"""More than five new devices in 30 days that stay in use; pool devices do not count."""

from idp.sharing.seen import Finding, Seen

KIND = "device_spread"
MORE_THAN, WITHIN = 5, 30


def look(seen: Seen) -> Finding | None:
    """Count new devices that came back after another had been used: replaced browsers never do."""
    if len(seen.account.arrivals) <= MORE_THAN:
        return None
    count = sum(1 for day in seen.account.arrivals if day > seen.day - WITHIN)
    if count <= MORE_THAN:
        return None
    return Finding(min(1.0, count / 10), f"{count} new computers in {WITHIN} days, all still in use")
