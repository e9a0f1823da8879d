"""Measure what a sign-in costs among many people and among few: two services side by side, asked in turn.

    python -m bench.crowded [--postgres] [--runs N] [--people N] [--few N]

One has 100 people (`--few`), the other 100,000 (`--people`), with two and a half logins each. The cost of a case is the
sum of the least that each of its requests cost; asked in turn, so that a busy machine is as busy for both.
"""

import argparse
import os
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack

from bench import many, served, sign_ins
from bench.visitor import Visitor

Cases = dict[str, tuple[Callable[[Visitor], object], dict[str, str]]]


def prepared(url: str, port: int, people: int) -> Cases:
    """Bring the people, warm the worker up, and return the cases."""
    engine = sign_ins.engine_of(url)
    many.fill(engine, people, issuer=served.base_of(port), upstream="ups_evergreen", now=time.time_ns() // 1000)
    engine.dispose()
    for _ in range(6):
        sign_ins.password(Visitor(port=port))
        sign_ins.federated(Visitor(port=port))
    known = sign_ins.remembered(url, port)
    return {
        "login": (sign_ins.password, {}),
        "remembered": (lambda browser: sign_ins.password(browser, "kim"), known),
        "federated": (sign_ins.federated, {}),
    }


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--few", type=int, default=100)
    chosen = parser.parse_args()
    os.environ.setdefault("PYTHONPATH", str(served.HOME))
    ports = {chosen.people: served.PORT, chosen.few: served.PORT + 5}
    with ExitStack() as stack:
        workers, cases, servers = {}, {}, {}
        for people, port in ports.items():
            made = sign_ins.the_service(postgres=chosen.postgres, port=port)
            workers[people], url, servers[people] = stack.enter_context(made)
            cases[people] = prepared(url, port, people)
        print("PostgreSQL" if chosen.postgres else "SQLite")
        for name in cases[chosen.few]:
            costs: dict[int, dict[str, list[float]]] = {people: defaultdict(list) for people in ports}
            spent: dict[int, list[float]] = {people: [] for people in ports}
            for _ in range(chosen.runs):
                for people, port in ports.items():
                    one, cookies = cases[people][name]
                    browser = Visitor(lambda: served.cpu(workers[people]), cookies, port)  # noqa: B023 - used within
                    before = _database(servers[people])
                    one(browser)
                    spent[people].append(_database(servers[people]) - before)
                    browser.close()
                    for request, each in browser.costs.items():
                        costs[people][request].append(sum(each))
            few, all_of = (sum(min(each) for each in costs[people].values()) for people in (chosen.few, chosen.people))
            print(f"{name:12}{all_of:8.2f} / {few:.2f} ms = {all_of / few:.2f}", end="")
            ours, theirs = (min(spent[people]) for people in (chosen.people, chosen.few))
            print(f"   database {ours:.2f} / {theirs:.2f} ms" if theirs else "")
            for request, each in costs[chosen.few].items():
                print(f"    {request:40}{min(costs[chosen.people][request]):8.2f} / {min(each):.2f} ms")


def _database(server: int | None) -> float:
    return sum(served.cpu(process) for process in served.database_of(server)) if server else 0.0


if __name__ == "__main__":
    main()
