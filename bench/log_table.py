"""The figures of log, revocation and detection in one table: `python -m bench.log_table`, at most twelve minutes.

Each line is one of the other measurements in a short form, run as a process of its own and stopped at its limit; what
did not end in time says so. `make faults KILLS=200 DEATHS=200` has the deaths, `bench.log_search` the searches of five
million records: both take longer than a table should.
"""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class _Line:
    what: str
    goal: str
    command: str
    seconds: int
    found: str
    """What to look for in what it printed; each find is a figure."""
    reached: Callable[[list[float]], bool]


def _most(limit: float) -> Callable[[list[float]], bool]:
    return lambda found: max(found) <= limit


def _least(limit: float) -> Callable[[list[float]], bool]:
    return lambda found: min(found) >= limit


_COST = "log_cost --turns 2 --seconds 4"
_LINES = (
    _Line("the record's share of a grant's CPU, %", "at most 25", _COST, 150, r"both: .*: (-?\d+) % more", _most(25)),
    _Line("16 writers, sealed / unsealed, %", "at least 80", _COST, 150, r"unsealed: (\d+) %", _least(80)),
    _Line(
        "seal lag p99, ms (SQLite, PostgreSQL; 1 and 4 workers)", "at most 250", "seal_lag --seconds 5", 120,
        r"p99 +(\d+) ms", _most(250),
    ),
    _Line(
        "verify the live log, records/s (SQLite, PostgreSQL)", "at least 200,000", "log_verify --records 40000", 180,
        r"live .*5000 a batch +([\d,]+)/s", _least(200_000),
    ),
    _Line(
        "verify an export, records/s", "at least 200,000", "log_verify --records 40000", 180,
        r"export .*5000 a batch +([\d,]+)/s", _least(200_000),
    ),
    _Line(
        "revoked to last yes, p99, ms (500, 20 apps, 4 workers)", "at most 250", "revoking --revocations 500", 120,
        r"last yes of an app +.*p99 (\d+) ms", _most(250),
    ),
    _Line("yes later than 1 s", "0", "revoking --revocations 500", 120, r"yes later than 1.0 s +(\d+)", _most(0)),
    _Line(
        "detector, CPU microseconds an event, each 100,000 of 300,000", "at most 1,000, flat",
        "sharing_cost 300000", 120, r"events: +([\d.]+) µs", _most(1000),
    ),
)  # fmt: skip


def _printed(command: str, seconds: int) -> str | None:
    words = [sys.executable, "-m", *f"bench.{command}".split()]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=seconds, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        return None
    return done.stdout + done.stderr


def main() -> int:
    """Measure and print; exit status 1 where a goal was not reached."""
    said: dict[str, str | None] = {}
    missed = 0
    print(f"{'what':66} {'goal':20} reached", flush=True)
    for line in _LINES:
        if line.command not in said:
            said[line.command] = _printed(line.command, line.seconds)
        printed = said[line.command]
        found = [float(one.replace(",", "")) for one in re.findall(line.found, printed or "")]
        good = bool(found) and line.reached(found)
        missed += not good
        figures = ", ".join(f"{one:,.0f}" for one in found) or (
            f"not ended in {line.seconds} s" if printed is None else "not measured"
        )
        print(f"{line.what:66} {line.goal:20} {figures}: {'yes' if good else 'no'}", flush=True)
    print(f"load {os.getloadavg()[0]:.0f} on {os.cpu_count()} cores: milliseconds of waiting want a quiet machine")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
