"""What a simulated world is like. Fitting and judging use different families of worlds."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from random import Random


@dataclass(slots=True, frozen=True)
class Parameters:
    """Shares are 0 to 1, of people unless said otherwise."""

    seed: int = 1
    accounts: int = 300
    days: int = 75
    clinic: tuple[int, int] = (4, 30)
    """Smallest and largest clinic, in people."""
    pool: float = 0.35
    float_staff: float = 0.06
    two_desks: float = 0.10
    split_desks: float = 0.3
    """Of those at two desks: each desk has its own kind of work."""
    remote_desktop: float = 0.08
    remote_unmarked: float = 0.2
    """Of remote desktops: the device says "desktop"."""
    phone: float = 0.4
    vpn: float = 0.12
    vpn_unmarked: float = 0.3
    vendors: float = 0.04
    travellers: float = 0.04
    shift_clinics: float = 0.3
    """Clinics that work in two shifts."""
    backup_line: float = 0.3
    """Clinics whose second line is placed in another state."""
    pairs: float = 0.05
    """Two people at one workstation, each with their own login."""
    cover: float = 0.04
    """A day on which one sits in at a colleague's desk with the own login, share of days."""
    refresh: float = 0.04
    """New computer, share of people in a month."""
    cookies: float = 0.03
    """People whose browser forgets, so that it is a new device every day."""
    leave: float = 0.25
    """People with one leave in the time."""
    peek: float = 0.25
    """Of those on leave: look in once from home."""
    overtime: float = 0.08
    code_seconds: tuple[float, float] = (6.0, 16.0)
    code_tail: float = 0.03
    push: float = 0.35
    marked_hours: float = 0.3
    bursts: float = 6.0
    stand_in: float = 0.4
    """Of those on leave: a colleague does their work too, at their desk."""
    new_role: float = 0.03
    """People who are given other work within the time; half of them get another computer with it."""
    late_desk: float = 0.03
    """People who from some day on spend the last hours of their day at another desk."""
    evening_desk: float = 0.01
    """People who from some day on work extra hours in the evening, at another desk of the clinic."""
    home_desk: float = 0.04
    """People who catch up in the evening at a computer at home; half of them from some day on."""
    shared: float = 0.06
    """Planted sharing, share of accounts (far more than real: figures are reweighted to 1 %)."""
    taken: float = 0.01
    strength: tuple[float, float] = (0.35, 0.9)
    """On what share of days lasting sharers share."""
    relay: float = 0.6
    """Of sharers: the code is told by phone."""
    outsider: float = 0.5
    """Of sharers: the other person has no login."""


RANGES: Mapping[str, tuple[float, float]] = {
    "pool": (0.05, 0.7), "float_staff": (0.03, 0.2), "two_desks": (0.05, 0.25), "split_desks": (0.2, 0.6),
    "remote_desktop": (0.03, 0.3), "remote_unmarked": (0.1, 0.5), "phone": (0.3, 0.7), "vpn": (0.05, 0.4),
    "vpn_unmarked": (0.2, 0.5), "vendors": (0.02, 0.15), "travellers": (0.02, 0.15), "shift_clinics": (0.1, 0.9),
    "backup_line": (0.2, 0.7), "pairs": (0.02, 0.2), "cover": (0.02, 0.1), "refresh": (0.02, 0.15),
    "cookies": (0.02, 0.1), "leave": (0.15, 0.4), "peek": (0.1, 0.6), "overtime": (0.04, 0.2),
    "code_tail": (0.02, 0.08), "push": (0.2, 0.6), "stand_in": (0.2, 0.6), "new_role": (0.02, 0.08),
    "late_desk": (0.02, 0.08), "evening_desk": (0.005, 0.025), "home_desk": (0.02, 0.1), "relay": (0.3, 0.7),
    "outsider": (0.35, 0.7), "bursts": (4.0, 9.0),
}  # fmt: skip
"""From where to where a drawn family's values lie, each drawn by itself."""


def drawn(number: int) -> Parameters:
    """Draw a family: what is fitted must hold in worlds of every mixture, those of eager and of seldom sharers too."""
    pick = Random(f"family {number}")
    values = {name: round(pick.uniform(*ends), 3) for name, ends in RANGES.items()}
    smallest, seldom = pick.choice((2, 4, 10, 30)), round(pick.uniform(0.15, 0.4), 2)
    largest, often = smallest * pick.randint(2, 5), round(pick.uniform(seldom + 0.2, 0.95), 2)
    return Parameters(clinic=(smallest, largest), strength=(seldom, often), **values)  # type: ignore[arg-type]


FIT = (
    Parameters(),
    Parameters(clinic=(2, 8), pool=0.15, pairs=0.15, two_desks=0.15, shift_clinics=0.1, phone=0.5, cookies=0.05),
    Parameters(clinic=(20, 80), pool=0.6, float_staff=0.12, shift_clinics=0.7, push=0.6, cover=0.06, late_desk=0.06),
    Parameters(
        remote_desktop=0.2,
        vpn=0.3,
        travellers=0.1,
        backup_line=0.5,
        vendors=0.1,
        code_tail=0.05,
        new_role=0.06,
        home_desk=0.08,
    ),
    *(drawn(number) for number in range(101, 109)),
)
"""The families of worlds the weights and lines are estimated on."""
JUDGE = {
    "hospital": Parameters(
        clinic=(60, 150),
        pool=0.75,
        float_staff=0.2,
        shift_clinics=0.9,
        push=0.5,
        cover=0.08,
        pairs=0.02,
        late_desk=0.08,
        stand_in=0.6,
    ),
    "solo practices": Parameters(
        clinic=(1, 5),
        pool=0.05,
        pairs=0.2,
        two_desks=0.25,
        split_desks=0.5,
        phone=0.7,
        leave=0.4,
        evening_desk=0.02,
        stand_in=0.2,
    ),
    "remote billing": Parameters(
        clinic=(8, 40),
        remote_desktop=0.35,
        remote_unmarked=0.4,
        vpn=0.45,
        vpn_unmarked=0.5,
        vendors=0.2,
        pool=0.1,
        bursts=9,
        home_desk=0.1,
        new_role=0.02,
    ),
    "restless": Parameters(
        travellers=0.15,
        refresh=0.15,
        cookies=0.1,
        backup_line=0.7,
        code_tail=0.08,
        overtime=0.2,
        cover=0.1,
        peek=0.6,
        new_role=0.08,
        evening_desk=0.02,
        stand_in=0.5,
        home_desk=0.06,
    ),
    "careful sharers": Parameters(strength=(0.15, 0.5), relay=0.3, outsider=0.7, bursts=4),
}
"""The families it is judged on: none of them was looked at by the estimate."""


def world(family: Parameters, *, seed: int, accounts: int, days: int) -> Parameters:
    """Return a family's parameters for one world."""
    return replace(family, seed=seed, accounts=accounts, days=days)
