"""Planted takeovers: a stranger with the password, and sometimes with a code."""

from dataclasses import dataclass
from random import Random

from idp.sharing.events import Act, FactorChange
from idp.sharing.simulator.people import CITIES, ROLES, Builder, Person
from idp.sharing.simulator.work import ANY, HOUR, stint


@dataclass(slots=True)
class Stranger:
    """One taken login: whose, from where, from which day, for how long."""

    person: Person
    begins: int
    ends: int
    device: str
    network: str
    changes: bool


def plant(person: Person, pick: Random, built: Builder) -> Stranger:
    """Choose when and from where."""
    first = pick.randrange(18, max(19, built.parameters.days - 6))
    city = pick.choice([one for one in CITIES if one != person.clinic.city])
    network = built.network(city[0], city[1], use="unknown") if pick.random() < 0.6 else pick.choice(built.vpns)
    return Stranger(person, first, first + pick.randint(1, 4), built.device(), network, pick.random() < 0.5)


def day_of(into: list[Act], stranger: Stranger, day: int, midnight: float, pick: Random) -> None:
    """Make what the stranger does on one day: look at what is there, quickly."""
    if not stranger.begins <= day < stranger.ends:
        return
    person = stranger.person
    begins = midnight + pick.uniform(0, 24) * HOUR
    mix = {name: weight for name, weight in ANY.items() if name not in ROLES[person.role] or pick.random() < 0.3}
    stint(
        into, pick, person.account, stranger.device, stranger.network, person.clinic.name, mix, begins, begins + HOUR,
        bursts=80, delay=pick.uniform(5, 40) if person.code else 0.0,
    )  # fmt: skip
    if stranger.changes and day == stranger.begins:
        into.append(FactorChange(begins + 300, person.account, stranger.device, stranger.network, "added"))
