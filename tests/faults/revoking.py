"""Four worker processes that decide without pause, and a writer process that grants and revokes and is killed -9.

What the writer has had acknowledged stands in memory all processes share, one slot a person: zero while a change
may be on its way, else a number that grows, odd after a revoke and even after a grant. A worker that finds the same
number before it asked and after it was answered knows what the answer had to be.
"""

import asyncio
import mmap
import os
import random
import signal
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from idp import clock
from idp.audit import log
from idp.database import Database, transaction
from idp.database.lane import Lane, open_lane
from idp.entitlements import grants
from idp.entitlements.asking import Decider
from idp.entitlements.memo import Memo
from idp.entitlements.question import AskingApp, Question
from idp.entitlements.standing import Person
from idp.errors import Unavailable
from idp.settings import Settings
from tests.faults import far
from tests.faults.test_lane import _kill_writer

WORKERS, PEOPLE, ASKERS = 4, 8, 12
BATCHES = (1, 4, 16)
FUNCTION, PLACE = "message.send", "prv_lake"
COUNTS = ("decisions", "after a revoke", "after a grant", "stale", "late", "unavailable", "lane writers killed")
"""What a worker counts. `stale`: permitted though the revoke was acknowledged; `late`: refused though the grant was."""


class Board:
    """Slots of shared memory: one for each person, then the counts of each worker, then the writer's changes."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 8 * (PEOPLE + WORKERS * len(COUNTS) + 2))

    def read(self, place: int) -> int:
        return int(struct.unpack_from("q", self._memory, 8 * place)[0])

    def write(self, place: int, value: int) -> None:
        struct.pack_into("q", self._memory, 8 * place, value)

    def count(self, worker: int, what: str, more: int = 1) -> None:
        place = PEOPLE + worker * len(COUNTS) + COUNTS.index(what)
        self.write(place, self.read(place) + more)

    def total(self, what: str) -> int:
        return sum(self.read(PEOPLE + w * len(COUNTS) + COUNTS.index(what)) for w in range(WORKERS))

    @property
    def changes(self) -> int:
        return self.read(PEOPLE + WORKERS * len(COUNTS))

    @changes.setter
    def changes(self, value: int) -> None:
        self.write(PEOPLE + WORKERS * len(COUNTS), value)

    @property
    def over(self) -> bool:
        return self.read(PEOPLE + WORKERS * len(COUNTS) + 1) == 1

    def end(self) -> None:
        self.write(PEOPLE + WORKERS * len(COUNTS) + 1, 1)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a storm came to."""

    counts: dict[str, int]
    changes: int
    kills: int


class Forgetful(Memo):
    """A memory without versions, to show that the storm can see."""

    def person(self, key: tuple[str, str, str], epoch: int, version: int, at: int) -> Person | None:
        found = self._people.get(key)
        return found[2] if found is not None else None


def account(person: int) -> str:
    return f"acc_storm{person}"


def _child(work: Callable[[], None]) -> int:
    """Fork; return the process id. The child never returns, and closes nothing that is its parent's."""
    process = os.fork()
    if process:
        return process
    try:
        work()
        os._exit(0)
    except BaseException:
        import traceback

        traceback.print_exc()
        os._exit(1)


def _writing(settings: Settings, board: Board, seed: int) -> None:
    """Turn people's access on and off by the functions pages use, for ever."""
    database, dice = Database(settings), random.Random(seed)  # noqa: S311 - only a storm
    while True:
        unknown = [person for person in range(PEOPLE) if board.read(person) == 0]
        person = dice.choice(unknown or range(PEOPLE))  # what the writer before this one left open comes first
        number = board.changes + 2
        board.changes = number
        board.write(person, 0)
        try:
            revoked = _turn(database, account(person), on=dice.random() < 0.5)
        except SQLAlchemyError:
            continue  # the slot stays at zero: nobody knows
        board.write(person, number + 1 if revoked else number)
        time.sleep(dice.random() * 0.004)


def _turn(database: Database, who: str, *, on: bool) -> bool:
    """Grant or revoke; return whether access is now revoked."""
    with transaction(database) as db:
        held = [row for row in grants.live(db, who, PLACE, clock.now()) if row.entitlement == FUNCTION]
        if on and not held:
            facts = {"account_id": who, "provider_id": PLACE, "line": "medical", "entitlement": FUNCTION}
            grants.grant(db, **facts, by="operator", reason="again")
        for row in () if on else held:
            grants.end(db, row, by="operator", reason="over")
    return not on


def _working(settings: Settings, board: Board, number: int, *, naive: bool) -> None:
    """Ask as one worker of the service does, about everybody, until the board says it is over."""

    async def ask(decider: Decider, dice: random.Random) -> None:
        while not board.over:
            person = dice.randrange(PEOPLE)
            question = Question(account(person), FUNCTION, PLACE, AskingApp("claims"), sid=f"ses_storm{person}")
            if not naive:
                await asyncio.sleep(dice.random() * 0.005)  # or the writer never finds SQLite's lock free
            before = board.read(person)
            try:
                if naive:
                    decisions = [await decider.decide(question)]
                else:
                    asked = [question] * dice.choice(BATCHES)
                    decisions = await dice.choice((decider.answer, decider.answer_all))(asked)
            except Unavailable:
                board.count(number, "unavailable")
                continue
            after = board.read(person)
            board.count(number, "decisions", len(decisions))
            if before == 0 or after != before:
                continue
            board.count(number, "after a revoke" if before % 2 else "after a grant", len(decisions))
            for decision in decisions:
                if decision.allowed and before % 2:
                    board.count(number, "stale")
                elif not decision.allowed and not before % 2:
                    board.count(number, "late")

    async def trouble(lane: Lane, database: Database, dice: random.Random) -> None:
        while not board.over:
            await asyncio.sleep(0.3 + dice.random() * 2)
            await _kill_writer(lane, database)
            board.count(number, "lane writers killed")

    async def play() -> None:
        database = Database(settings)
        lane = await open_lane(database, log.append)
        dice = random.Random(number)  # noqa: S311 - only a storm
        decider = Decider(database, lane, Forgetful() if naive else None)
        asking = [asyncio.create_task(ask(decider, dice)) for _ in range(1 if naive else ASKERS)]
        killing = None if naive else asyncio.create_task(trouble(lane, database, dice))
        await asyncio.gather(*asking)
        if killing is not None:
            killing.cancel()

    asyncio.run(play())


def storm(settings: Settings, wanted: int, *, kill_every: float = 0.4, naive: bool = False) -> Outcome:
    """Play until so many decisions were compared, the writer was killed and every kind was met; return the counts.

    A long one says twice a minute how far it is, and ends at `far.MINUTES` or an interrupt with what it has so far.
    """
    board, kills, seed, told = Board(), 0, 0, far.Along(wanted)
    workers = [_child(lambda n=n: _working(settings, board, n, naive=naive)) for n in range(WORKERS)]
    writer = _child(lambda: _writing(settings, board, 0))
    killed, changes = time.monotonic(), 0
    try:
        while True:
            time.sleep(0.02)
            for worker in workers:
                assert os.waitpid(worker, os.WNOHANG) == (0, 0), "a worker died"
            due = time.monotonic() - killed > kill_every and board.changes // 2 >= changes + PEOPLE
            if due and (not naive or seed == 0):
                _kill(writer)
                kills, seed, killed, changes = kills + 1, seed + 1, time.monotonic(), board.changes // 2
                writer = _child(lambda seed=seed: _writing(settings, board, seed))
            met = board.total("after a revoke") and board.total("after a grant") and kills
            if (board.total("decisions") >= wanted and met) or told.over(
                board.total("decisions"), board.total("stale")
            ):
                break
    except KeyboardInterrupt:
        told.interrupted()
    finally:
        board.end()
        _kill(writer)
        for worker in workers:
            with suppress(ChildProcessError):
                os.waitpid(worker, 0)
    return Outcome({what: board.total(what) for what in COUNTS}, board.changes // 2, kills)


def _kill(process: int) -> None:
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)


def describe(outcome: Outcome, where: Path | str) -> str:
    """Return the counts as a line to print."""
    told = ", ".join(f"{value:,} {what}" for what, value in outcome.counts.items())
    return f"{where}: {told}; {outcome.changes:,} changes, the writer killed {outcome.kills:,} times"
