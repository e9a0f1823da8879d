"""A small language for the tests: days at a clinic, told as events to one detector."""

from datetime import datetime
from zoneinfo import ZoneInfo

from idp.sharing.detector import Crossed, Detector
from idp.sharing.events import (
    Account,
    Device,
    Factor,
    FactorChange,
    Form,
    Leave,
    Network,
    Provider,
    Report,
    Request,
    SignIn,
    Use,
)
from idp.sharing.guards import ALL, Guards

ZONE = ZoneInfo("America/Chicago")
MONDAY = datetime(2026, 1, 5, tzinfo=ZONE)
HOUR = 3600.0


class Story:
    """Tell events in any order within a day; `tell()` feeds them in order of time."""

    def __init__(self, guards: Guards = ALL, *, shifts: tuple[int, ...] = ()) -> None:
        self.detector = Detector(guards=guards)
        self.detector.feed(Provider("clinic", "America/Chicago", shifts))
        self.site("site", 41.9, -87.6)
        self.pending: list[SignIn | Request | Factor | FactorChange | Report] = []
        self.crossed: list[Crossed] = []

    def site(self, name: str, latitude: float, longitude: float, use: Use = "fixed") -> None:
        self.detector.feed(Network(name, latitude, longitude, 10.0, use))

    def device(self, name: str, form: Form = "desktop") -> None:
        self.detector.feed(Device(name, form))

    def at(self, day: int, hour: float) -> float:
        from datetime import timedelta

        return (MONDAY + timedelta(days=day)).timestamp() + hour * HOUR

    def ask(self, day: int, hour: float, account: str, device: str, *functions: str, network: str = "site") -> None:
        at = self.at(day, hour)
        self.pending += [
            Request(at + index, account, device, network, name, "clinic")
            for index, name in enumerate(functions or ("eligibility",))
        ]

    def sign_in(
        self, day: int, hour: float, account: str, device: str, *, code: float = 10, network: str = "site"
    ) -> None:
        at = self.at(day, hour)
        self.pending.append(SignIn(at, account, device, network, "clinic"))
        self.pending.append(Factor(at + 1, account, device, network, "totp", code))

    def usual(
        self, days: range, account: str = "ana", device: str = "ana-pc", *functions: str, network: str = "site"
    ) -> None:
        """Work an ordinary day, 8 to 5, each day."""
        for day in days:
            self.sign_in(day, 8, account, device, network=network)
            for hour in (8.1, 9.3, 10.5, 11.7, 13.2, 14.4, 15.6, 16.8):
                self.ask(day, hour, account, device, *(functions or ("eligibility", "claim")), network=network)

    def marked(self, account: str, begins: int, ends: int) -> None:
        self.detector.feed(Account(account, "clinic", (0, 1, 2, 3, 4), begins, ends))

    def leave(self, account: str, first: int, last: int) -> None:
        self.detector.feed(Leave(account, self.at(first, 0), self.at(last, 0)))

    def tell(self) -> "Story":
        for event in sorted(self.pending, key=lambda one: one.time):
            self.crossed += self.detector.feed(event)
        self.pending = []
        return self

    def kinds(self, account: str = "ana") -> dict[str, float]:
        """Tell how much of each kind of evidence an account has, undecayed."""
        found = self.detector.memory.accounts[account].evidence
        return {kind: standing.amount for kind, standing in found.items()}
