"""Where network addresses are: from a file of the operator's, never from an outside service (docs/sharing.md).

Without the file no address is a place: what needs places stays silent, and the desk and `idp doctor` say so.
"""

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, TypeAdapter

from idp.envelope import KeyRing
from idp.sharing.events import CLOSED, Flag, Use
from idp.sharing.reading import Unreadable, lines
from idp.sharing.state import NetworkMemory

MOST = 200_000
"""Lines: the ranges people come from, not the whole Internet."""
NEEDS_PLACES = ("two_places", "strange_place", "strange_journey")
"""Kinds of evidence that stay silent without places."""


def _range(value: object) -> str:
    try:
        return str(ip_network(str(value)))
    except ValueError:
        raise ValueError("not a range of addresses such as 203.0.113.0/24") from None


@dataclass(slots=True)
class Line:
    """One line of the file."""

    __pydantic_config__ = CLOSED
    network: Annotated[str, BeforeValidator(_range)]
    latitude: Annotated[float, Field(ge=-90, le=90, strict=True)] | None = None
    longitude: Annotated[float, Field(ge=-180, le=180, strict=True)] | None = None
    accuracy_km: Annotated[float, Field(ge=0, le=20000, strict=True)] = 50.0
    use: Use = "unknown"
    remote_desktops: Flag = False
    """Computers here are remote desktops: windows on another computer's screen."""


_LINE: TypeAdapter[Line] = TypeAdapter(Line)


@dataclass(slots=True)
class Networks:
    """What is known of ranges of addresses."""

    ranges: dict[tuple[int, int], dict[int, Line]] = field(default_factory=dict)
    """By version and length of the prefix, by prefix."""
    by_name: dict[str, Line] = field(default_factory=dict)

    def named(self, network: str) -> Line | None:
        """Return what is said of a network by its name."""
        return self.by_name.get(network)

    def find(self, address: str) -> Line | None:
        """Return the narrowest range an address lies in."""
        known = _read(address)
        if known is None:
            return None
        bits, value = known.max_prefixlen, int(known)
        for (version, length), ranges in self.ranges.items():
            if version == known.version and (found := ranges.get(value >> (bits - length))) is not None:
                return found
        return None


def name_of(ring: KeyRing, address: str, found: Line | None) -> str:
    """Name a network: the operator's range, or a keyed hash of the address's neighborhood (/24, /48)."""
    if found is not None:
        return found.network
    known = _read(address)
    near = str(ip_network((known, 24 if known.version == 4 else 48), strict=False)) if known else address
    return "net_" + ring.keyed_hash("subjects", f"network:{near}")[:12].hex()


def remembered(found: Line | None) -> NetworkMemory:
    """Make the memory of a network that was not seen before."""
    made = NetworkMemory()
    if found is not None:
        described(made, found)
    return made


def described(memory: NetworkMemory, found: Line) -> None:
    """Put what the operator says of a network over what was known."""
    if found.latitude is not None and found.longitude is not None:
        memory.latitude, memory.longitude = found.latitude, found.longitude
    else:
        memory.latitude = memory.longitude = None
    memory.accuracy_km, memory.use = found.accuracy_km, found.use


def load(path: Path | None) -> Networks:
    """Read the operator's file; no file is no places. Raises `Unreadable` naming the line and the field."""
    made = Networks()
    if path is None:
        return made
    for number, line in lines(path, _LINE):
        if len(made.by_name) == MOST:
            raise Unreadable(f"{path.name} line {number}: more than {MOST:,} ranges.")
        if (line.latitude is None) != (line.longitude is None):
            raise Unreadable(f"{path.name} line {number}, field latitude: give both coordinates or none.")
        net = ip_network(line.network)
        key = (net.version, net.prefixlen)
        ranges = made.ranges.setdefault(key, {})
        value = int(net.network_address) >> (net.max_prefixlen - net.prefixlen)
        if value in ranges:
            raise Unreadable(f"{path.name} line {number}, field network: this range was described before.")
        ranges[value] = made.by_name[line.network] = line
    made.ranges = dict(sorted(made.ranges.items(), key=lambda one: -one[0][1]))  # the narrowest first
    return made


class File:
    """The operator's file, read again when it changes."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self.networks = Networks()
        self.problem = ""

    def current(self) -> Networks:
        """Return what the file says now; while it can't be read, what it said before, and `problem` tells."""
        if self._path is None:
            return self.networks
        try:
            stat = self._path.stat()
            stamp = (stat.st_mtime_ns, stat.st_size)
            if stamp != self._stamp:
                self.networks, self._stamp, self.problem = load(self._path), stamp, ""
        except (OSError, Unreadable) as problem:
            self.problem, self._stamp = str(problem), None
        return self.networks


def _read(address: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(address)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found
