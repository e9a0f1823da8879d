"""What every kind of evidence looks at: one act, the memories it touches, and the questions they all ask."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from math import asin, cos, radians, sin, sqrt
from zoneinfo import ZoneInfo

from idp.sharing.events import Act, Report, Request, SignIn
from idp.sharing.guards import Guards
from idp.sharing.state import DAY, AccountMemory, DeviceMemory, Memory, NetworkMemory, ProviderMemory

HANDHELD = ("phone", "tablet")
POOL_ACCOUNTS, POOL_DAYS = 3, 60
SITE_ACCOUNTS = 3
OWNER_DAYS = 5
"""Days of use that make a computer somebody's own."""
GOOD_PART, HOURS_AT_POOLS, VISIT = 0.35, 8.0, 2
"""Part of the usual hours of a day that is no mere visit, the hours of a day spread over shared workstations, and how
many hours of the clock a visit of one hour may touch."""
FORGOTTEN = 6
"""Computers, most of them seen on one day only, after which a strange one is nothing strange."""
ABSENT = 20 * 3600.0
"""Seconds without its owner after which a computer's owner is away, not at lunch."""


@dataclass(slots=True)
class Finding:
    """One piece of evidence: how strong (0 to 1, of this kind's log-odds) and what was seen, in plain words."""

    strength: float
    seen: str


@dataclass(slots=True)
class Seen:
    """An act before it is remembered, with everything it may be compared to."""

    act: Act
    account: AccountMemory
    memory: Memory
    guards: Guards
    provider: ProviderMemory
    day: int
    minute: int
    """Of the day at the account's organization."""

    @property
    def here(self) -> str:
        """Name the device of the act; a report has none."""
        return "" if isinstance(self.act, Report) else self.act.device

    @property
    def line(self) -> str:
        """Name the network of the act; a report has none."""
        return "" if isinstance(self.act, Report) else self.act.network

    def device(self, device: str) -> DeviceMemory:
        """Find a device's memory."""
        return self.memory.devices.setdefault(device, DeviceMemory())

    def network(self, network: str) -> NetworkMemory:
        """Find a network's memory."""
        return self.memory.networks.setdefault(network, NetworkMemory())

    def pool(self, device: str) -> bool:
        """Say whether a device is a shared workstation: declared, or of three or more accounts in 60 days.

        One with a clear owner stays that person's, though others visit it.
        """
        if not self.guards.pool:
            return False
        known = self.device(device)
        if known.declared or len(known.users) < POOL_ACCOUNTS:
            return known.declared
        since = self.act.time - POOL_DAYS * DAY
        recent = sum(1 for user in known.users.values() if user.last >= since)
        return recent >= POOL_ACCOUNTS and not self.owned(device)

    def owned(self, device: str) -> bool:
        """Say whether one account has a device for its own, visitors or not: three of five device-days are its."""
        known = self.device(device)
        days = [user.days for user in known.users.values()]
        return not known.declared and max(days, default=0) >= max(OWNER_DAYS, 0.6 * sum(days))

    def standing_in(self, device: str) -> bool:
        """Say whether a device is somebody else's who has not been at it for a day: then one may do that one's work."""
        users = self.device(device).users
        if len(users) < 2:
            return False
        mine = users.get(self.account.account)
        most = max((name for name in users if name != self.account.account), key=lambda name: users[name].days)
        owner = users[most]
        if owner.days < OWNER_DAYS or (mine is not None and mine.days >= owner.days):
            return False
        return self.act.time - owner.last > ABSENT

    def as_before(self, devices: Collection[str]) -> bool:
        """Say whether older computers are worked at today for a good part of their usual hours.

        Who changes jobs goes back to the old computer for an hour; two people keep both busy.
        """
        if not devices:
            return False
        hours: set[str] = set()
        usual = HOURS_AT_POOLS if all(self.pool(one) for one in devices) else 0.0
        for name in devices:
            hours |= {key for key in self.account.today.keys.get(name, ()) if key.startswith("h:")}
            own = self.account.devices.get(name)
            if own is not None:
                usual = max(usual, sum(own.hours.values()) / max(own.used, 1.0))
        return len(hours) > VISIT and len(hours) >= GOOD_PART * usual

    def forgets(self) -> bool:
        """Say whether the account's browser forgets: most computers it was seen at were seen on one day only."""
        known = [use.days for name, use in self.account.devices.items() if self.stands_alone(name)]
        return len(known) >= FORGOTTEN and sum(days == 1 for days in known) > len(known) / 2

    def desk(self, device: str) -> bool:
        """Say whether a device is a desktop that can stand for one person's place: no handheld, no remote, no pool."""
        return self.stands_alone(device) and not self.pool(device)

    def stands_alone(self, device: str) -> bool:
        """Say whether a device needs a person of its own in front of it."""
        form = self.device(device).form
        return not self.guards.forms or (form not in HANDHELD and form != "remote_desktop")

    def placed(self, network: NetworkMemory) -> bool:
        """Say whether an address is a place at all."""
        if network.latitude is None or network.longitude is None:
            return False
        return not self.guards.virtual or (network.use in ("fixed", "unknown") and not network.teleports)

    def own(self, device: str, *, days: int = 5) -> bool:
        """Say whether a device is one of the account's own: used on several days, and by nobody more."""
        use = self.account.devices.get(device)
        if use is None or use.days < days:
            return False
        users = self.device(device).users
        return all(one == self.account.account or user.days <= use.days for one, user in users.items())

    def site(self, network: str) -> bool:
        """Say whether a network is a workplace: used by several accounts."""
        return len(self.network(network).users) >= SITE_ACCOUNTS

    def away(self) -> bool:
        """Say whether the person is marked as on leave now; leave from one provider is none from another."""
        return any(begins <= self.act.time < ends for begins, ends, _ in self.leaves())

    def leaves(self) -> list[tuple[float, float, str]]:
        """Return the marked absences that concern this act."""
        act = self.act
        where = (act.provider if isinstance(act, SignIn | Request) else None) or ""
        return [one for one in self.account.leaves if not one[2] or one[2] == where]


@lru_cache(maxsize=4096)
def _offset(zone: str, hour: int) -> float:
    shift = datetime.fromtimestamp(hour * 3600, ZoneInfo(zone)).utcoffset()
    return shift.total_seconds() if shift else 0.0


def local(zone: str, time: float) -> tuple[int, int]:
    """Tell the day (since 1970) and the minute of the day at a place."""
    there = time + _offset(zone, int(time // 3600))
    return int(there // DAY), int(there % DAY // 60)


def kilometres(one: NetworkMemory, other: NetworkMemory) -> float:
    """Measure between two networks along the earth, less what their accuracies leave open."""
    lat, lon = radians(one.latitude or 0), radians(one.longitude or 0)
    lat2, lon2 = radians(other.latitude or 0), radians(other.longitude or 0)
    half = sin((lat2 - lat) / 2) ** 2 + cos(lat) * cos(lat2) * sin((lon2 - lon) / 2) ** 2
    return max(0.0, 12742 * asin(sqrt(min(1.0, half))) - one.accuracy_km - other.accuracy_km)
