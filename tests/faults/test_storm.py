"""A storm: no wrong answer under changes, reloads of the model, threads of both lanes and killed writers.

Workers ask without pause while one thread changes what decisions rest on, another throws the model away and a
third kills the lanes' writers. The oracle is a list of states with the moments between which each was committed:
an answer is right if it is the answer of a state that held at some moment between the question and the answer.
"""

import asyncio
import itertools
import os
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from idp import clock, configuration
from idp.audit import log
from idp.configuration import ConfigurationRow
from idp.database import Database, reading, transaction
from idp.database.lane import Lane, open_lane
from idp.entitlements import asking, enforcer, grant_rows, grants, pauses
from idp.entitlements.asking import Decider
from idp.entitlements.decision import Question
from idp.entitlements.question import AskingApp
from idp.errors import Unavailable
from idp.providers import organisations
from idp.signals import epochs
from tests.entitlements.conftest import ana, noon
from tests.faults import far
from tests.faults.test_lane import _kill_writer

__all__ = ["ana", "noon"]

WORKERS, ASKERS, PAGES = 2, 48, 1
BATCHES = (1, 1, 4, 16)
"""Questions asked together: many, so that a million end; and one alone, as most are asked."""
SHORT, LONG = 1_500, int(os.environ.get("IDP_LONG_DECISIONS", "1000000"))
SWITCH = 0.0005
"""Seconds a thread may keep the others waiting: a storm has ten, and each waits for its turn after every commit."""
MET = ("lane permit", "lane deny", "lane step_up", "pages permit", "pages deny", "writers killed")
"""What a storm must have met before it may end."""
ASK = Question("acc_ana", "message.send", "prv_lake", AskingApp("claims"), sid="ses_ana")
STRANGER = replace(ASK, provider_id="prv_other")
"""Somewhere Ana does not work: never permitted, whatever changes."""


@dataclass(frozen=True, slots=True)
class State:
    """What the changes turn on and off."""

    granted: bool = True
    paused: bool = False
    organisation: bool = True
    channel: bool = True
    session: bool = True

    def answer(self, question: Question) -> tuple[str, str | None]:
        """Return the outcome and reason by domain.md 4, in its order."""
        if not self.channel:
            return "deny", "channel_not_enabled"
        if question.provider_id != "prv_lake":
            return "deny", "provider_not_granted"
        if not self.organisation:
            return "deny", "organisation_not_granted"
        if not self.granted:
            return "deny", "entitlement_not_granted"
        if self.paused:
            return "deny", "grant_suspended"
        return ("permit", None) if self.session else ("step_up", "step_up_required")


@dataclass(slots=True)
class Held:
    """A state, from when its change may have been committed, and when that was surely so."""

    state: State
    begun: int
    sure: int | None = None


@dataclass(slots=True)
class Storm:
    """The states so far and what was answered."""

    database: Database
    wanted: int
    held: list[Held] = field(default_factory=lambda: [Held(State(), 0, 0)])
    answers: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    acknowledged: dict[str, str] = field(default_factory=dict)
    over: threading.Event = field(default_factory=threading.Event)
    done: int = 0

    def right(self, begun: int, ended: int, question: Question) -> set[tuple[str, str | None]]:
        """Return the answers of every state that may have held between two moments."""
        found = set()
        for held in reversed(self.held):
            sure = held.sure
            if held.begun <= ended:
                found.add(held.state.answer(question))
            if sure is not None and sure <= begun:
                break
        return found

    def judge(self, begun: int, question: Question, outcome: str, reason: str | None, lane: str) -> None:
        """Compare an answer that has just come."""
        right = self.right(begun, time.monotonic_ns(), question)
        self.answers[f"{lane} {outcome}"] += 1
        if (outcome, reason) not in right:
            self.wrong.append(f"{lane}: {outcome} {reason}, right: {sorted(map(str, right))}")
        self.done += 1
        enough = self.done >= self.wanted and all(self.answers[name] for name in MET)
        if enough or len(self.wrong) > 10:
            self.over.set()


def _turn(database: Database, state: State) -> None:
    """Bring about a state by the functions that pages and the applied file use."""
    place = grant_rows.Place("acc_ana", "prv_lake", "medical")
    with transaction(database) as db:
        rows = [r for r in grants.live(db, "acc_ana", "prv_lake", clock.now()) if r.entitlement == ASK.entitlement]
        allows, denies = ([r for r in rows if r.effect == effect] for effect in ("allow", "deny"))
        if state.granted and not allows:
            facts = {"account_id": place.account_id, "provider_id": place.provider_id, "line": place.line}
            grants.grant(db, **facts, entitlement=ASK.entitlement, by="operator", reason="again")
        if state.paused and not denies:
            pauses.suspend(db, place, [ASK.entitlement], by="operator", reason="leave")
        for row in (*([] if state.granted else allows), *([] if state.paused else denies)):
            grants.end(db, row, by="operator", reason="over")
        lake = organisations.find(db, place.provider_id)
        organisations.change(db, lake, status="active" if state.organisation else "suspended")
        channels = frozenset({"site"} if state.channel else {"mobile"})
        if configuration.current(db).channels != channels:
            body = configuration.Configuration(channels=channels).model_dump_json()
            db.merge(ConfigurationRow(id=1, body=body))
            configuration.changed(db)
            epochs.changed_policy(db)
        ended = None if state.session else 1
        db.execute(text("UPDATE session SET ended_at = :ended WHERE id = 'ses_ana'"), {"ended": ended})


def _change(storm: Storm, dice: random.Random) -> None:
    names = list(State.__annotations__)
    while not storm.over.is_set():
        last = storm.held[-1].state
        name = dice.choice(names)
        # Towards a yes more often than away from it, or nearly every answer were a no.
        wanted = State() if dice.random() < 0.5 else replace(last, **{name: not getattr(last, name)})
        held = Held(wanted, time.monotonic_ns())
        storm.held.append(held)
        if _surely(storm, lambda wanted=wanted: _turn(storm.database, wanted)):
            held.sure = time.monotonic_ns()
        time.sleep(dice.random() * 0.02)


def _reload(storm: Storm, dice: random.Random) -> None:
    """Throw the model away, and raise the policy epoch as any change of configuration does."""
    while not storm.over.is_set():
        enforcer._enforcer.cache_clear()
        if dice.random() < 0.05:
            _surely(storm, lambda: _raise(storm.database))
        time.sleep(0.005)


def _raise(database: Database) -> None:
    with transaction(database) as db:
        epochs.changed_policy(db)


def _surely(storm: Storm, change: Callable[[], None]) -> bool:
    """Make a change, again where SQLite's lock was never free for so long: then nothing of it was done. False: over."""
    while not storm.over.is_set():
        try:
            change()
        except OperationalError:
            storm.answers["changes that waited"] += 1
        else:
            return True
    return False


def _pages(storm: Storm, dice: random.Random) -> None:
    """Ask as pages do, in a session of their own."""
    while not storm.over.is_set():
        question, begun = dice.choice((ASK, ASK, STRANGER)), time.monotonic_ns()
        try:
            with reading(storm.database) as db:
                decision = asking.decide_in_session(db, question)
        except Unavailable:
            storm.answers["unavailable"] += 1
            continue
        storm.judge(begun, question, decision.outcome, decision.reason, "pages")
        time.sleep(0.002)


def _worker(storm: Storm, dice: random.Random) -> None:
    """Ask as one worker of the service does: its own loop, lane and memory; its writer is killed now and then."""

    async def ask(decider: Decider) -> None:
        while not storm.over.is_set():
            questions = dice.choices((ASK, ASK, ASK, STRANGER), k=dice.choice(BATCHES))
            await asyncio.sleep(dice.random() * 0.002)  # or a change never finds SQLite's lock free
            begun = time.monotonic_ns()
            try:
                decisions = await dice.choice((decider.answer, decider.answer_all))(questions)
            except Unavailable:
                storm.answers["unavailable"] += 1
                continue
            for question, decision in zip(questions, decisions, strict=True):
                storm.judge(begun, question, decision.outcome, decision.reason, "lane")
                storm.acknowledged[decision.id] = decision.outcome

    async def kill(lane: Lane) -> None:
        while not storm.over.is_set():
            await asyncio.sleep(0.2 + dice.random())
            await _kill_writer(lane, storm.database)
            storm.answers["writers killed"] += 1

    async def play() -> None:
        lane = await open_lane(storm.database, log.append)
        try:
            decider = Decider(storm.database, lane)
            killing = asyncio.create_task(kill(lane))
            await asyncio.gather(*(ask(decider) for _ in range(ASKERS)))
            killing.cancel()
        finally:
            await lane.close()

    asyncio.run(play())


def _play(database: Database, wanted: int) -> Storm:
    storm, seeds, problems = Storm(database, wanted), itertools.count(20), list[BaseException]()

    def run(part: Callable[[Storm, random.Random], None]) -> None:
        try:
            part(storm, random.Random(next(seeds)))  # noqa: S311 - only a storm
        except BaseException as problem:
            problems.append(problem)
            storm.over.set()

    def tell() -> None:
        along = far.Along(wanted)
        while not storm.over.wait(1.0):
            if along.over(storm.done, len(storm.wrong)):
                storm.over.set()

    parts: list[Any] = [_change, _reload, *[_pages] * PAGES, *[_worker] * WORKERS]
    threads = [threading.Thread(target=tell), *(threading.Thread(target=run, args=(part,)) for part in parts)]
    usual = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        storm.over.set()
        sys.setswitchinterval(usual)
    if problems:
        raise problems[0]
    return storm


def _in_the_log(storm: Storm) -> dict[str, str]:
    with reading(storm.database) as db:
        sql = "SELECT decision_id, outcome FROM audit_record WHERE event = 'entitlements.decision.made'"
        return {row[0]: row[1] for row in db.execute(text(sql))}


@pytest.mark.parametrize("wanted", [SHORT, pytest.param(LONG, marks=pytest.mark.faults)])
def test_invariant_8_no_wrong_answer_under_reload_threads_and_killed_writers(ana: Database, wanted: int) -> None:
    storm = _play(ana, wanted)
    sys.stderr.write(f"{ana.url.get_backend_name()}: {storm.done:,} decisions, {dict(storm.answers)}\n")
    assert storm.wrong == []
    assert storm.done >= wanted, "a part, not the whole"
    assert all(storm.answers[name] for name in MET)
    there = _in_the_log(storm)
    assert {one: there.get(one) for one in storm.acknowledged} == storm.acknowledged, "acted on, and not in the log"
