"""Evidence that a stranger has the login: scored apart from sharing, with its own urgency (half-life of three days)."""

from collections.abc import Callable

from idp.sharing.events import FactorChange, Request
from idp.sharing.evidence import two_places
from idp.sharing.seen import Finding, Seen, kilometres

FAR = 500.0
"""Kilometres from every place of the account's."""
STRANGE = 3
"""Functions in one day that the account never used."""
KINDS = ("strange_place", "strange_functions", "factor_change", "strange_journey")


def _strange_device(seen: Seen) -> bool:
    """Say whether the device is new to this account (today) and nobody else's."""
    device = seen.here
    use = seen.account.devices.get(device)
    users = seen.device(device).users
    return (use is None or (use.days <= 1 and use.day == seen.day)) and all(
        one == seen.account.account for one in users
    )


def _strange_network(seen: Seen) -> bool:
    """Say whether the network is new to this account (today), and no workplace or way out of the organization."""
    network = seen.line
    since = seen.account.networks.get(network)
    return (
        (since is None or seen.act.time - since < 86_400)
        and not seen.site(network)
        and seen.network(network).use != "egress"
    )


def strange_place(seen: Seen) -> Finding | None:
    """A new device on a new network far from every known place. A traveller's own laptop is not new."""
    if not _strange_device(seen) or not _strange_network(seen):
        return None
    here = seen.network(seen.line)
    if here.use in ("vpn", "carrier") or here.latitude is None:
        return Finding(0.3, "a new device on a network that hides where it is") if here.use == "vpn" else None
    known = [seen.network(name) for name in seen.account.networks if name != seen.line]
    placed = [network for network in known if network.latitude is not None]
    if not placed or min(kilometres(here, network) for network in placed) < FAR:
        return None
    return Finding(1.0, "a new device on a new network, far from every place this login was used at")


def strange_functions(seen: Seen) -> Finding | None:
    """Functions the account never used, several in one day, from a new device on a new network."""
    if not isinstance(seen.act, Request) or not _strange_device(seen) or not _strange_network(seen):
        return None
    keys = seen.account.today.keys.get(seen.act.device, [])
    used = {key[2:] for key in keys if key.startswith("f:")} | {seen.act.function}
    new = sum(1 for function in used if seen.account.functions.get(function, seen.act.time) > seen.act.time - 86_400)
    return Finding(1.0, f"{new} functions it never used before, from a new device") if new >= STRANGE else None


def factor_change(seen: Seen) -> Finding | None:
    """A second step changed from a new device on a new network."""
    if not isinstance(seen.act, FactorChange) or not _strange_device(seen) or not _strange_network(seen):
        return None
    return Finding(1.0, f"its second step was {seen.act.change} from a new device and place")


def strange_journey(seen: Seen) -> Finding | None:
    """An impossible journey that ends at a new device on a new network."""
    if not _strange_device(seen) or not _strange_network(seen):
        return None
    return two_places.look(seen)


LOOK: tuple[tuple[str, Callable[[Seen], Finding | None]], ...] = (
    ("strange_place", strange_place),
    ("strange_functions", strange_functions),
    ("factor_change", factor_change),
    ("strange_journey", strange_journey),
)
