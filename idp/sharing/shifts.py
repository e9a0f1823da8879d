"""When an organization's shifts change: as it says, or learned from when its people come and go."""

from idp.sharing.state import ProviderMemory

NEAR, SHARE, ENOUGH = 25, 0.12, 40.0
"""Minutes around a change; the share of comings and of goings that makes one; days of people needed to learn."""


def near_change(provider: ProviderMemory, minute: int) -> bool:
    """Say whether a minute of the day is near a shift change."""
    if provider.shifts:
        return any(min((minute - shift) % 1440, (shift - minute) % 1440) <= NEAR for shift in provider.shifts)
    came, went = sum(provider.starts), sum(provider.stops)
    if came < ENOUGH or went < ENOUGH:
        return False
    quarter = minute // 15
    return _around(provider.starts, quarter) >= SHARE * came and _around(provider.stops, quarter) >= SHARE * went


def _around(slots: list[float], quarter: int) -> float:
    return (
        slots[quarter - 2] + slots[quarter - 1] + slots[quarter] + slots[(quarter + 1) % 96] + slots[(quarter + 2) % 96]
    )


def learn(provider: ProviderMemory, came: int, went: int) -> None:
    """Remember one account's day: the minutes of its first and last request."""
    provider.starts[came // 15] += 1.0
    provider.stops[went // 15] += 1.0
    if sum(provider.starts) > 2000:
        provider.starts[:] = [count / 2 for count in provider.starts]
        provider.stops[:] = [count / 2 for count in provider.stops]
