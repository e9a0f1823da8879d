"""Over 16 hours of a day in use, on 3 of 7 days, on two desktops; near useless alone."""

from idp.sharing.seen import Finding, Seen

KIND = "hours_span"
HOURS, BUSY, DAYS = 16, 10, 3


def look(seen: Seen) -> Finding | None:
    """Count long days. Early and late glances do not make one: ten different hours must have been worked in."""
    account, today = seen.account, seen.account.today
    if seen.act.time - today.first <= HOURS * 3600 or today.hours.bit_count() < BUSY or len(today.desks) < 2:
        return None
    if not account.long_days or account.long_days[-1] != seen.day:
        account.long_days = [day for day in account.long_days if day > seen.day - 7] + [seen.day]
    if len(account.long_days) < DAYS:
        return None
    return Finding(1.0, f"in use for over {HOURS} hours on {len(account.long_days)} of 7 days")
