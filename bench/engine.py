"""Measure one decision in process, all thirteen gates, as the number of grants grows.

    python -m bench.engine [--sizes 1000,100000,1000000] [--keep FOLDER] [--json FILE]

For each size an SQLite file is filled with people (ten grants each over three practices, 3 % pauses, 10 %
run out), then decisions are timed: the same asked again, with the database asked whether anybody committed
anything (and with somebody committing something before each), a function asked about for the first time of
somebody known there, a person asked about for the first time, their practice too; and beside them one
indexed query with the rule in Python, and plain pycasbin on the same grants. Questions are made before the
clock starts. Every answer is compared with a plain rule; a wrong one fails the run. Look at the ratios.
"""

import argparse
import asyncio
import gc
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import orjson

from bench import served
from bench.crowd import KEYS, NOW, PLACES, Crowd, account, provider
from idp import clock
from idp.audit import log
from idp.database import Database
from idp.database.lane import open_lane
from idp.entitlements import candidates
from idp.entitlements import memo as memory
from idp.entitlements.asking import Decider
from idp.entitlements.memo import Memo
from idp.entitlements.question import AskingApp, Question
from idp.settings import load
from idp.web.authzen.search import about

APP = AskingApp("bench")
ROUNDS = 4000
BLOCK = 40
SAME_PEOPLE = 100
"""Distinct people among the remembered, the same number at every size."""
PLAIN_LIMIT = 100_000
"""Plain pycasbin is not asked beyond this: a decision takes seconds there."""
MASTER_KEYS = "bench:c7l3xGfVb1zwb9xJmR4Cq1Yy8Q2c3m5n7p9r1t3v5x8="


def database_at(path: Path, server: str | None = None) -> Database:
    """Return a migrated database: in a file, or of that name on a PostgreSQL server."""
    from idp import migrate

    url = f"sqlite:///{path}" if server is None else _created(server, path.stem.replace("-", "_"))
    made = Database(
        load(
            issuer="http://localhost:8000",
            database_url=url,
            master_keys=MASTER_KEYS,
            audit_key_file=path.with_suffix(".pem"),
            development=True,
        )
    )
    migrate.migrate(made)
    return made


def _created(server: str, name: str) -> str:
    import psycopg

    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchall():
            connection.execute(f'CREATE DATABASE "{name}"')  # type: ignore[call-overload]
    return f"{server}/{name}"


def ask(person: int, place: int, key: str) -> Question:
    """Return a question about one person of the crowd."""
    return Question(account(person), key, provider(person, place), APP, sid=f"ses_{person}")


Asked = tuple[int, int, str]
Made = TypeVar("Made")
"""A question as what is asked wants it."""


async def _timed(
    questions: Sequence[Asked],
    made: Callable[[Asked], Made],
    decide: Callable[[Made], Awaitable[bool]],
    right: Callable[[Asked], bool],
    *,
    before: Callable[[list[Asked]], Awaitable[None]] | None = None,
    block: int = BLOCK,
    spent: Callable[[], int] = time.thread_time_ns,
) -> float:
    """Return CPU microseconds a decision, the tenth percentile over blocks; stop on a wrong answer.

    `before` is done before each block, and not counted. CPU time (nanoseconds, by `spent`) and the quiet
    blocks, because the machine is shared with other work.
    """
    took = []
    for start in range(0, len(questions), block):
        these = list(questions[start : start + block])
        asked = [made(question) for question in these]
        if before is not None:
            await before(these)
        began = spent()
        answers = [await decide(question) for question in asked]
        took.append((spent() - began) / len(these))
        for question, allowed in zip(these, answers, strict=True):
            if allowed != right(question):
                sys.exit(f"wrong answer: {question} {allowed}")
    return (statistics.quantiles(took, n=10)[0] if len(took) > 1 else took[0]) / 1000


def filled(size: int, home: Path, server: str | None = None) -> tuple[Database, Crowd]:
    """Return a database with a crowd of this size, and the crowd; one that a folder keeps is not filled again."""
    moment = home / (f"at-{size}" if server is None else f"postgres-at-{size}")
    known = moment.exists()
    database = database_at(home / f"engine-{size}.db", server)
    crowd = Crowd(size, clock.from_micros(int(moment.read_text())) if known else NOW)
    if not known:
        crowd.fill(database)
        moment.write_text(str(crowd.at))
    return database, crowd


def _live_at(micros: int) -> None:
    """Let the time stand still where the crowd lives; what asking for the time costs is counted all the same."""
    then = clock.from_micros(micros)

    def now() -> datetime:
        datetime.now(UTC)
        return then

    clock.now = now


def _with(database: Database) -> Callable[[], int]:
    """Return what tells the nanoseconds this thread and the database's processes for us have run."""
    if database.is_sqlite:
        return time.thread_time_ns
    with database.engine.connect() as connection:
        found = connection.exec_driver_sql("SELECT pid FROM pg_stat_activity WHERE datname = current_database()")
        backends = [Path(f"/proc/{pid}/schedstat") for pid in found.scalars()]

    def spent() -> int:
        return time.thread_time_ns() + sum(int(one.read_text().split()[0]) for one in backends if one.exists())

    return spent


async def measure(
    size: int, home: Path, server: str | None = None, *, plain: bool = True, rounds: int = ROUNDS
) -> dict[str, float]:
    """Fill a database of this size and return what each way to ask costs, in microseconds."""
    database, crowd = filled(size, home, server)
    _live_at(crowd.at)
    pick = random.Random(size)  # noqa: S311 - a repeatable choice of whom to ask about
    some = [(pick.randrange(crowd.people), pick.randrange(PLACES), pick.choice(KEYS)) for _ in range(rounds)]
    lane = await open_lane(database, log.append)
    found: dict[str, float] = {}
    try:
        decider = Decider(database, lane, Memo())

        async def by_engine(question: Question) -> bool:
            return (await decider.decide(question)).allowed

        def asking(questions: Sequence[Asked], **more: Any) -> Awaitable[float]:
            return _timed(questions, lambda one: ask(*one), by_engine, crowd.allows, spent=spent, **more)

        await decider.decide(ask(0, 0, KEYS[0]))
        spent = _with(database)
        few = [pick.choice(some[:SAME_PEOPLE]) for _ in range(rounds)]
        await asking(few)
        found["remembered"] = await asking(few)

        async def commits(_: list[Asked]) -> None:
            with database.engine.begin() as writer:
                writer.exec_driver_sql("UPDATE policy_epoch SET epoch = epoch")

        found["remembered, something committed"] = await asking(few[: rounds // 4], before=commits, block=1)

        async def known_there(questions: list[Asked]) -> None:
            decider.memo = Memo()
            for person, place, key in questions:
                await decider.decide(ask(person, place, KEYS[KEYS.index(key) - 1]))

        found["function, first time"] = await asking(some, before=known_there)

        async def practices_known(questions: list[Asked]) -> None:
            decider.memo = Memo()
            for person, place, key in questions:
                neighbour = min(person // 30 * 30 + (person + 7) % 30, crowd.people - 1)
                await decider.decide(ask(neighbour, place, key))
            decider.memo._people.clear()  # noqa: SLF001 - only the people are forgotten
            decider.memo._seen.clear()  # noqa: SLF001

        async def nothing_known(questions: list[Asked]) -> None:
            decider.memo = Memo()
            await decider.decide(ask(crowd.people + 1, 0, KEYS[0]))  # a stranger: what all decisions share is there

        anew = list(dict.fromkeys(some))
        found["person, first time"] = await asking(anew, before=practices_known)
        found["person and practice, first time"] = await asking(anew, before=nothing_known)
        query = crowd.by_query(str(database.url.database)) if server is None else crowd.by_lane(lane)
        await _timed(some[:200], crowd.named, query, crowd.allows)
        found["one indexed query"] = await _timed(some, crowd.named, query, crowd.allows, spent=spent)
        found |= await _searches(Decider(database, lane, Memo()), crowd, pick, spent)
        found["all it remembers, MiB"] = await _full(Decider(database, lane, Memo()), crowd)
        if plain and size <= PLAIN_LIMIT:
            stock = crowd.plain_casbin()
            few = some[: max(3, 200_000 // size // 10)]

            async def by_stock(asked: tuple[str, str, str]) -> bool:
                return crowd.by_casbin(stock, asked)

            found["plain pycasbin"] = await _timed(few, crowd.named, by_stock, crowd.allows)
    finally:
        await lane.close()
        database.dispose()
    return found


async def _full(decider: Decider, crowd: Crowd) -> float:
    """Return the MiB a worker's memory of decisions takes when it holds as many as it may."""
    gc.collect()
    before = served.held()
    for person in range(min(memory.LIMIT, crowd.people)):
        await decider.decide(ask(person, 0, KEYS[0]))
    gc.collect()
    return served.held() - before


SEARCHES = 200
SOUGHT = ("subject", "resource", "action")


async def _searches(decider: Decider, crowd: Crowd, pick: random.Random, spent: Callable[[], int]) -> dict[str, float]:
    """Return the median of each complete search, and of one about people asked about for the first time; compared."""
    found = {}
    for sought in SOUGHT:
        took, again = [], []
        for _ in range(SEARCHES):
            person, place, key = pick.randrange(crowd.people), pick.randrange(PLACES), pick.choice(KEYS)
            decider.memo._people.clear()  # noqa: SLF001
            decider.memo._seen.clear()  # noqa: SLF001
            began = spent()
            question = replace(ask(person, place, key), assume_authenticated=True)
            allowed = set()
            for name in await decider.read(candidates.of(question, sought, "", 200)):
                one = about(question, sought, name)
                if (await decider.decide(one)).allowed:
                    allowed.add(name)
            took.append((spent() - began) / 1000)
            began = spent()
            for name in await decider.read(candidates.of(question, sought, "", 200)):
                await decider.decide(about(question, sought, name))
            again.append((spent() - began) / 1000)
            if allowed != _right(crowd, sought, person, place, key):
                sys.exit(f"wrong search: {sought} {person} {place} {key} {sorted(allowed)}")
        found[f"search {sought}"] = statistics.median(again)
        found[f"search {sought}, first time"] = statistics.median(took)
    return found


def _right(crowd: Crowd, sought: str, person: int, place: int, key: str) -> set[str]:
    if sought == "subject":
        there = range(person // 30 * 30, min(crowd.people, person // 30 * 30 + 30))
        return {account(one) for one in there if crowd.allows((one, place, key))}
    if sought == "resource":
        return {provider(person, one) for one in range(PLACES) if crowd.allows((person, one, key))}
    return {one for one in KEYS if crowd.allows((person, place, one))}


def table(results: dict[int, dict[str, float]]) -> str:
    """Return the figures as text, with the ratios that are promised."""
    sizes = sorted(results)
    ways = list(results[sizes[0]])
    lines = ["CPU microseconds a decision (or MiB), by number of grants"]
    lines.append(f"{'':34}" + "".join(f"{size:>14,}" for size in sizes) + f"{'last/first':>12}")
    for way in ways:
        values = [results[size].get(way) for size in sizes]
        shown = "".join(f"{value:14.1f}" if value is not None else f"{'-':>14}" for value in values)
        first, last = values[0], values[-1]
        ratio = f"{last / first:12.2f}" if first and last and len(sizes) > 1 else f"{'-':>12}"
        lines.append(f"{way:34}{shown}{ratio}")
    for size in sizes:
        row = results[size]
        query = row["one indexed query"]
        parts = [
            f"remembered / query {row['remembered'] / query:.2f}",
            f"function, first time / query {row['function, first time'] / query:.2f}",
            f"person, first time / query {row['person, first time'] / query:.2f}",
        ]
        if "plain pycasbin" in row:
            parts += [
                f"pycasbin / {way} {row['plain pycasbin'] / row[way]:,.0f}x"
                for way in ("remembered", "function, first time", "person, first time")
            ]
        lines.append(f"at {size:,}: " + "; ".join(parts))
    return "\n".join(lines)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="1000,100000,1000000")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--postgres", help="a server such as postgresql://postgres@127.0.0.1:5432, not SQLite files")
    parser.add_argument("--keep", type=Path, help="a folder whose databases are filled once and kept")
    given = parser.parse_args()
    results: dict[int, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as home:
        for size in [int(size) for size in given.sizes.split(",")]:
            results[size] = asyncio.run(measure(size, given.keep or Path(home), given.postgres))
            sys.stderr.write(f"{size:,} grants done\n")
    load = f"at a load of {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    sys.stdout.write(table(results) + f"\n{load}; entries kept per worker: {memory.LIMIT:,} of each kind\n")
    if given.json:
        body: Any = {str(size): row for size, row in results.items()}
        given.json.write_bytes(orjson.dumps(body, option=orjson.OPT_INDENT_2))


if __name__ == "__main__":
    main()
