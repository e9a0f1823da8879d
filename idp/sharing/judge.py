"""Judging a detector against labels: precision, recall, false findings and delay, per line and kind of sharing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median

from idp.sharing.detector import WARM_DAYS, Crossed, Detector
from idp.sharing.events import Event, Factor, FactorChange, Label, Report, Request, SignIn
from idp.sharing.score import BANDS
from idp.sharing.state import DAY

MONTH = 30 * DAY
AFTER = 14 * DAY
"""A finding still counts for sharing that ended this long ago: the evidence has not faded."""


@dataclass(slots=True)
class Run:
    """What came out of one file of events: the lines crossed, and for how long each account was seen."""

    crossed: list[Crossed] = field(default_factory=list)
    first: dict[str, float] = field(default_factory=dict)
    last: dict[str, float] = field(default_factory=dict)
    events: int = 0
    until: float = 0.0


def run(detector: Detector, events: Iterable[Event]) -> Run:
    """Feed a detector with everything and keep what it answered."""
    done = Run()
    for event in events:
        done.events += 1
        if isinstance(event, SignIn | Request | Factor | FactorChange | Report):
            done.first.setdefault(event.account, event.time)
            done.last[event.account] = done.until = event.time
        done.crossed += detector.feed(event)
    return done


@dataclass(slots=True)
class Line:
    """How one line did, summed over runs."""

    band: str
    found: int = 0
    lasting: list[bool] = field(default_factory=list)
    once: list[bool] = field(default_factory=list)
    false: int = 0
    other: int = 0
    """Findings on accounts of the other label: a takeover called sharing, or sharing called takeover."""
    months: float = 0.0
    """Months in which accounts that were never labelled were judged: from the end of their warm-up."""
    delays: list[float] = field(default_factory=list)
    patterns: dict[str, list[bool]] = field(default_factory=dict)

    @property
    def recall(self) -> float | None:
        """Share of lasting sharing that was found."""
        return sum(self.lasting) / len(self.lasting) if self.lasting else None

    @property
    def recall_once(self) -> float | None:
        """Share of one-off sharing that was found."""
        return sum(self.once) / len(self.once) if self.once else None

    @property
    def false_rate(self) -> float:
        """False findings per 1,000 accounts a month."""
        return 1000 * self.false / self.months if self.months else 0.0

    @property
    def precision(self) -> float | None:
        """Share of findings that are right, in this file."""
        total = self.found + self.false + self.other
        return self.found / total if total else None

    def precision_at(self, base: float, months: float) -> float | None:
        """Share of findings that would be right where `base` of accounts are shared, over so many months."""
        if self.recall is None:
            return None
        right, wrong = 1000 * base * self.recall, self.false_rate * months * (1 - base)
        return right / (right + wrong) if right + wrong else None

    @property
    def delay(self) -> float | None:
        """Median days from the beginning to the finding."""
        return median(self.delays) / DAY if self.delays else None


def lines(what: str = "sharing") -> dict[str, Line]:
    """Return empty lines to sum into."""
    return {band: Line(band) for band in BANDS}


def judge(done: Run, labels: Sequence[Label], into: dict[str, Line], *, what: str = "sharing") -> None:
    """Compare a run to its labels and sum into each line. A finding on one account counts once in 30 days."""
    mine = {label.account: label for label in labels if label.label == what}
    others = {label.account for label in labels if label.label != what} - mine.keys()
    innocent = (account for account in done.first if account not in mine and account not in others)
    seen = sum(max(0.0, done.last[one] - done.first[one] - WARM_DAYS * DAY) for one in innocent) / MONTH
    for rank, band in enumerate(BANDS):
        line = into[band]
        line.months += seen
        findings = [one for one in done.crossed if one.what == what and BANDS.index(one.band) >= rank]
        counted: dict[str, float] = {}
        hit: dict[str, float] = {}
        for one in findings:
            label = mine.get(one.account)
            if label and label.begins <= one.time <= label.ends + AFTER:
                hit.setdefault(one.account, one.time)
                continue
            if one.account in counted and one.time - counted[one.account] < MONTH:
                continue
            counted[one.account] = one.time
            if one.account in others:
                line.other += 1
            else:
                line.false += 1
        line.found += len(hit)
        for account, label in mine.items():
            got = account in hit
            (line.lasting if label.lasting else line.once).append(got)
            line.patterns.setdefault(label.pattern, []).append(got)
            if got and (label.lasting or what == "takeover"):
                line.delays.append(max(0.0, hit[account] - label.begins))
