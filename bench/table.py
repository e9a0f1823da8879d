"""The figures of the entitlement engine in one table: what, goal, reached, yes or no.

    python -m bench.table [--keep FOLDER] [--decisions N] [--quick] [--postgres SERVER]

Takes about ten minutes on two quiet cores, and ends after thirty-five whatever happens: each part has its own limit,
and what did not end says so in its row. 6 GiB of disk in FOLDER (a temporary one otherwise) hold the ten million
grants. Each part is a process of its own, so that none measures another's memory. `--decisions` is how many
decisions the storms compare on each database (a million: about ten minutes each); `--quick` leaves out ten million.
With `--postgres` the decisions in process are also measured there: ten million grants take about ten minutes to write.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent
FEW, SOME, MOST = 1_000, 100_000, 10_000_000
CEDAR = 1_000_000
FULL = "all it remembers, MiB"


@dataclass(frozen=True, slots=True)
class Goal:
    """One promise; `least` where more is better."""

    what: str
    wanted: float
    found: float | None
    least: bool = False
    unit: str = ""

    @property
    def reached(self) -> str:
        """Say whether it was kept."""
        if self.found is None:
            return "not measured"
        return "yes" if (self.found >= self.wanted if self.least else self.found <= self.wanted) else "NO"

    def line(self) -> str:
        """Return the row."""
        goal = f"{'at least' if self.least else 'at most'} {self.wanted:,.6g}{self.unit}"
        found = "-" if self.found is None else f"{self.found:,.2f}{self.unit}"
        return f"{self.what:<74} {goal:>20} {found:>14}  {self.reached}"


def run(limit: float, *words: str, **environment: str) -> str | None:
    """Run one part; return what it printed, or None when it failed or its minutes were over (it says why)."""
    began = time.monotonic()
    env = {**os.environ, "PYTHONPATH": str(HOME), **environment}
    try:
        done = subprocess.run(  # noqa: S603 - our own modules
            [sys.executable, *words], cwd=HOME, env=env, timeout=60 * limit, capture_output=True, text=True, check=False
        )
    except subprocess.TimeoutExpired:
        sys.stderr.write(f"{' '.join(words)}: not done after {limit:g} minutes\n")
        return None
    said = done.stdout + done.stderr
    sys.stderr.write(f"{' '.join(words)}: {time.monotonic() - began:.0f} s\n")
    if done.returncode:
        sys.stderr.write(said[-2000:] + "\n")
        return None
    return said


def _json(limit: float, home: Path, module: str, *words: str) -> dict[str, dict[str, float]]:
    """Run a part that writes its figures to a file; return them, nothing where it did not end."""
    there = home / f"{module}.json"
    if run(limit, "-m", f"bench.{module}", *words, "--json", str(there)) is None:
        return {}
    found: dict[str, dict[str, float]] = json.loads(there.read_text())
    return found


def _ratio(rows: dict[str, dict[str, float]], over: tuple[int, str], under: tuple[int, str]) -> float | None:
    upper, lower = rows.get(str(over[0]), {}).get(over[1]), rows.get(str(under[0]), {}).get(under[1])
    return upper / lower if upper and lower else None


def in_process(rows: dict[str, dict[str, float]], most: int, where: str = "") -> list[Goal]:
    """Return what the engine's figures say of the promises."""
    ways = ("remembered", "function, first time", "person, first time", "person and practice, first time")
    made = [
        Goal(f"a decision at {most:,} grants / at 1,000{where}: {way}", 1.25, _ratio(rows, (most, way), (FEW, way)))
        for way in ways
    ]
    query = "one indexed query"
    for size in (FEW, most):
        for way, goal in zip(ways[:3], (1.0, 2.0, 2.0), strict=True):
            found = _ratio(rows, (size, way), (size, query))
            made.append(Goal(f"{way} / one indexed query, {size:,} grants{where}", goal, found))
    for way, goal in zip(ways[:3], (25_000, 10_000, 10_000), strict=True):
        found = _ratio(rows, (SOME, "plain pycasbin"), (SOME, way))
        if not where:
            made.append(Goal(f"plain pycasbin / {way}, {SOME:,} grants", goal, found, least=True))
    for sought in ("subject", "resource", "action"):
        for more in ("", ", first time"):
            took = rows.get(str(most), {}).get(f"search {sought}{more}")
            found = took / 1000 if took else None
            made.append(
                Goal(f"search {sought}{more}, complete, {most:,} grants{where}: median", 1.0, found, unit=" ms")
            )
    return made


def over_http(rows: dict[str, dict[str, float]], most: int) -> list[Goal]:
    """Return what a served worker's figures say."""
    one = "evaluation, ms"
    made = [Goal(f"evaluation over HTTP at {most:,} grants / at 1,000", 1.1, _ratio(rows, (most, one), (FEW, one)))]
    for way in ("", "16 at once: "):
        asked = (most, f"{way}{one}")
        found = _ratio(rows, asked, (most, f"{way}empty route, ms"))
        made.append(Goal(f"{way}evaluation / empty route, SQLite", 2.0, found))
        for whom in ("one person", "as many"):
            found = _ratio(rows, asked, (most, f"{way}of a batch of 50 about {whom}, ms"))
            made.append(Goal(f"{way}evaluation / each of a batch of 50 about {whom}", 5.0, found, least=True))
    start, memory = "worker's CPU to its first answer, s", "worker's memory after start, MiB"
    few, many = rows.get(str(FEW), {}), rows.get(str(most), {})
    for what, name, goal, unit in (
        ("worker start", start, 1.0, " s more"),
        ("worker's memory", memory, 50.0, " MiB more"),
    ):
        found = many[name] - few[name] if name in many and name in few else None
        made.append(Goal(f"{what} at {most:,} grants", goal, found, unit=unit))
    return made


def cedar(rows: dict[str, dict[str, float]], said: str | None, most: int) -> list[Goal]:
    """Return how far ahead of cedarpy we are; ours holds a memory of decisions, measured as what a worker grows by."""
    theirs: dict[str, float] = json.loads(said.strip().splitlines()[-1]) if said else {}
    ours = rows.get(str(most), {}).get("remembered")
    speed = theirs["decision"] / ours if theirs and ours else None
    held = rows.get(str(most), {}).get(FULL)
    memory = theirs["held"] / held if theirs and held else None
    return [
        Goal(f"cedarpy, all in memory / remembered at {most:,} grants: time", 5.0, speed, least=True),
        Goal("the same: memory, ours being all a worker remembers", 20.0, memory, least=True),
    ]


def storms(decisions: int) -> list[Goal]:
    """Return the stale decisions of four workers whose writer is killed, on both databases."""
    made = []
    for engine in ("sqlite", "postgres"):
        words = ("-m", "pytest", "-n", "0", "-m", "faults", "-s", "tests/faults/test_revoking.py")
        minutes = max(2.0, decisions / 50_000)
        limits = {"IDP_LONG_DECISIONS": str(decisions), "IDP_LONG_MINUTES": str(minutes)}
        said = run(minutes + 2, *words, "-k", f"stale_after and {engine}", **limits) or ""
        found = re.search(r"([\d,]+) decisions, .*?([\d,]+) stale, ([\d,]+) late", said)
        stale = float(found[2].replace(",", "")) + float(found[3].replace(",", "")) if found else None
        told = found[1] if found else "0"
        made.append(Goal(f"stale or late of {told} decisions, four workers, writer killed, {engine}", 0, stale))
    return made


def roster() -> list[Goal]:
    """Return what a page of a big practice's roster costs, as a rule."""
    said = run(5, "-m", "bench.roster") or ""
    found = re.findall(r"2,000 people, (\w+ page) +best +([\d.]+) ms, usual +([\d.]+)", said)
    pages = {name: float(usual) for name, _, usual in found}
    return [
        Goal(f"roster of 2,000, {name}, as a rule", 30.0, pages.get(name), unit=" ms")
        for name in ("first page", "last page", "searched page")
    ]


def main() -> int:
    """Measure and print; the exit status is 0 when every part was measured, kept or not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", type=Path, help="a folder whose databases are filled once and kept")
    parser.add_argument("--decisions", type=int, default=50_000)
    parser.add_argument("--quick", action="store_true", help="100,000 grants in place of ten million, cedarpy likewise")
    parser.add_argument("--postgres", help="a server such as postgresql://postgres@127.0.0.1:5432")
    given = parser.parse_args()
    most, size = (SOME, SOME) if given.quick else (MOST, CEDAR)
    goals: list[Goal] = []
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        keep = given.keep or home
        keep.mkdir(parents=True, exist_ok=True)
        sizes = ",".join(str(one) for one in sorted({FEW, SOME, most}))
        engine = _json(10, home, "engine", "--sizes", sizes, "--keep", str(keep))
        goals += in_process(engine, most)
        goals += over_http(_json(5, home, "scale", "--sizes", f"{FEW},{most}", "--keep", str(keep)), most)
        goals += cedar(engine, run(5, "-m", "bench.cedar", str(size)), most)
        goals += storms(given.decisions)
        goals += roster()
        if given.postgres:
            words = ("--sizes", f"{FEW},{most}", "--keep", str(keep), "--postgres", given.postgres)
            goals += in_process(_json(20, home, "engine", *words), most, ", PostgreSQL")
    print(f"{'what':<74} {'goal':>20} {'reached':>14}")
    for goal in goals:
        print(goal.line())
    kept = sum(goal.reached == "yes" for goal in goals)
    took = f"{(time.monotonic() - began) / 60:.0f} minutes, load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores"
    print(f"{kept} of {len(goals)} kept; {took}")
    return int(any(goal.found is None for goal in goals))


if __name__ == "__main__":
    sys.exit(main())
