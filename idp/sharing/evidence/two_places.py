"""Two uses too far apart for any journey: over 900 km/h and over 100 km."""

from idp.sharing.seen import Finding, Seen, kilometres
from idp.sharing.state import NetworkMemory

KIND = "two_places"
SPEED, DISTANCE = 900.0, 100.0
TELEPORTS, DESKTOPS, MOVES = 3, 2, 3
"""Accounts that jump to or from an address, desktops that came or went far, and moves of one of them, before it is
known as no place."""


def look(seen: Seen) -> Finding | None:
    """Compare with the last use of every other place. One device in two places is a moving address, not two people."""
    act = seen.act
    network, device = seen.line, seen.here
    here = seen.network(network)
    if (
        here.latitude is None
        or not seen.account.places
        or (len(seen.account.places) == 1 and network in seen.account.places)
    ):
        return None
    if seen.guards.virtual and seen.device(device).form in ("phone", "tablet", "remote_desktop"):
        return None
    best: Finding | None = None
    for name, touch in seen.account.places.items():
        there = seen.network(name)
        if name == network or not seen.placed(here) or not seen.placed(there):
            continue
        far = kilometres(here, there)
        hours = max(act.time - touch.time, 1.0) / 3600
        if far < DISTANCE or far / hours < SPEED:
            continue
        if seen.guards.virtual:
            same = touch.device == device
            for one in less_known(seen, network, name):
                one.jumped[seen.account.account] = act.time
                one.teleports = one.teleports or same or len(one.jumped) >= TELEPORTS
            if same or not seen.placed(here) or not seen.placed(there):
                continue
        strength = 1.0 if here.accuracy_km + there.accuracy_km < 0.5 * far else 0.4
        if best is None or strength > best.strength:
            best = Finding(
                strength, f"used at two places {far:.0f} km apart within {max(1, round(hours * 60))} minutes"
            )
    return best


def moved(seen: Seen, before: str, now: str) -> None:
    """Learn from a desktop that is seen far from where it was.

    One may travel once; several, or one again and again, mean that the line moved and they did not.
    """
    here, there = seen.network(now), seen.network(before)
    if not (seen.guards.virtual and seen.placed(here) and seen.placed(there)) or kilometres(here, there) < DISTANCE:
        return
    for one in less_known(seen, now, before):
        one.moved[seen.here] = one.moved.get(seen.here, 0) + 1
        one.teleports = len(one.moved) >= DESKTOPS or one.moved[seen.here] >= MOVES


def less_known(seen: Seen, one: str, other: str) -> list[NetworkMemory]:
    """Tell which of two addresses may be the wrong one: fewer of the account's other addresses are near it."""
    networks = seen.network(one), seen.network(other)
    rest = [seen.network(name) for name in seen.account.networks if name not in (one, other)]
    support = [
        (
            sum(1 for place in rest if place.latitude is not None and kilometres(network, place) < DISTANCE),
            len(network.users),
        )
        for network in networks
    ]
    if support[0] == support[1]:
        return list(networks)
    return [networks[0] if support[0] < support[1] else networks[1]]
