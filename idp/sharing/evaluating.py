"""`idp sharing evaluate` and `simulate`: files in, text out."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

import orjson

from idp.errors import Refused
from idp.sharing import reading
from idp.sharing.detector import Crossed, Detector, Score
from idp.sharing.events import Label
from idp.sharing.guards import ALL, NAMES
from idp.sharing.judge import MONTH, Line, Run, judge, lines, run

BASE = 0.01


def evaluate(events: Path, *, labels: Path | None, without: str, least: int, as_json: bool) -> Iterator[str]:
    """Run the detector over a file; tell each account's score at its highest line and, with labels, the figures.

    Raises `Unreadable` for a line that is not as described, `Refused` for an unknown guard.
    """
    if without and without not in NAMES:
        raise Refused(f'There is no guard "{without}". There are: {", ".join(NAMES)}.')
    truth = reading.labels(labels) if labels else None
    detector = Watching(guards=ALL.without(without) if without else ALL)
    done = run(detector, reading.events(events))
    scores = sorted(detector.peaks.values(), key=lambda one: (-one[1].log_odds, one[1].account, one[0].what))
    for crossed, score in scores:
        if score.score >= least:
            yield _json(crossed, score) if as_json else _text(crossed, score)
    quiet = len(done.first) - len({score.account for _, score in scores if score.score >= least})
    if not as_json:
        yield f"{done.events} events, {len(done.first)} accounts; {quiet} with nothing to tell."
    if truth is not None:
        yield from _figures(done, truth, as_json=as_json)


class Watching(Detector):
    """A detector that keeps each account's highest moment, with its reasons as they stood then."""

    def __init__(self, **given: object) -> None:
        super().__init__(**given)  # type: ignore[arg-type]
        self.peaks: dict[tuple[str, str], tuple[Crossed, Score]] = {}

    def _scored(self, account: str, what: str, time: float) -> None:
        now = self.standing(account, time, what)
        before = self.peaks.get((account, what))
        if before is None or now.log_odds > before[1].log_odds:
            self.peaks[account, what] = Crossed(time, account, what, now.band, now.score), now


def _text(crossed: Crossed, score: Score) -> str:
    when = reading.written(crossed.time)
    head = f"{score.account}  {crossed.what} {score.score}  {score.band or 'below every line'}  {when}"
    return "\n".join(
        [head, *(f"    +{one.log_odds:.1f} {one.kind}: {one.seen}{_days(one.days)}" for one in score.reasons)]
    )


def _days(days: int) -> str:
    return f" ({days} days)" if days > 1 else ""


def _json(crossed: Crossed, score: Score) -> str:
    told = {"account": score.account, "what": crossed.what, "time": reading.written(crossed.time), **asdict(score)}
    return orjson.dumps(told).decode()


def _figures(done: Run, truth: list[Label], *, as_json: bool) -> Iterator[str]:
    for what in ("sharing", "takeover"):
        judged = lines()
        judge(done, truth, judged, what=what)
        if as_json:
            yield orjson.dumps({"figures": what, "lines": {band: told(line) for band, line in judged.items()}}).decode()
        else:
            yield from (
                "",
                *table(what, judged, months=(done.until - min(done.first.values(), default=done.until)) / MONTH),
            )


def told(line: Line) -> dict[str, object]:
    """Tell a line's figures as plain data."""
    return {
        "found": line.found, "false": line.false, "other": line.other, "months": round(line.months, 2),
        "precision": line.precision, "recall_lasting": line.recall, "recall_once": line.recall_once,
        "false_per_1000_a_month": line.false_rate, "delay_days": line.delay,
        "kinds": {pattern: [sum(hits), len(hits)] for pattern, hits in line.patterns.items()},
    }  # fmt: skip


def table(what: str, judged: Mapping[str, Line], *, months: float) -> Iterator[str]:
    """Tell the figures as text."""
    yield f"{what}: line, precision here, at a base of 1 %, recall lasting, one-off, false per 1,000 a month, days"
    for band, line in judged.items():
        yield (
            f"  {band:12} {part(line.precision)} {part(line.precision_at(BASE, months))} {part(line.recall)}"
            f" {part(line.recall_once)} {line.false_rate:6.2f} {'-' if line.delay is None else f'{line.delay:.1f}':>6}"
            f"   ({line.found} found, {line.false} false, {line.other} of the other label)"
        )
    for band, line in judged.items():
        kinds = ", ".join(f"{pattern} {sum(hits)}/{len(hits)}" for pattern, hits in sorted(line.patterns.items()))
        yield f"  {band} by kind: {kinds or 'nothing labelled'}"


def part(value: float | None) -> str:
    """Write a share, or a dash where there is nothing to take a share of."""
    return "   -" if value is None else f"{value:4.2f}"


def simulate(out: Path, *, seed: int, accounts: int, days: int, family: str) -> str:
    """Write a world. Raises `Refused` for an unknown family."""
    from idp.sharing.simulator.parameters import FIT, JUDGE, world
    from idp.sharing.simulator.world import World, write

    families = {**{f"fit-{number}": one for number, one in enumerate(FIT, 1)}, **JUDGE}
    if family not in families:
        raise Refused(f'There is no family "{family}". There are: {", ".join(families)}.')
    made = World(world(families[family], seed=seed, accounts=accounts, days=days))
    events, labels = write(made, out)
    return f"Wrote {events} and {labels} ({len(made.labels)} labels)."
