"""Places on a drawing: moments on a line for each session or person, and lines between who acts and for whom.

Only numbers leave here; the templates write them into SVG, which needs neither a script nor a style.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

WIDTH = 1000
_LEFT, _RIGHT, _TOP, _LANE = 210, 20, 30, 34
_TICKS = 5
BAR, _EDGE = 320, 6
"""Length of a bar from 0 to 100, which a telephone shows whole, and what is left beside it."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One record on its lane."""

    x: float
    y: int
    kind: str
    """ok, bad or note: drawn as a dot, a cross or a ring, so that color is not all there is."""
    row: Any


@dataclass(frozen=True, slots=True)
class Shape:
    """How wide a drawing of lanes is, and where its names and times stand."""

    width: int
    left: int
    lane: int
    ticks: int
    above: int
    """How far above its line a lane's name stands; 0: beside it."""


BROAD = Shape(WIDTH, _LEFT, _LANE, _TICKS, 0)
SLIM = Shape(340, 8, 46, 2, 14)
"""For a phone: names above their lanes, three times, nothing to scroll."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """Lanes from top to bottom, moments from left to right."""

    height: int
    lanes: Sequence[tuple[int, str]]
    marks: Sequence[Mark]
    ticks: Sequence[tuple[float, datetime]]
    fine: bool = False
    """So short a time that its ticks need seconds."""
    shape: Shape = BROAD


def timeline(rows: Sequence[Any], lane_of: Any, shape: Shape = BROAD) -> Timeline:
    """Place records; `lane_of` says for a row on which lane it stands. Lanes come in order of their first record."""
    ordered = sorted(rows, key=lambda row: (row.at, row.seq))
    lanes: dict[str, int] = {}
    for row in ordered:
        lanes.setdefault(lane_of(row), _TOP + 20 + shape.above + shape.lane * len(lanes))
    first, last = ordered[0].at, ordered[-1].at
    span = max((last - first).total_seconds(), 1.0)
    room = shape.width - shape.left - (_RIGHT if shape is BROAD else shape.left)
    marks = [
        Mark(
            round(shape.left + (row.at - first).total_seconds() / span * room, 1),
            lanes[lane_of(row)],
            "bad" if row.outcome in ("deny", "refused", "failed") else "ok" if row.outcome == "permit" else "note",
            row,
        )
        for row in ordered
    ]
    ticks = [
        (round(shape.left + n / shape.ticks * room, 1), first + timedelta(seconds=span * n / shape.ticks))
        for n in range(shape.ticks + 1)
    ]
    height = _TOP + 30 + shape.lane * len(lanes)
    return Timeline(height, [(y, name) for name, y in lanes.items()], marks, ticks, fine=span < 3600, shape=shape)


@dataclass(frozen=True, slots=True)
class Link:
    """Somebody acted for somebody, so many times."""

    y1: int
    y2: int
    width: float
    who: str
    whom: str
    count: int


@dataclass(frozen=True, slots=True)
class Map:
    """Who acts, on the left; for whom, on the right."""

    height: int
    left: Sequence[tuple[int, str]]
    right: Sequence[tuple[int, str]]
    links: Sequence[Link]


def who_for_whom(counts: Sequence[tuple[str, str, int]]) -> Map:
    """Place (who, whom, how often), the most frequent first."""
    left: dict[str, int] = {}
    right: dict[str, int] = {}
    for who, whom, _ in counts:
        left.setdefault(who, _TOP + _LANE * len(left))
        right.setdefault(whom, _TOP + _LANE * len(right))
    most = max((count for _, _, count in counts), default=1)
    links = [
        Link(left[who], right[whom], round(1 + 7 * count / most, 1), who, whom, count) for who, whom, count in counts
    ]
    height = _TOP + _LANE * max(len(left), len(right), 1)
    return Map(height, [(y, n) for n, y in left.items()], [(y, n) for n, y in right.items()], links)


@dataclass(frozen=True, slots=True)
class Meter:
    """A score on a bar from 0 to 100, with the lines on it."""

    filled: float
    ticks: Sequence[tuple[float, str, int]]
    """Place, name and score of each line."""


def meter(score: int, lines: Mapping[str, int]) -> Meter:
    """Place a score and the lines on a bar."""
    return Meter(
        round(score / 100 * BAR, 1), [(round(_EDGE + at / 100 * BAR, 1), name, at) for name, at in lines.items()]
    )


@dataclass(frozen=True, slots=True)
class Scores:
    """Each day's highest score over time, and the lines."""

    height: int
    path: str
    points: Sequence[tuple[float, float, str, int]]
    """Where, which day, and the score."""
    lines: Sequence[tuple[float, str, int]]
    ticks: Sequence[tuple[float, date]]


def scores(days: Sequence[Any], lines: Mapping[str, int]) -> Scores:
    """Place days (each with `day` and `log_odds`), oldest first."""
    from idp.sharing.score import shown

    height, left = 260, 60
    room, deep = WIDTH - left - 130, height - 50
    dates = [date.fromisoformat(one.day) for one in days]
    first, last = dates[0], max(dates[-1], dates[0] + timedelta(days=7))
    span = (last - first).days

    def y(score: int) -> float:
        return round(20 + (100 - score) / 100 * deep, 1)

    points = [
        (round(left + (at - first).days / span * room, 1), y(shown(one.log_odds)), one.day, shown(one.log_odds))
        for one, at in zip(days, dates, strict=True)
    ]
    ticks = [(round(left + n / 4 * room, 1), first + timedelta(days=round(span * n / 4))) for n in range(5)]
    path = "M" + "L".join(f"{x} {high}" for x, high, _, _ in points)
    return Scores(height, path, points, [(y(at), name, at) for name, at in lines.items()], ticks)
