"""Judge the sharing detector on worlds it was not fitted on: a table and a chart, or with each guard off in turn.

`python -m bench.sharing [accounts [days [seeds]]] [--guards] [--write]` prints Markdown; `--write` puts it into
docs/sharing.md and draws docs/pictures/sharing.svg.
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

FIRST_SEED = 1501
MARK = "<!-- {name} begin -->", "<!-- {name} end -->"
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


def figures(families: dict[str, Done], events: int, months: float) -> list[str]:
    """Write the tables of the detector with all its guards."""
    everything: Done = (lines(), lines())
    for done in families.values():
        for into, summed in zip(everything, done, strict=True):
            for band, line in summed.items():
                merge(into[band], line)
    families["all"] = everything
    sharing, takeover = everything
    text = [f"{len(families) - 1} families of worlds, {events:,} events.", "", HEAD]
    text += [row("**all**", band, line, months) for band, line in sharing.items()]
    for name, done in families.items():
        text += [row(name, band, done[0][band], months) for band in ("notice", "case") if name != "all"]
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
    return [
        *text,
        "",
        "Takeover, scored apart:",
        "",
        HEAD,
        *(row("all", band, line, months) for band, line in takeover.items()),
    ]


def merge(into: Line, line: Line) -> None:
    """Add one line's counts to another's."""
    into.found, into.false, into.other = into.found + line.found, into.false + line.false, into.other + line.other
    into.months += line.months
    into.lasting, into.once, into.delays = into.lasting + line.lasting, into.once + line.once, into.delays + line.delays
    for kind, hits in line.patterns.items():
        into.patterns[kind] = into.patterns.get(kind, []) + hits


def main() -> None:
    """Run the worlds and print what came out."""
    given = [int(value) for value in sys.argv[1:] if value.isdigit()]
    accounts, days, seeds = (given + [160, 60, 2][len(given) :])[:3]
    months, without = days / 30, ("", *NAMES) if "--guards" in sys.argv else ("",)
    made: dict[str, dict[str, Done]] = {off: {name: (lines(), lines()) for name in JUDGE} for off in without}
    events = 0
    with ProcessPoolExecutor(2) as pool:
        waiting = [
            (off, family, pool.submit(one, family, seed, accounts, days, off))
            for family in JUDGE
            for seed in range(FIRST_SEED, FIRST_SEED + seeds)
            for off in without
        ]
        for off, family, future in waiting:
            done = future.result()
            events += done[0].events
            add(done, made[off][family])
    name = "guards" if "--guards" in sys.argv else "figures"
    text = [f"{seeds} seed(s) of each family, {accounts} accounts, {days} days.", ""]
    if name == "figures":
        text += figures(made[""], events, months)
    else:
        text.append(HEAD.replace("| world |", "| guard off |", 1))
        for off, families in made.items():
            figures(families, events, months)
            text += [row(off or "(none)", band, families["all"][0][band], months) for band in ("notice", "case")]
    print("\n".join(text))
    if "--write" in sys.argv:
        write(name, text, made[""])


def write(name: str, text: list[str], families: dict[str, Done]) -> None:
    """Put a table into the page, and draw the chart."""
    page, (begin, end) = Path("docs/sharing.md"), (mark.format(name=name) for mark in MARK)
    before, rest = page.read_text(encoding="utf-8").split(begin)
    lines_ = "\n".join(text)
    page.write_text(f"{before}{begin}\n{lines_}\n{end}{rest.split(end)[1]}", encoding="utf-8")
    if name == "figures":
        bars = {}
        for world_, done in families.items():
            case, notice = done[0]["case"], done[0]["notice"]
            bars[world_] = (case.recall or 0.0, case.false_rate, notice.recall or 0.0)
        Path("docs/pictures/sharing.svg").write_text(chart(bars), encoding="utf-8")


if __name__ == "__main__":
    main()
