"""Where a sign-in came from, in words coarse enough for a page and without asking anybody (T-37)."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

_INSIDE = [ip_network(each) for each in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fe80::/10")]


def words(address: str | None, here: str | None) -> str:
    """Return where an address lies, as seen from `here`, the reader's own address."""
    known, own = _read(address), _read(here)
    if known is None:
        return "an unknown network"
    if known.is_loopback:
        return "this computer's own network"
    name = network(known)
    if own is not None and network(own) == name:
        return f"the network you are on now ({name})"
    inside = any(known in each for each in _INSIDE)
    return f"an inside network ({name})" if inside else f"network {name}"


def network(address: IPv4Address | IPv6Address) -> str:
    """Return an address without the part that tells its neighbors apart: 203.0.113.x, 2001:db8:1::x."""
    if isinstance(address, IPv4Address):
        return f"{str(address).rpartition('.')[0]}.x"
    return f"{ip_network((address, 48), strict=False).network_address}x"


def _read(address: str | None) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(address or "")
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found
