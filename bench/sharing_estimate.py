"""Estimate the weights of the sharing detector on the fitting worlds.

`python -m bench.sharing_estimate [accounts [days [seeds]]] [--takeover]` writes idp/sharing/weights.json: those of
sharing, with `--takeover` those of takeover instead. The worlds of `JUDGE` are never looked at here.
"""

import json
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path

from idp.sharing import evidence, takeover
from idp.sharing.estimate import START_DAYS, Sample, fit, place, record, sharpen
from idp.sharing.simulator.parameters import FIT, world
from idp.sharing.simulator.world import World

FIRST_SEED = 11
VERSION = "2026-11-23.3"
KINDS = {"sharing": (evidence.KINDS, 14), "takeover": (takeover.KINDS, 3)}


def one(number: int, seed: int, accounts: int, days: int) -> dict[str, Sample]:
    """Run one fitting world."""
    made = World(world(FIT[number], seed=seed + 100 * number, accounts=accounts, days=days))
    recorded = record(made.events())
    samples = {what: Sample() for what in KINDS}
    for what, sample in samples.items():
        sample.add(recorded, made.labels, what=what)
    return samples


def samples(accounts: int, days: int, seeds: int) -> dict[str, Sample]:
    """Run the fitting worlds."""
    made = {what: Sample() for what in KINDS}
    with ProcessPoolExecutor(2) as pool:
        waiting = [
            pool.submit(one, number, seed, accounts, days)
            for number in range(len(FIT))
            for seed in range(FIRST_SEED, FIRST_SEED + seeds)
        ]
        for future in waiting:
            for what, sample in future.result().items():
                made[what].merge(sample)
    return made


def estimated(made: dict[str, Sample], before: dict[str, object], how: str, wanted: str) -> dict[str, object]:
    """Estimate one part from what the worlds showed; the other stays as it was."""
    written = {**before, "version": VERSION, "how": how}
    for what, (kinds, half_life) in KINDS.items():
        if what != wanted:
            continue
        prior, weights = fit(made[what], kinds, START_DAYS[what])
        if what == "sharing":  # takeovers are too few to sharpen on
            weights = sharpen(made[what], weights, START_DAYS[what])
        lines = place(made[what], prior, weights)
        if what == "sharing":  # even odds are shown where a case begins
            prior, lines = prior - lines["case"], {band: round(at - lines["case"], 2) for band, at in lines.items()}
        written[what] = {
            "prior": round(prior, 2),
            "half_life_days": half_life,
            "kinds": {kind: asdict(one) for kind, one in weights.items()},
            "lines": lines,
        }
        print(
            what, f"{made[what].months:.0f} innocent account-months, {len(made[what].shared)} labelled", written[what]
        )
    return written


def main() -> None:
    """Run the worlds and write what came out."""
    given = [int(value) for value in sys.argv[1:] if value.isdigit()]
    accounts, days, seeds = (given + [160, 60, 3][len(given) :])[:3]
    how = (
        f"{len(FIT)} families of worlds, {seeds} seeds from {FIRST_SEED}, {accounts} accounts and {days} days each; "
        "docs/sharing.md"
    )
    page = Path("idp/sharing/weights.json")
    before = json.loads(page.read_text(encoding="utf-8"))
    wanted = "takeover" if "--takeover" in sys.argv else "sharing"
    written = estimated(samples(accounts, days, seeds), before, how, wanted)
    page.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
