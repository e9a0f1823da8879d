"""What is kept of an act once it has been looked at; every collection is bounded."""

from statistics import median

from idp.sharing.events import Factor, FactorChange, Request, SignIn
from idp.sharing.evidence.role_split import pair
from idp.sharing.evidence.slow_code import ENOUGH, LEAST, TIMES, TYPED
from idp.sharing.evidence.two_places import moved
from idp.sharing.seen import POOL_DAYS, Seen
from idp.sharing.shifts import learn
from idp.sharing.state import (
    DAY,
    DELAYS,
    DEVICES,
    FUNCTIONS,
    KEYS,
    NETWORKS,
    USERS,
    Own,
    Today,
    Touch,
    UserOf,
)

AGE = 0.97
"""What a profile keeps for each further day of use."""
SETTLED = 14
"""Days in which an account's first devices are not "new"."""


def day_begins(seen: Seen, minutes: tuple[int, int] | None) -> None:
    """Close the account's last day: its first and last minute teach the organization's shift changes."""
    if minutes is not None:
        learn(seen.provider, *minutes)
    seen.account.today = Today(day=seen.day, first=seen.act.time)


def presence(seen: Seen) -> Own:
    """Keep that this account used this device on this network now."""
    act, account = seen.act, seen.account
    assert isinstance(act, SignIn | Request | Factor | FactorChange)
    device = seen.device(act.device)
    users = device.users
    user = users.get(account.account)
    if user is None:
        user = users[account.account] = UserOf(act.time)
        if len(users) > USERS:
            del users[min(users, key=lambda name: users[name].last)]
    user.last = act.time
    if user.day != seen.day:
        if seen.day - user.day > POOL_DAYS:
            user.days = 0
        user.day, user.days = seen.day, user.days + 1
    own = account.devices.get(act.device)
    if own is None:
        own = account.devices[act.device] = Own(first=act.time, last=act.time)
        if len(account.devices) > DEVICES:
            del account.devices[min(account.devices, key=lambda name: account.devices[name].last)]
    if own.day != seen.day:
        own.day, own.days = seen.day, own.days + 1
        _came_back(seen, own)
    own.last = act.time
    _network(seen)
    if device.network != act.network:
        if device.network and seen.stands_alone(act.device):
            moved(seen, device.network, act.network)
        device.network = act.network
    return own


def _came_back(seen: Seen, own: Own) -> None:
    account, device = seen.account, seen.here
    between = bool(account.touches) and account.touches[-1].device != device
    if own.days < 2 or own.returned or not between:
        return
    own.returned = True
    if own.first - account.first > SETTLED * DAY and seen.desk(device):
        account.arrivals = [*account.arrivals[-11:], seen.day]


def _network(seen: Seen) -> None:
    act, account = seen.act, seen.account
    assert isinstance(act, SignIn | Request | Factor | FactorChange)
    users = seen.network(act.network).users
    if account.account not in users and len(users) < USERS:
        users[account.account] = 1
    account.networks[act.network] = account.networks.pop(act.network, act.time)
    if len(account.networks) > NETWORKS:
        del account.networks[next(iter(account.networks))]


def request(seen: Seen, own: Own) -> None:
    """Keep an interactive request: the day, the device's profile, the last touches, the places."""
    act, account = seen.act, seen.account
    assert isinstance(act, Request)
    today = account.today
    today.last = act.time
    today.hours |= 1 << (seen.minute // 60)
    keys = today.keys.get(act.device)
    if keys is None:
        if len(today.keys) >= USERS:
            return
        keys = today.keys[act.device] = []
        own.used = own.used * AGE + 1
        for counts in (own.functions, own.providers, own.hours):
            for key in counts:
                counts[key] *= AGE
    for sign, name, counts in (
        ("f:", act.function, own.functions),
        ("p:", act.provider, own.providers),
        ("h:", str(seen.minute // 60), own.hours),
    ):
        if sign + name not in keys and len(keys) < KEYS:
            keys.append(sign + name)
            counts[name] = counts.get(name, 0.0) + 1
            if len(counts) > KEYS:
                del counts[min(counts, key=lambda one: counts[one])]
    if seen.stands_alone(act.device):
        today.desks[act.device] = today.desks.get(act.device, 0) + 1
    earlier = account.touches[-1] if account.touches else None
    before = earlier.device if earlier and earlier.time >= today.first else act.device
    if before != act.device and len(today.switches) < 200:
        both = pair(before, act.device)
        for key in (both, f"{seen.minute // 60} {both}"):
            today.switches[key] = today.switches.get(key, 0) + 1
    touch = Touch(act.time, act.device, act.network, act.provider)
    account.touches = [*account.touches[-5:], touch]
    account.places.pop(act.network, None)
    account.places[act.network] = touch
    if len(account.places) > NETWORKS:
        del account.places[next(iter(account.places))]
    if act.function not in account.functions and len(account.functions) < FUNCTIONS:
        account.functions[act.function] = act.time


def factor(seen: Seen, own: Own) -> None:
    """Keep how long a typed code took, and that this person types codes at this device."""
    act = seen.act
    assert isinstance(act, Factor)
    if act.method not in TYPED:
        return
    delays = seen.account.delays
    if len(delays) >= ENOUGH:
        if act.delay < max(TIMES * median(delays), LEAST):
            own.typed += 1
        else:
            own.slow += 1
    seen.account.delays = [*delays[-(DELAYS - 1) :], act.delay]
