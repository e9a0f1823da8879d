"""Estimating the weights and the lines from labelled worlds.

Logistic regression of "shared" on how far each kind is saturated, at each account's three strongest moments. Weights
are never negative, drawn towards what was expected of the kind (ridge), and bounded by what a kind can mean at most, so
that a kind that no simulated innocent ever shows does not become proof. Accounts are weighted until 1 % are shared.
Lines lie where the estimate's own innocents cross them at the wanted rate; beyond what was seen, along an exponential
tail.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import exp, log

from idp.sharing import score, sharpening
from idp.sharing.detector import WARM_DAYS, Crossed, Detector
from idp.sharing.events import Event, Label
from idp.sharing.judge import MONTH
from idp.sharing.score import Weight
from idp.sharing.state import DAY, AccountMemory

BASE, RIDGE, ROUNDS, STEP = 0.01, 0.01, 600, 0.8
BOUND = {
    "role_split": (3.0, 4.5), "foreign_device": (3.5, 5.0), "slow_code": (1.5, 3.0), "two_hands": (4.0, 5.0),
    "absent_desktop": (3.0, 4.5), "handover": (2.5, 4.0), "two_places": (2.0, 3.5), "overlap": (1.0, 1.5),
    "device_spread": (1.0, 2.0), "hours_span": (0.2, 0.5), "report": (1.5, 2.5),
    "new_work": (3.0, 4.5), "hours_split": (2.0, 3.0),
    "strange_place": (3.0, 4.5), "strange_functions": (3.0, 4.5), "factor_change": (3.5, 5.0),
    "strange_journey": (2.5, 4.0),
}  # fmt: skip
"""Log-odds by kind: expected before anything is seen, and the most it may reach, whatever the simulated worlds say."""
RATES = {"notice": 8.0, "case": 0.3, "containment": 0.02}
"""False findings per 1,000 accounts a month that each line may cost."""
AIM = {"notice": 0.6, "case": 0.02, "containment": 0.3}
"""The lines are laid at this share of the allowed rates: other people's worlds are not these, and are odder."""

START_DAYS = {"sharing": 2.0, "takeover": 1.2}
"""Full-strength days after which a kind has given 63 %, before anything is sharpened."""

Amounts = dict[str, float]


@dataclass(slots=True)
class Recorder(Detector):
    """A detector that keeps, for every moment evidence was added, how much of each kind there was."""

    moments: dict[str, list[tuple[str, float, Amounts]]] = field(
        default_factory=lambda: {"sharing": [], "takeover": []}
    )

    def _crossed(self, account: AccountMemory, time: float) -> list[Crossed]:
        for what, by, found in (
            ("sharing", self.sharing, account.evidence),
            ("takeover", self.stranger, account.takeover),
        ):
            if found:
                amounts = {kind: score.amount(one, time, by.half_life_days) for kind, one in found.items()}
                self.moments[what].append((account.account, time, amounts))
        return []


def record(events: Iterable[Event]) -> Recorder:
    """Run one world and keep its moments."""
    recorder = Recorder()
    for event in events:
        recorder.feed(event)
    return recorder


@dataclass(slots=True)
class Sample:
    """What one or more worlds showed."""

    innocent: list[list[tuple[float, Amounts]]] = field(default_factory=list)
    """Each innocent account's moments."""
    shared: list[list[tuple[float, Amounts]]] = field(default_factory=list)
    """Each labelled account's moments within its time, in seconds since that began."""
    months: float = 0.0

    def add(self, recorder: Recorder, labels: Sequence[Label], *, what: str) -> None:
        """Take up one world's moments."""
        by_account: dict[str, list[tuple[float, Amounts]]] = {}
        for account, time, amounts in recorder.moments[what]:
            by_account.setdefault(account, []).append((time, amounts))
        labelled = {label.account: label for label in labels}
        for account, memory in recorder.memory.accounts.items():
            moments = by_account.get(account, [])
            label = labelled.get(account)
            if label is None:
                self.innocent.append(moments)
                self.months += max(0.0, memory.today.last - memory.first - WARM_DAYS * DAY) / MONTH
            elif label.label == what:
                within = [one for one in moments if label.begins <= one[0] <= label.ends]
                self.shared.append([(time - label.begins, amounts) for time, amounts in within])

    def merge(self, other: "Sample") -> None:
        """Take up what another sample holds."""
        self.innocent += other.innocent
        self.shared += other.shared
        self.months += other.months


def _features(amounts: Amounts, expected: dict[str, Weight]) -> list[float]:
    """Tell how far each kind is saturated; which side of one fact is the weaker is judged by what was expected."""
    given = score.weighed(amounts, expected)
    return [given.get(kind, 0.0) / one.most for kind, one in expected.items()]


def fit(sample: Sample, kinds: Sequence[str], days: float) -> tuple[float, dict[str, Weight]]:
    """Estimate the prior and each kind's log-odds, where each has given 63 % after so many full-strength days."""
    expected = {kind: Weight(BOUND[kind][0], days) for kind in kinds}
    rows: list[tuple[list[float], float, float]] = []
    quiet = 0.0
    for innocent in sample.innocent:
        top = sorted(innocent, key=lambda one: -sum(one[1].values()))[:3]
        rows += [(_features(amounts, expected), 0.0, 1 / len(top)) for _, amounts in top]
        quiet += not top
    rows.append(([0.0] * len(kinds), 0.0, quiet))
    silent = 0.0
    for moments in sample.shared:
        top_shared = sorted(moments, key=lambda one: -sum(one[1].values()))[:3]
        rows += [(_features(amounts, expected), 1.0, 1 / len(top_shared)) for _, amounts in top_shared]
        silent += not top_shared
    rows.append(([0.0] * len(kinds), 1.0, silent))
    total = {truth: sum(weight for _, is_so, weight in rows if is_so == truth) for truth in (0.0, 1.0)}
    share = {0.0: (1 - BASE) / total[0.0], 1.0: BASE / total[1.0]}
    prior, weights = log(BASE / (1 - BASE)), [BOUND[kind][0] for kind in kinds]
    speed_prior, speed = 0.0, [0.0] * len(kinds)
    for _ in range(ROUNDS):
        slope_prior, slope = 0.0, [0.0] * len(kinds)
        for values, truth, weight in rows:
            if not weight:
                continue
            sum_ = prior + sum(w * v for w, v in zip(weights, values, strict=True) if v)
            miss = (1 / (1 + exp(-sum_)) - truth) * weight * share[truth]
            slope_prior += miss
            for index, value in enumerate(values):
                if value:
                    slope[index] += miss * value
        # Heavy ball: the base rate makes every slope small.
        speed_prior = 0.9 * speed_prior - STEP * 4 * slope_prior
        prior += speed_prior
        for index, kind in enumerate(kinds):
            pull = slope[index] + RIDGE * BASE * (weights[index] - BOUND[kind][0])
            speed[index] = 0.9 * speed[index] - STEP * 40 * pull
            weights[index] = min(BOUND[kind][1], max(0.0, weights[index] + speed[index]))
    return prior, {kind: Weight(round(most, 2), days) for kind, most in zip(kinds, weights, strict=True)}


def sharpen(sample: Sample, fitted: dict[str, Weight], days: float) -> dict[str, Weight]:
    """Move weights to where the case line lies (sharpening.py), from what was fitted and from what was expected."""
    innocent = [[amounts for _, amounts in moments] for moments in sample.innocent]
    most = {kind: BOUND[kind][1] for kind in fitted}
    allowed = RATES["case"] * sample.months / 1000
    expected = {kind: Weight(BOUND[kind][0], days) for kind in fitted}
    starts = (fitted, expected)
    _, now = max(
        (sharpening.sharpened(innocent, sample.shared, start, most, allowed) for start in starts),
        key=lambda one: one[0],
    )
    return {kind: Weight(round(one.most, 2), round(one.days, 2)) for kind, one in now.items()}


def place(sample: Sample, prior: float, weights: dict[str, Weight]) -> dict[str, float]:
    """Lay the lines on the estimate's innocents."""
    placed: dict[str, float] = {}
    for band in score.BANDS:
        peaks: list[float] = []
        for innocent in sample.innocent:
            months: dict[int, float] = {}
            for time, amounts in innocent:
                given = score.weighed(amounts, weights)
                if score.agreed(given, weights) if band != "notice" else score.facts(given):
                    month = int(time // MONTH)
                    months[month] = max(months.get(month, -99.0), prior + sum(given.values()))
            peaks += months.values()
        peaks.sort(reverse=True)
        placed[band] = round(_line(peaks, AIM[band] * RATES[band] * sample.months / 1000, prior), 2)
    placed["case"] = max(placed["case"], placed["notice"] + 0.3)
    placed["containment"] = max(placed["containment"], placed["case"] + 0.7)
    return placed


def _line(peaks: list[float], allowed: float, prior: float) -> float:
    """Find the value that `allowed` of the peaks exceed; below one of them, along the tail of the highest."""
    top = peaks[: max(8, len(peaks) // 40)]
    if not top:
        return prior + 2.0
    rank = int(allowed)
    if rank >= 2:
        return peaks[min(rank, len(peaks) - 1)] + 0.01
    base = top[-1]
    excess = sum(value - base for value in top) / len(top)
    return max(base + excess * log(len(top) / max(allowed, 1e-6)), base)
