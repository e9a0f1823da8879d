"""Estimate the weights of the sharing detector on the fitting worlds.

`python -m bench.sharing_estimate [accounts [days]]` writes idp/sharing/weights.json. The worlds of `JUDGE` are never
looked at here.
"""

import json
import sys
from pathlib import Path

from idp.sharing import evidence, takeover
from idp.sharing.estimate import Sample, fit, place, record
from idp.sharing.simulator.parameters import FIT, world
from idp.sharing.simulator.world import World

SEEDS = (11, 12)
VERSION = "2026-11-22"
KINDS = {"sharing": (evidence.KINDS, 14), "takeover": (takeover.KINDS, 3)}


def samples(accounts: int, days: int) -> dict[str, Sample]:
    """Run the fitting worlds."""
    made = {what: Sample() for what in KINDS}
    for number, family in enumerate(FIT):
        for seed in SEEDS:
            one = World(world(family, seed=seed + 100 * number, accounts=accounts, days=days))
            recorded = record(one.events())
            for what, sample in made.items():
                sample.add(recorded, one.labels, what=what)
    return made


def estimated(made: dict[str, Sample], how: str) -> dict[str, object]:
    """Estimate from what the worlds showed."""
    written: dict[str, object] = {"version": VERSION, "how": how}
    for what, (kinds, half_life) in KINDS.items():
        prior, weights = fit(made[what], kinds)
        lines = place(made[what], prior, weights)
        written[what] = {"prior": round(prior, 2), "half_life_days": half_life, "kinds": weights, "lines": lines}
        print(
            what, f"{made[what].months:.0f} innocent account-months, {len(made[what].shared)} labelled", written[what]
        )
    return written


def main() -> None:
    """Run the worlds and write what came out."""
    accounts = int(sys.argv[1]) if len(sys.argv) > 1 else 250
    days = int(sys.argv[2]) if len(sys.argv) > 2 else 60
    how = f"{len(FIT)} families of worlds, seeds {SEEDS}, {accounts} accounts and {days} days each; docs/sharing.md"
    written = estimated(samples(accounts, days), how)
    Path("idp/sharing/weights.json").write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
