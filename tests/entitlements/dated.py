"""Dates, periods and places of a random world: mostly always and everywhere, now and then with an edge."""

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

Rows = dict[str, Any]
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
GRID = [datetime(2025, 2, 1, tzinfo=UTC) + timedelta(days=61 * n) for n in range(16)]
"""The days on which things turn; the last five lie ahead."""
PAST = [day for day in GRID if day < NOW]
OLD = datetime(2024, 1, 1, tzinfo=UTC)
PLACES = ("North", "South", "West")
"""Locations of every organization; delegations and their people may be good for some of them."""


def text(at: datetime) -> str:
    """Write a moment as the file and the question do."""
    return at.isoformat()


class Dated:
    """Throws the dice of one world."""

    def __init__(self, seed: int) -> None:
        self.r = Random(seed)  # noqa: S311 - a seed repeats a world
        self.where = Random(seed + 1_000_000)  # noqa: S311 - apart, so that a seed's world is otherwise the same

    def rarely(self, often: float = 0.15) -> bool:
        return self.r.random() < often

    def span(self, *, ended: bool = True, odd: float = 0.25) -> Rows:
        """Return dates: mostly always in force, now and then with edges on the grid."""
        if not self.rarely(odd):
            return {"from": text(OLD)}
        starts = self.r.choice([OLD, OLD, *GRID])
        made = {"from": text(starts)}
        later = [day for day in GRID if day > starts]
        if later and self.rarely(0.6):
            made["until"] = text(self.r.choice(later))
        past = [day for day in PAST if day > starts]
        if ended and past and self.rarely(0.4):
            made["ended"] = text(self.r.choice(past))
        return made

    def somewhere(self, often: float, within: list[str] | None = None) -> Rows:
        """Return `locations`, now and then: some of those given."""
        possible = list(PLACES) if within is None else within
        if self.where.random() >= often:
            return {} if within is None else {"locations": list(within)}
        return {"locations": sorted(self.where.sample(possible, self.where.randint(1, min(2, len(possible)))))}

    def spans(self, most: int = 2, **more: Any) -> list[Rows]:
        """Return one or two spans that begin at different moments."""
        found: dict[str, Rows] = {}
        for _ in range(self.r.randint(1, most)):
            span = {**self.span(), **more}
            found.setdefault(span["from"], span)
        return list(found.values())

    def history(self, what: str, good: Any, bad: list[Any]) -> Rows:
        """Return `history` with bad periods between good ones, or nothing."""
        if not self.rarely(0.35):
            return {}
        lines = [{"from": text(OLD), what: good}] if self.rarely(0.7) else []
        for day in sorted(self.r.sample(GRID, 2)):
            last = lines[-1][what] if lines else good
            lines.append({"from": text(day), what: self.r.choice(bad) if last == good else good})
        return {"history": lines}

    def turning(self, values: dict[str, list[Any]], often: float = 0.5) -> Rows:
        """Return `history` of several fields, each turning on its own days, or nothing."""
        lines: list[Rows] = []
        for name, possible in values.items():
            if self.rarely(often):
                days = sorted(self.r.sample([OLD, *GRID], self.r.randint(1, 3)))
                for n, day in enumerate(days):
                    section, _, field = name.rpartition(".")
                    said = {field: possible[n % len(possible)]}
                    lines.append({"from": text(day), **({section: said} if section else said)})
        self.r.shuffle(lines)
        return {"history": lines} if lines else {}
