"""What the detector remembers: bounded for each account, device, network and provider, and serialisable.

Every field is plain data, so that a feeder may store one account's memory as one row of JSON.
"""

from dataclasses import dataclass, field

DEVICES, NETWORKS, FUNCTIONS, DELAYS, KEYS, USERS, LEAVES = 24, 12, 48, 31, 64, 12, 6
"""How many of each one memory keeps; the one unused for longest goes first."""
DAY = 86_400.0


@dataclass(slots=True)
class Standing:
    """One kind of evidence: its decayed amount at `at`, how much of it came on `day`, and what was last seen."""

    amount: float = 0.0
    at: float = 0.0
    day: int = -1
    counted: float = 0.0
    days: int = 0
    seen: str = ""


@dataclass(slots=True)
class Own:
    """An account's own view of one device: days of use, and on how many of them each function and provider appeared."""

    first: float
    last: float
    day: int = -1
    days: int = 0
    functions: dict[str, float] = field(default_factory=dict)
    providers: dict[str, float] = field(default_factory=dict)
    hours: dict[str, float] = field(default_factory=dict)
    """On how many of its days it was used in each hour of the day, aged like the others."""
    used: float = 0.0
    """Device-days, aged like the counts above."""
    typed: int = 0
    """Codes typed quickly at this device."""
    slow: int = 0
    """Codes typed much later than usual at this device."""
    returned: bool = False
    """Came back after another device had been used: not merely the next in a row of replacements."""


@dataclass(slots=True)
class Touch:
    """The last interactive request: when, where, and at which device."""

    time: float
    device: str
    network: str
    provider: str = ""


@dataclass(slots=True)
class Today:
    """An account's day so far, in its organization's time."""

    day: int = -1
    first: float = 0.0
    last: float = 0.0
    hours: int = 0
    desks: dict[str, int] = field(default_factory=dict)
    keys: dict[str, list[str]] = field(default_factory=dict)
    switches: dict[str, int] = field(default_factory=dict)
    """Changes between two devices by pair, and by pair and hour."""
    hands: int = 0
    strange: int = 0


@dataclass(slots=True)
class AccountMemory:
    """All that is remembered of one account."""

    account: str
    provider: str = ""
    weekdays: tuple[int, ...] = ()
    begins: int = -1
    ends: int = -1
    leaves: list[tuple[float, float, str]] = field(default_factory=list)
    """From, until, and the provider it is leave from ("" for all)."""
    first: float = 0.0
    sign_ins: int = 0
    devices: dict[str, Own] = field(default_factory=dict)
    networks: dict[str, float] = field(default_factory=dict)
    functions: dict[str, float] = field(default_factory=dict)
    touches: list[Touch] = field(default_factory=list)
    places: dict[str, Touch] = field(default_factory=dict)
    delays: list[float] = field(default_factory=list)
    arrivals: list[int] = field(default_factory=list)
    long_days: list[int] = field(default_factory=list)
    handed: list[int] = field(default_factory=list)
    today: Today = field(default_factory=Today)
    evidence: dict[str, Standing] = field(default_factory=dict)
    takeover: dict[str, Standing] = field(default_factory=dict)
    band: str = ""
    takeover_band: str = ""


@dataclass(slots=True)
class UserOf:
    """One account's use of a device."""

    last: float
    day: int = -1
    days: int = 0


@dataclass(slots=True)
class DeviceMemory:
    """A device and the accounts seen on it."""

    form: str = "unknown"
    declared: bool = False
    users: dict[str, UserOf] = field(default_factory=dict)
    network: str = ""
    """Where it was used last."""


@dataclass(slots=True)
class NetworkMemory:
    """A network, and the accounts that could not have reached it by travelling."""

    latitude: float | None = None
    longitude: float | None = None
    accuracy_km: float = 50.0
    use: str = "unknown"
    users: dict[str, int] = field(default_factory=dict)
    """The first accounts seen here: enough to tell a workplace from a home."""
    jumped: dict[str, float] = field(default_factory=dict)
    moved: dict[str, int] = field(default_factory=dict)
    """How often desktops were here and, at their last use before or next after, far away."""
    teleports: bool = False


@dataclass(slots=True)
class ProviderMemory:
    """An organization's clock and when its people come and go, by quarter of an hour (learned)."""

    time_zone: str = "UTC"
    shifts: tuple[int, ...] = ()
    starts: list[float] = field(default_factory=lambda: [0.0] * 96)
    stops: list[float] = field(default_factory=lambda: [0.0] * 96)


@dataclass(slots=True)
class Memory:
    """Everything the detector remembers."""

    accounts: dict[str, AccountMemory] = field(default_factory=dict)
    devices: dict[str, DeviceMemory] = field(default_factory=dict)
    networks: dict[str, NetworkMemory] = field(default_factory=dict)
    providers: dict[str, ProviderMemory] = field(default_factory=dict)


def bound(kept: dict[str, object], limit: int) -> None:
    """Drop the entries first put in until at most `limit` are left."""
    while len(kept) > limit:
        del kept[next(iter(kept))]
