"""A whole world in order of time, and its labels; and both as files."""

from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import orjson

from idp.sharing.events import Act, Event, Label, Report
from idp.sharing.seen import local
from idp.sharing.simulator import sharers, strangers, work
from idp.sharing.simulator.parameters import Parameters
from idp.sharing.simulator.people import Builder

START = datetime(2026, 1, 5, tzinfo=UTC).timestamp()
"""A Monday. Daylight saving begins within the first nine weeks."""
DAY = 86_400.0
MOMENTS = ("time", "begins", "ends")


class World:
    """One simulated world: `labels` first, then `events()` once."""

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        self.built = Builder(parameters, START)
        pick = self.built.random
        facts = self.built.facts
        self.built.facts = []
        self.people = self.built.people()
        chosen = pick.sample(self.people, round(parameters.accounts * (parameters.shared + parameters.taken)))
        cut = round(parameters.accounts * parameters.shared)
        marks = self.built.facts
        self.built.facts = []
        self.sharers = [
            sharers.plant(person, sharers.PATTERNS[index % len(sharers.PATTERNS)], pick, self.built)
            for index, person in enumerate(chosen[:cut])
        ]
        self.strangers = [strangers.plant(person, pick, self.built) for person in chosen[cut:]]
        self.facts = [*facts, *marks, *self.built.facts, *self._planted_leave()]
        self.built.facts = []

    def _planted_leave(self) -> list[Event]:
        from idp.sharing.events import Leave

        return [
            Leave(one.person.account, START + one.begins * DAY, START + one.ends * DAY)
            for one in self.sharers
            if one.pattern == "leave"
        ]

    @property
    def labels(self) -> list[Label]:
        """Say what was planted."""
        return [
            Label(
                one.person.account,
                "sharing",
                one.pattern,
                START + one.begins * DAY,
                START + one.ends * DAY,
                one.lasting,
            )
            for one in self.sharers
        ] + [
            Label(
                one.person.account,
                "takeover",
                "takeover",
                START + one.begins * DAY,
                START + one.ends * DAY,
                lasting=False,
            )
            for one in self.strangers
        ]

    def events(self) -> Iterator[Event]:
        """Make the events, day by day."""
        yield from self.facts
        given = self.parameters
        waiting: list[Act] = []
        for day in range(given.days):
            for person in self.people:
                pick = Random(f"{given.seed} {person.account} {day}")
                work.day_of(waiting, person, day, _midnight(person.clinic.city[2], day), pick, self.built)
            for sharer in self.sharers:
                pick = Random(f"{given.seed} s{sharer.person.account} {day}")
                zone = sharer.person.clinic.city[2]
                own = [act for act in waiting if act.account == sharer.person.account] if sharer.begins <= day else []
                before = len(own)
                sharers.day_of(own, sharer, day, _midnight(zone, day), pick, given)
                waiting += own[before:]
                self._reported(waiting, sharer, day, pick)
            for stranger in self.strangers:
                pick = Random(f"{given.seed} t{stranger.person.account} {day}")
                strangers.day_of(waiting, stranger, day, _midnight(stranger.person.clinic.city[2], day), pick)
            self._mistaken(waiting, day)
            yield from self.built.facts
            self.built.facts = []
            until = START + day * DAY  # a day at a place west of Greenwich begins and ends later
            waiting.sort(key=lambda act: act.time)
            cut = next((index for index, act in enumerate(waiting) if act.time >= until), len(waiting))
            yield from waiting[:cut]
            waiting = waiting[cut:]
        yield from waiting

    def _reported(self, waiting: list[Act], sharer: sharers.Sharer, day: int, pick: Random) -> None:
        if sharer.begins < day < sharer.ends and pick.random() < 0.004:
            waiting.append(Report(START + (day + 1) * DAY, sharer.person.account, "colleague"))

    def _mistaken(self, waiting: list[Act], day: int) -> None:
        """Report somebody innocent now and then."""
        pick = Random(f"{self.parameters.seed} reports {day}")
        if pick.random() < len(self.people) * 0.00005:
            waiting.append(Report(START + (day + 1) * DAY, pick.choice(self.people).account, "colleague"))


def _midnight(zone: str, day: int) -> float:
    """Tell when a day of the world begins at a place."""
    noon = START + day * DAY + DAY / 2
    return noon - local(zone, noon)[1] * 60 - (noon % 60)


def line(event: Event | Label) -> bytes:
    """Write one event or label as a line of JSON."""
    told: dict[str, object] = {}
    for field in fields(event):
        value = getattr(event, field.name)
        if field.name in MOMENTS and isinstance(value, float):
            value = datetime.fromtimestamp(value, UTC).isoformat(timespec="milliseconds")
        elif field.name in MOMENTS and isinstance(value, int):
            value = f"{value // 60:02d}:{value % 60:02d}"
        told[field.name] = value
    return orjson.dumps(told) + b"\n"


def write(world: World, into: Path) -> tuple[Path, Path]:
    """Write `events.jsonl` and `labels.jsonl`."""
    into.mkdir(parents=True, exist_ok=True)
    events, labels = into / "events.jsonl", into / "labels.jsonl"
    with events.open("wb") as file:
        file.writelines(line(event) for event in world.events())
    with labels.open("wb") as file:
        file.writelines(line(label) for label in world.labels)
    return events, labels
