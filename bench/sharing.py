"""Judge the sharing detector on worlds it was not fitted on, with every guard off in turn; a table and a chart.

`python -m bench.sharing [accounts [days [seeds]]]` prints Markdown; `--write` puts it into docs/sharing.md and draws
docs/pictures/sharing.svg. Guards are judged on the first seed of each family.
"""

import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from bench.sharing_chart import chart
from idp.sharing.detector import Detector
from idp.sharing.evaluating import BASE, part
from idp.sharing.guards import ALL, NAMES
from idp.sharing.judge import Line, Run, judge, lines, run
from idp.sharing.simulator.parameters import JUDGE, world
from idp.sharing.simulator.world import World

FIRST_SEED = 901
MARKS = "<!-- figures begin: python -m bench.sharing --write -->", "<!-- figures end -->"
Done = tuple[dict[str, Line], dict[str, Line]]


def one(family: str, seed: int, accounts: int, days: int, without: str) -> tuple[Run, list[object]]:
    """Run one world."""
    made = World(world(JUDGE[family], seed=seed, accounts=accounts, days=days))
    return run(Detector(guards=ALL.without(without) if without else ALL), made.events()), list(made.labels)


def add(done: tuple[Run, list[object]], into: Done) -> None:
    """Sum one run into the lines of both scores."""
    for what, summed in zip(("sharing", "takeover"), into, strict=True):
        judge(done[0], done[1], summed, what=what)  # type: ignore[arg-type]


def row(name: str, band: str, line: Line, months: float) -> str:
    """Write one line of a table."""
    delay = "-" if line.delay is None else f"{line.delay:.1f}"
    return (
        f"| {name} | {band} | {part(line.recall)} | {part(line.recall_once)} | {line.false} / {line.months:.0f} |"
        f" {line.false_rate:.2f} | {part(line.precision)} | {part(line.precision_at(BASE, months))} | {delay} |"
    )


HEAD = (
    "| world | line | recall lasting | one-off | false / account-months | false per 1,000 a month | precision here |"
    " precision at 1 % | median days |\n|---|---|---|---|---|---|---|---|---|"
)


def main() -> None:
    """Run everything and print it."""
    given = [int(value) for value in sys.argv[1:] if value.isdigit()]
    accounts, days, seeds = (given + [240, 60, 1][len(given) :])[:3]
    months = days / 30
    with ProcessPoolExecutor(2) as pool:
        waiting = {
            (family, seed, without): pool.submit(one, family, seed, accounts, days, without)
            for without in ("", *NAMES)
            for family in JUDGE
            for seed in range(FIRST_SEED, FIRST_SEED + (1 if without else seeds))
        }
        families: dict[str, Done] = {name: (lines(), lines()) for name in JUDGE}
        guards: dict[str, Done] = {name: (lines(), lines()) for name in ("", *NAMES)}
        everything: Done = (lines(), lines())
        events = 0
        for (family, seed, without), future in waiting.items():
            done = future.result()
            if not without:
                events += done[0].events
                add(done, families[family])
                add(done, everything)
            if seed == FIRST_SEED:
                add(done, guards[without])
    sharing, takeover = everything
    text = [
        f"{len(JUDGE)} families, {seeds} seed(s) each, {accounts} accounts, {days} days: {events:,} events.",
        "",
        HEAD,
    ]
    text += [row("**all**", band, line, months) for band, line in sharing.items()]
    text += [row(name, band, done[0][band], months) for name, done in families.items() for band in ("notice", "case")]
    text += [
        "",
        "By kind of sharing (found / planted):",
        "",
        "| kind | notice | case | containment |",
        "|---|---|---|---|",
    ]
    for kind in sorted(sharing["case"].patterns):
        cells = [f"{sum(line.patterns[kind])} / {len(line.patterns[kind])}" for line in sharing.values()]
        text.append(f"| {kind} | {' | '.join(cells)} |")
    text += ["", "With one guard off (first seed of each family):", "", HEAD.replace("| world |", "| guard off |", 1)]
    for name, done in guards.items():
        text += [row(name or "(none)", band, done[0][band], months) for band in ("notice", "case")]
    text += ["", "Takeover, scored apart:", "", HEAD]
    text += [row("all", band, line, months) for band, line in takeover.items()]
    print("\n".join(text))
    if "--write" in sys.argv:
        page = Path("docs/sharing.md")
        before, rest = page.read_text(encoding="utf-8").split(MARKS[0])
        body = "\n".join(text)
        page.write_text(f"{before}{MARKS[0]}\n{body}\n{MARKS[1]}{rest.split(MARKS[1])[1]}", encoding="utf-8")
        bars = {}
        for name, done in {"all": everything, **families}.items():
            case, notice = done[0]["case"], done[0]["notice"]
            bars[name] = (case.recall or 0.0, case.false_rate, notice.recall or 0.0)
        Path("docs/pictures/sharing.svg").write_text(chart(bars), encoding="utf-8")


if __name__ == "__main__":
    main()
