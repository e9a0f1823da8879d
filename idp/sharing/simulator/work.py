"""A day's innocent work: stints at devices, made of bursts of requests."""

from random import Random

from idp.sharing.events import Act, Factor, Report, Request, SignIn
from idp.sharing.simulator.parameters import Parameters
from idp.sharing.simulator.people import ROLES, Builder, Person

HOUR = 3600.0


def stint(
    into: list[Act], pick: Random, account: str, device: str, network: str, provider: str, mix: dict[str, float],
    begins: float, ends: float, *, bursts: float, delay: float, signs_in: bool = True,
) -> None:  # fmt: skip
    """Sign in at a device and work there: `bursts` in eight hours, each a few requests seconds apart."""
    at = begins
    if signs_in:
        into.append(SignIn(at, account, device, network, provider))
        method = "totp" if delay else "push"
        into.append(Factor(at, account, device, network, method, round(delay or pick.uniform(3, 20), 1)))  # type: ignore[arg-type]
        at += delay + pick.uniform(1, 6)
    names, weights = list(mix), list(mix.values())
    while at < ends:
        for function in pick.choices(names, weights, k=pick.randint(1, 5)):
            into.append(Request(at, account, device, network, function, provider))
            at += pick.uniform(1.5, 14)
        if pick.random() < 0.2:
            into.append(Request(at, account, device, network, "inbox.refresh", provider, interactive=False))
        at += pick.expovariate(bursts / (8 * HOUR))


def delay_of(person: Person, pick: Random, given: Parameters) -> float:
    """Tell how long this person's code takes today; now and then they are called away."""
    if not person.code:
        return 0.0
    usual = person.code * pick.lognormvariate(0, 0.3)
    return usual * pick.uniform(3, 12) if pick.random() < given.code_tail else usual


def works(person: Person, day: int, pick: Random, given: Parameters) -> bool:
    """Say whether the person works on a day of the world (day 0 is a Monday)."""
    if person.off and person.off[0] <= day < person.off[1]:
        return False
    if person.clinic.shifts:
        return pick.random() < 0.5
    return (day % 7 < 5 or pick.random() < 0.02) and pick.random() < 0.95


def day_of(into: list[Act], person: Person, day: int, midnight: float, pick: Random, built: Builder) -> None:
    """Make one person's innocent day."""
    given, clinic = built.parameters, person.clinic
    network = clinic.backup if Random(f"{given.seed} {clinic.name} {day}").random() < 0.15 else clinic.line
    if not works(person, day, pick, given):
        if person.off and person.off[0] + 2 <= day < person.off[1] and pick.random() < given.peek / 5:
            at = midnight + pick.uniform(9, 20) * HOUR
            device = person.phone or person.laptop or person.desks[0]
            _work(into, pick, person, device, person.home, person.mix, at, at + 400, given)
        return
    begins = midnight + (person.begins + pick.gauss(0, 0.15)) * HOUR
    ends = (
        begins
        + (person.hours + pick.gauss(0, 0.2) + (pick.uniform(1, 4) if pick.random() < given.overtime else 0)) * HOUR
    )
    if person.laptop and pick.random() < 0.2:
        _away(into, person, day, begins, ends, pick, built, _todays(person, day))
    else:
        _habit(into, person, day, begins, ends, network, pick, built)
    if person.phone and pick.random() < 0.4:
        at = pick.uniform(begins, ends + 3 * HOUR)
        where = person.home if pick.random() < 0.3 else pick.choice(built.carriers)
        _work(into, pick, person, person.phone, where, {"eligibility": 1, "inbox": 2}, at, at + 300, given)


def _work(
    into: list[Act], pick: Random, person: Person, device: str, network: str, mix: dict[str, float],
    begins: float, ends: float, given: Parameters, *, provider: str = "",
) -> None:  # fmt: skip
    stint(
        into, pick, person.account, device, network, provider or person.clinic.name, mix, begins, ends,
        bursts=given.bursts, delay=delay_of(person, pick, given),
    )  # fmt: skip


def _habit(
    into: list[Act], person: Person, day: int, begins: float, ends: float, network: str, pick: Random, built: Builder
) -> None:
    """Work as this person does."""
    extras: list[Act] = []
    usual: list[Act] = []
    mix, ends = _extras(extras, person, day, begins, ends, network, pick, built)
    _usual(usual, person, day, begins, ends, network, pick, built, mix)
    into += _one_desk_at_a_time(extras, usual)


def _one_desk_at_a_time(extras: list[Act], usual: list[Act]) -> list[Act]:
    """Leave out of the usual work what one person could not have done while at another desk."""
    stays: list[tuple[float, float, str]] = []
    for act in extras:
        if isinstance(act, SignIn):
            stays.append((act.time, act.time, act.device))
        elif isinstance(act, Request):
            begins, _, device = stays[-1]
            stays[-1] = (begins, act.time, device)
    return extras + [
        act
        for act in usual
        if not any(begins <= act.time <= ends and device != _device(act) for begins, ends, device in stays)
    ]


def _device(act: Act) -> str:
    return "" if isinstance(act, Report) else act.device


def _usual(
    into: list[Act], person: Person, day: int, begins: float, ends: float, network: str, pick: Random, built: Builder,
    mix: dict[str, float],
) -> None:  # fmt: skip
    """Work as this person usually does."""
    given, clinic, desks = built.parameters, person.clinic, person.desks
    if person.renewed and day >= person.renewed[0] and person.habit == "desk":
        desks = [person.renewed[1]]
    if person.habit == "cookies":
        desks = [built.device()]
    if pick.random() < given.cover and len(clinic.staff) > 1 and person.habit == "desk":
        desks = [*desks, pick.choice(clinic.staff).desks[0]]
    near = [one for one in built.clinics if one.city == clinic.city and one is not clinic]
    if person.habit == "float" and near:
        other = near[day % len(near)]
        middle = begins + pick.uniform(0.3, 0.7) * (ends - begins)
        _work(into, pick, person, desks[0], network, person.mix, begins, middle - 1800, given)
        there = pick.choice(other.pool or [desks[0]])
        _work(into, pick, person, there, other.line, person.mix, middle, ends, given, provider=other.name)
    elif person.habit == "remote":
        at = begins
        while at < ends:
            until = min(ends, at + pick.uniform(0.2, 2) * HOUR)
            _work(into, pick, person, pick.choice((desks[0], person.remote)), person.home, person.mix, at, until, given)
            at = until
    elif person.habit == "vendor":
        at = begins
        for provider in pick.sample(built.clinics, min(3, len(built.clinics))):
            until = at + (ends - begins) / 3
            _work(into, pick, person, desks[0], person.home, person.mix, at, until, given, provider=provider.name)
            at = until
    else:
        if person.changed and person.changed[2] and day >= person.changed[0]:
            desks = [person.changed[2]]
        _desks(into, person, desks, begins, ends, network, pick, given, mix)


def _extras(
    into: list[Act], person: Person, day: int, begins: float, ends: float, network: str, pick: Random, built: Builder
) -> tuple[dict[str, float], float]:
    """Do what is not the usual day: other work, other desks, a colleague's work. Return today's work, and its end."""
    given, mix = built.parameters, _todays(person, day)
    if person.changed and day >= person.changed[0]:
        since, _, computer = person.changed
        if computer and day < since + 6:  # the old work is handed over, at the old desk
            at = pick.uniform(begins, ends - HOUR)
            _work(into, pick, person, person.desks[0], network, person.mix, at, at + HOUR, given)
    for first, last, desk, theirs in person.covers:
        if first <= day < last:
            for _ in range(pick.randint(1, 2)):
                at = pick.uniform(begins, ends - HOUR)
                _work(into, pick, person, desk, network, theirs, at, at + pick.uniform(0.5, 2) * HOUR, given)
    if person.evening and day >= person.evening[0] and pick.random() < 0.5:
        at = ends + pick.uniform(0.05, 1) * HOUR
        _work(into, pick, person, person.evening[1], network, mix, at, at + pick.uniform(0.7, 2.5) * HOUR, given)
    if person.at_home and day >= person.at_home[0] and pick.random() < 0.3:
        at = ends + pick.uniform(1, 3) * HOUR
        _work(into, pick, person, person.at_home[1], person.home, mix, at, at + pick.uniform(0.3, 1.5) * HOUR, given)
    if person.late and day >= person.late[0] and pick.random() < 0.6:
        leaves = ends - pick.uniform(1, 3) * HOUR
        _work(into, pick, person, person.late[1], network, mix, leaves, ends, given)
        return mix, leaves - 60
    return mix, ends


def _desks(
    into: list[Act],
    person: Person,
    desks: list[str],
    begins: float,
    ends: float,
    network: str,
    pick: Random,
    given: Parameters,
    mix: dict[str, float],
) -> None:
    """Work at one desk, or go between several."""
    at = begins
    while at < ends:
        until = min(ends, at + (pick.uniform(0.2, 2.5) if len(desks) > 1 else pick.uniform(2, 5)) * HOUR)
        which = pick.randrange(len(desks))
        today = _half(mix, which, pick) if person.habit == "split_desks" else mix
        _work(into, pick, person, desks[which], network, today, at, until, given)
        at = until + pick.choice((20.0, 60.0, 600.0))


def _half(mix: dict[str, float], which: int, pick: Random) -> dict[str, float]:
    """Take the work of one desk: mostly every second function, seldom something else."""
    return {
        name: weight * (1.0 if index % 2 == which % 2 else 0.08) for index, (name, weight) in enumerate(mix.items())
    }


def _todays(person: Person, day: int) -> dict[str, float]:
    """Tell today's work: who changed jobs does the new one, and a little of the old one."""
    if not person.changed or day < person.changed[0]:
        return person.mix
    return {**{name: 0.1 * weight for name, weight in person.mix.items()}, **person.changed[1]}


def _away(
    into: list[Act], person: Person, day: int, begins: float, ends: float, pick: Random, built: Builder,
    mix: dict[str, float],
) -> None:  # fmt: skip
    """Work from a laptop: from home through the VPN and beside it, or from a hotel."""
    given = built.parameters
    if pick.random() < given.travellers * 3:
        city = pick.choice([(41.9, -87.6), (29.8, -95.4), (47.6, -122.3)])
        networks = [built.network(*city, use="unknown", accuracy=50.0)]
        begins += 4 * HOUR
    else:
        networks = [pick.choice(built.vpns), person.home]
    at = begins
    while at < ends:
        until = min(ends, at + pick.uniform(1, 4) * HOUR)
        _work(into, pick, person, person.laptop, pick.choice(networks), mix, at, until, given)
        at = until + 60


ANY = {name: weight for mix in ROLES.values() for name, weight in mix.items()}
