"""Planted sharing of every kind."""

from dataclasses import dataclass
from random import Random

from idp.sharing.events import Act
from idp.sharing.simulator.parameters import Parameters
from idp.sharing.simulator.people import CITIES, ROLES, Builder, Person
from idp.sharing.simulator.work import HOUR, stint

PATTERNS = ("at_once", "in_turn", "shift_change", "office", "vendor", "leave", "assistant", "one_off")


@dataclass(slots=True)
class Sharer:
    """One shared login: whose, with whom, how and when."""

    person: Person
    pattern: str
    begins: int
    ends: int
    often: float
    relayed: bool
    hands: list[tuple[str, dict[str, float], str]]
    """The others: device, their mix of functions, and their network ("" for the clinic's)."""

    @property
    def lasting(self) -> bool:
        """Say whether it goes on, or happened once."""
        return self.pattern != "one_off"


def plant(person: Person, pattern: str, pick: Random, built: Builder) -> Sharer:
    """Choose who shares a person's login and from which day."""
    given = built.parameters
    first = pick.randrange(16, max(17, given.days - 35))
    last = given.days
    if pattern == "leave":
        first = pick.randrange(18, max(19, given.days - 16))
        last = first + 12
        person.off = (float(first), float(last))
    elif pattern == "one_off":
        last = first + pick.randint(1, 2)
    mates = [
        one for one in person.clinic.staff if one is not person and one.habit in ("desk", "two_desks") and one.desks
    ]
    hands: list[tuple[str, dict[str, float], str]] = []
    for _ in range(pick.randint(4, 7) if pattern == "office" else 1):
        role = pick.choice(list(ROLES))
        mix = {name: weight * pick.lognormvariate(0, 0.5) for name, weight in ROLES[role].items()}
        if pattern == "vendor":
            city = pick.choice([one for one in CITIES if one != person.clinic.city])
            hands.append((built.device(), mix, built.network(city[0], city[1], use="unknown")))
        elif mates and pick.random() >= given.outsider:
            mate = pick.choice(mates)
            hands.append((mate.desks[0], mate.mix, ""))
        else:
            hands.append((built.device(), mix, ""))
    often = 1.0 if pattern in ("leave", "one_off") else pick.uniform(*given.strength)
    return Sharer(person, pattern, first, last, often, pick.random() < given.relay, hands)


def shares(sharer: Sharer, day: int, pick: Random) -> bool:
    """Say whether the login is shared on a day."""
    weekend = day % 7 >= 5 and not sharer.person.clinic.shifts
    return sharer.begins <= day < sharer.ends and not weekend and pick.random() <= sharer.often


def day_of(into: list[Act], sharer: Sharer, day: int, midnight: float, pick: Random, given: Parameters) -> None:
    """Make what the others do with the login on one day."""
    if not shares(sharer, day, pick):
        return
    person = sharer.person
    opens, closes = midnight + person.begins * HOUR, midnight + (person.begins + person.hours) * HOUR
    for device, mix, network in sharer.hands:
        delay = 0.0
        if person.code:
            delay = pick.uniform(25, 100) if sharer.relayed else person.code * pick.lognormvariate(0, 0.3)
        begins = opens + pick.uniform(0.2, 3) * HOUR
        ends = begins + pick.uniform(1.5, 5) * HOUR
        if sharer.pattern == "in_turn":
            begins = (
                (closes + pick.uniform(0.2, 2) * HOUR) if pick.random() < 0.6 else opens - pick.uniform(1, 2.5) * HOUR
            )
            ends = begins + pick.uniform(0.7, 2) * HOUR
        elif sharer.pattern == "shift_change":
            latest = max((act.time for act in into if act.account == person.account), default=closes)
            begins = latest + pick.uniform(15, 110)
            ends = begins + pick.uniform(1, 6) * HOUR
        elif sharer.pattern == "assistant":
            begins, ends = opens + pick.uniform(0, 0.5) * HOUR, closes
        elif sharer.pattern == "one_off":
            ends = begins + pick.uniform(0.3, 2) * HOUR
        stint(
            into, pick, person.account, device, network or person.clinic.line, person.clinic.name, mix, begins, ends,
            bursts=given.bursts * (1.5 if sharer.pattern == "at_once" else 1), delay=delay,
        )  # fmt: skip
