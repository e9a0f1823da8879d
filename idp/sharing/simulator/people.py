"""Clinics, staff, devices and networks of a simulated world."""

from dataclasses import dataclass, field
from random import Random

from idp.sharing.events import Account, Device, Event, Form, Leave, Network, Provider, Use
from idp.sharing.simulator.parameters import Parameters

ROLES: dict[str, dict[str, float]] = {
    "desk": {"eligibility": 6, "benefits": 3, "referral.read": 2, "card": 1, "claim.read": 0.4},
    "billing": {"claim.read": 6, "remittance": 3, "claim.submit": 2, "appeal": 1, "eligibility": 0.7},
    "clinician": {"prior_auth": 4, "notes": 3, "referral.submit": 2, "eligibility": 1},
    "manager": {"reports": 3, "people": 2, "claim.read": 1, "eligibility": 1, "benefits": 0.5},
}
CITIES = (
    (41.9, -87.6, "America/Chicago"), (40.7, -74.0, "America/New_York"), (39.7, -105.0, "America/Denver"),
    (34.1, -118.2, "America/Los_Angeles"), (29.8, -95.4, "America/Chicago"), (33.7, -84.4, "America/New_York"),
    (33.4, -112.1, "America/Phoenix"), (47.6, -122.3, "America/Los_Angeles"),
)  # fmt: skip


@dataclass(slots=True)
class Clinic:
    """A provider with its city, its lines and its shared workstations."""

    name: str
    city: tuple[float, float, str]
    line: str
    backup: str
    shifts: bool
    pool: list[str] = field(default_factory=list)
    staff: list["Person"] = field(default_factory=list)


@dataclass(slots=True)
class Person:
    """Somebody with a login, how they work, and what they work on."""

    account: str
    clinic: Clinic
    role: str
    mix: dict[str, float]
    begins: float
    """Hour of the day at which work begins."""
    hours: float
    desks: list[str]
    home: str
    habit: str
    code: float
    """Seconds a code usually takes; 0 for push."""
    phone: str = ""
    laptop: str = ""
    remote: str = ""
    partner: "Person | None" = None
    off: tuple[float, float] | None = None
    """Days of leave, from and until."""
    renewed: tuple[int, str] | None = None
    """The day of the new computer, and it."""
    changed: tuple[int, dict[str, float], str] | None = None
    """The day of other work, its mix, and the computer that comes with it ("" where none does)."""
    late: tuple[int, str] | None = None
    """From which day the last hours are spent at another desk."""
    evening: tuple[int, str] | None = None
    """From which day extra hours are worked at another desk."""
    at_home: tuple[int, str] | None = None
    """From which day a computer at home is used in the evening."""
    covers: list[tuple[float, float, str, dict[str, float]]] = field(default_factory=list)
    """Whose leave is covered: from and until, their desk, their work."""


class Builder:
    """Builds the people of a world; collects the facts to be written first."""

    def __init__(self, parameters: Parameters, start: float) -> None:
        self.parameters, self.start, self.random = parameters, start, Random(parameters.seed)
        self.facts: list[Event] = []
        self.count = 0
        vpn_use: Use = "vpn"
        self.vpns = [
            self.network(39.0, -77.5, use="unknown" if self.random.random() < parameters.vpn_unmarked else vpn_use)
            for _ in range(3)
        ]
        self.carriers = [self.network(*city[:2], use="carrier", accuracy=300.0) for city in CITIES[:4]]
        self.clinics: list[Clinic] = []

    def device(self, form: Form = "desktop") -> str:
        """Make a device."""
        self.count += 1
        self.facts.append(Device(f"d{self.count}", form))
        return f"d{self.count}"

    def network(self, latitude: float, longitude: float, *, use: Use = "fixed", accuracy: float = 20.0) -> str:
        """Make a network."""
        self.count += 1
        spread = self.random.gauss
        self.facts.append(
            Network(f"n{self.count}", latitude + spread(0, 0.1), longitude + spread(0, 0.1), accuracy, use)
        )
        return f"n{self.count}"

    def near(self, clinic: Clinic) -> str:
        """Make a home line near a clinic."""
        return self.network(clinic.city[0], clinic.city[1], use="unknown", accuracy=30.0)

    def people(self) -> list[Person]:
        """Build clinics until the world has its accounts."""
        made: list[Person] = []
        while len(made) < self.parameters.accounts:
            made += self._clinic(
                min(self.random.randint(*self.parameters.clinic), self.parameters.accounts - len(made)), len(made)
            )
        self._habits(made)
        for person in made:
            marked = self.random.random() < self.parameters.marked_hours
            begins, ends = round(person.begins * 60) % 1440, round((person.begins + person.hours) * 60) % 1440
            days = () if person.clinic.shifts else (0, 1, 2, 3, 4)
            self.facts.append(
                Account(person.account, person.clinic.name, days, begins, ends)
                if marked
                else Account(person.account, person.clinic.name)
            )
            if person.off:
                self.facts.append(
                    Leave(person.account, self.start + person.off[0] * 86_400, self.start + person.off[1] * 86_400)
                )
        return made

    def _clinic(self, size: int, number: int) -> list[Person]:
        pick, given = self.random, self.parameters
        city = pick.choice(CITIES)
        line = self.network(*city[:2])
        far = pick.choice([one for one in CITIES if one != city])
        backup = self.network(*far[:2], use="unknown") if pick.random() < given.backup_line else line
        clinic = Clinic(
            f"p{len(self.clinics) + 1}", city, line, backup, size >= 6 and pick.random() < given.shift_clinics
        )
        self.clinics.append(clinic)
        self.facts.append(Provider(clinic.name, city[2]))
        clinic.pool = [self.device() for _ in range(max(2, size // 4))] if size >= 4 else []
        for index in range(size):
            role = pick.choices(list(ROLES), (4, 3, 3, 1))[0]
            mix = {name: weight * pick.lognormvariate(0, 0.5) for name, weight in ROLES[role].items()}
            early = 7.0 if clinic.shifts else pick.choice((7.5, 8.0, 8.5, 9.0))
            person = Person(
                f"a{number + index + 1}", clinic, role, mix, 19.0 if clinic.shifts and index % 2 else early,
                12.0 if clinic.shifts else 8.5, [self.device()], self.near(clinic), "desk",
                0.0 if pick.random() < given.push else pick.uniform(*given.code_seconds),
            )  # fmt: skip
            clinic.staff.append(person)
        return clinic.staff

    def _habits(self, people: list[Person]) -> None:
        """Give each person one habit of working, and the things that go with it."""
        pick, given = self.random, self.parameters
        for person in people:
            shares = (
                ("pool", given.pool if person.clinic.pool else 0.0), ("float", given.float_staff),
                ("two_desks", given.two_desks), ("remote", given.remote_desktop), ("vendor", given.vendors),
                ("pair", given.pairs), ("cookies", given.cookies),
            )  # fmt: skip
            roll = pick.random()
            for habit, share in shares:
                roll -= share
                if roll < 0:
                    person.habit = habit
                    break
            self._equip(person)
            if pick.random() < given.phone:
                person.phone = self.device("phone")
            if pick.random() < given.vpn or pick.random() < given.travellers:
                person.laptop = self.device()
            if pick.random() < given.leave:
                first = pick.uniform(20, max(21, given.days - 12))
                person.off = (float(int(first)), float(int(first) + pick.choice((5, 7, 14))))
            self._turns(person)
            if pick.random() < given.refresh * given.days / 30:
                person.renewed = (pick.randrange(15, max(16, given.days)), self.device())

    def _turns(self, person: Person) -> None:
        """Decide what changes for a person within the time, all of it innocent."""
        pick, given = self.random, self.parameters
        if person.habit not in ("desk", "two_desks", "pool"):
            return
        if pick.random() < given.new_role:
            role = pick.choice([one for one in ROLES if one != person.role])
            mix = {name: weight * pick.lognormvariate(0, 0.5) for name, weight in ROLES[role].items()}
            person.changed = (pick.randrange(5, given.days), mix, self.device() if pick.random() < 0.5 else "")
        if pick.random() < given.late_desk:
            person.late = (pick.randrange(0, given.days), self.device())
        if pick.random() < given.evening_desk:
            person.evening = (pick.randrange(0, given.days), self.device())
        if pick.random() < given.home_desk:
            person.at_home = (pick.choice((0, pick.randrange(0, given.days))), self.device())
        mates = [one for one in person.clinic.staff if one is not person and one.habit in ("desk", "two_desks")]
        if person.off and mates and person.habit == "desk" and pick.random() < given.stand_in:
            pick.choice(mates).covers.append((*person.off, person.desks[0], person.mix))

    def _equip(self, person: Person) -> None:
        pick, given = self.random, self.parameters
        if person.habit == "pool":
            person.desks = person.clinic.pool
        elif person.habit == "two_desks":
            person.desks.append(self.device())
            if pick.random() < given.split_desks:
                person.habit = "split_desks"
        elif person.habit == "remote":
            person.remote = self.device("desktop" if pick.random() < given.remote_unmarked else "remote_desktop")
        elif person.habit == "pair":
            mates = [
                one for one in person.clinic.staff if one is not person and one.habit == "desk" and one.partner is None
            ]
            if not mates:
                person.habit = "desk"
                return
            person.partner, mates[0].partner = mates[0], person
            person.desks, mates[0].habit = mates[0].desks, "pair"
