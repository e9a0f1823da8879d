"""The detector: fed with events one by one, it answers with the accounts that crossed a line.

The seam for the service: `feed()` for each event in order of time, `standing()` for a case's evidence, `kept()` and
`restored()` for the state (plain JSON). The cost of an event does not grow with history: all memory is bounded.
"""

from dataclasses import dataclass, field

from pydantic import TypeAdapter

from idp.sharing import evidence, remember, score, takeover
from idp.sharing.events import (
    Account,
    Act,
    Device,
    Event,
    Factor,
    FactorChange,
    Leave,
    Network,
    Provider,
    Report,
    Request,
    SignIn,
)
from idp.sharing.guards import ALL, Guards
from idp.sharing.seen import Seen, local
from idp.sharing.state import DAY, LEAVES, AccountMemory, DeviceMemory, Memory, NetworkMemory, ProviderMemory

WARM_DAYS, WARM_SIGN_INS = 14, 10
FORGET_EVERY, FORGET_DAYS = 50_000, 90
_MEMORY: TypeAdapter[Memory] = TypeAdapter(Memory)


@dataclass(slots=True, frozen=True)
class Crossed:
    """An account reached a higher line."""

    time: float
    account: str
    what: str
    """`sharing` or `takeover`."""
    band: str
    score: int


@dataclass(slots=True, frozen=True)
class Reason:
    """One kind of evidence in a score: its log-odds now, on how many days, and what was seen last."""

    kind: str
    log_odds: float
    days: int
    seen: str


@dataclass(slots=True, frozen=True)
class Score:
    """An account's score with its reasons, strongest first."""

    account: str
    score: int
    log_odds: float
    band: str
    reasons: tuple[Reason, ...]


@dataclass(slots=True)
class Detector:
    """Holds the memory and the weights; see the module."""

    guards: Guards = ALL
    sharing: score.Weights = field(default_factory=score.weights)
    stranger: score.Weights = field(default_factory=lambda: score.weights("takeover"))
    memory: Memory = field(default_factory=Memory)
    acts: int = 0

    def feed(self, event: Event) -> list[Crossed]:
        """Take one event in; acts must come in order of time."""
        if isinstance(event, SignIn | Request | Factor | FactorChange | Report):
            return self._act(event)
        self._fact(event)
        return []

    def standing(self, account: str, at: float, what: str = "sharing") -> Score:
        """Explain an account's score at a time. Raises `KeyError` for an account never seen."""
        known = self.memory.accounts[account]
        by, found = (self.sharing, known.evidence) if what == "sharing" else (self.stranger, known.takeover)
        given = score.parts(found, at, by)
        reasons = [
            Reason(kind, part, found[kind].days, found[kind].seen) for kind, part in given.items() if part >= 0.05
        ]
        total = by.prior + sum(given.values())
        band = score.band(given, by, corroborated=self.guards.corroboration)
        return Score(account, score.shown(total), total, band, tuple(sorted(reasons, key=lambda one: -one.log_odds)))

    def kept(self) -> bytes:
        """Return the whole memory as JSON."""
        return _MEMORY.dump_json(self.memory)

    def restored(self, kept: bytes) -> None:
        """Take up a memory that `kept()` returned."""
        self.memory = _MEMORY.validate_json(kept)

    def _fact(self, fact: Provider | Device | Network | Account | Leave) -> None:
        memory = self.memory
        if isinstance(fact, Provider):
            provider = memory.providers.setdefault(fact.provider, ProviderMemory())
            provider.time_zone, provider.shifts = fact.time_zone, fact.shifts
        elif isinstance(fact, Device):
            device = memory.devices.setdefault(fact.device, DeviceMemory())
            device.form, device.declared = fact.form, fact.pool
        elif isinstance(fact, Network):
            network = memory.networks.setdefault(fact.network, NetworkMemory())
            network.latitude, network.longitude = fact.latitude, fact.longitude
            if fact.latitude is None or fact.longitude is None:
                network.latitude = network.longitude = None
            network.accuracy_km, network.use = fact.accuracy_km, fact.use
        elif isinstance(fact, Account):
            account = memory.accounts.setdefault(fact.account, AccountMemory(fact.account))
            account.provider = fact.provider or account.provider
            account.weekdays = fact.weekdays
            account.begins = -1 if fact.begins is None else fact.begins
            account.ends = -1 if fact.ends is None else fact.ends
        else:
            account = memory.accounts.setdefault(fact.account, AccountMemory(fact.account))
            account.leaves = [*account.leaves[-(LEAVES - 1) :], (fact.begins, fact.ends, fact.provider or "")]

    def _forget(self, before: float) -> None:
        """Drop desktops that nobody has used for long: browsers that forget leave one a day."""
        devices = self.memory.devices
        old = [
            name
            for name, device in devices.items()
            if device.form in ("desktop", "unknown")
            and not device.declared
            and device.users
            and all(user.last < before for user in device.users.values())
        ]
        for name in old:
            del devices[name]

    def _act(self, act: Act) -> list[Crossed]:
        self.acts += 1
        if self.acts % FORGET_EVERY == 0:
            self._forget(act.time - FORGET_DAYS * DAY)
        account = self.memory.accounts.get(act.account)
        if account is None:
            account = self.memory.accounts[act.account] = AccountMemory(act.account)
        if not account.provider and isinstance(act, SignIn | Request):
            account.provider = act.provider or ""
        provider = self.memory.providers.get(account.provider)
        if provider is None:
            provider = self.memory.providers[account.provider] = ProviderMemory()
        day, minute = local(provider.time_zone, act.time)
        seen = Seen(act, account, self.memory, self.guards, provider, day, minute)
        if account.first == 0.0:
            account.first = act.time
        looked = False
        if isinstance(act, Report):
            looked = self._look(seen, evidence.REPORT)
        elif isinstance(act, Request):
            if not act.interactive:
                return []
            self._day(seen)
            if self._warm(account, act.time):
                looked = self._look(seen, evidence.REQUEST)
            remember.request(seen, remember.presence(seen))
        else:
            self._day(seen)
            kinds = evidence.SIGN_IN if isinstance(act, SignIn) else evidence.FACTOR
            if self._warm(account, act.time):
                looked = self._look(seen, kinds)
            own = remember.presence(seen)
            if isinstance(act, SignIn):
                account.sign_ins += 1
            elif isinstance(act, Factor):
                remember.factor(seen, own)
        return self._crossed(account, act.time) if looked else []

    def _day(self, seen: Seen) -> None:
        today, zone = seen.account.today, seen.provider.time_zone
        if today.day == seen.day:
            return
        worked = today.day >= 0 and today.last > today.first
        minutes = (local(zone, today.first)[1], local(zone, today.last)[1]) if worked else None
        remember.day_begins(seen, minutes)

    def _warm(self, account: AccountMemory, time: float) -> bool:
        """Say whether enough is known of an account to judge it."""
        if not self.guards.warm_up:
            return True
        return time - account.first >= WARM_DAYS * DAY and account.sign_ins >= WARM_SIGN_INS

    def _look(self, seen: Seen, kinds: tuple[tuple[str, evidence.Look], ...]) -> bool:
        added, time = False, seen.act.time
        for kind, look in kinds:
            found = look(seen)
            if found is not None:
                new = score.add(
                    seen.account.evidence, kind, found, time=time, day=seen.day, half_life=self.sharing.half_life_days
                )
                added |= new
                if new:
                    self._noted(seen, "sharing", kind)
        if kinds is not evidence.REPORT:
            for kind, look in takeover.LOOK:
                found = look(seen)
                if found is not None:
                    new = score.add(
                        seen.account.takeover,
                        kind,
                        found,
                        time=time,
                        day=seen.day,
                        half_life=self.stranger.half_life_days,
                    )
                    added |= new
                    if new:
                        self._noted(seen, "takeover", kind)
        return added

    def _noted(self, seen: Seen, what: str, kind: str) -> None:
        """Hear of each piece of evidence that was added; for those who keep what it rests on."""

    def _scored(self, account: str, what: str, time: float) -> None:
        """Hear of each moment at which a score may have risen; for those who watch."""

    def _crossed(self, account: AccountMemory, time: float) -> list[Crossed]:
        crossed = []
        for what, by, found in (
            ("sharing", self.sharing, account.evidence),
            ("takeover", self.stranger, account.takeover),
        ):
            if not found:
                continue
            given = score.parts(found, time, by)
            now = score.band(given, by, corroborated=self.guards.corroboration)
            self._scored(account.account, what, time)
            before = account.band if what == "sharing" else account.takeover_band
            if score.BANDS.index(now) > score.BANDS.index(before) if now and before else now:
                crossed.append(Crossed(time, account.account, what, now, score.shown(by.prior + sum(given.values()))))
            if what == "sharing":
                account.band = now
            else:
                account.takeover_band = now
        return crossed
