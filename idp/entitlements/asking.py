"""Ask for decisions in either lane; each answer is in the log before anyone acts on it.

The machines' lane may answer from the memo: the versions it answers under are checked again inside the
group commit that writes the record, so a change acknowledged before the question was asked is never
missed, on any worker (invariant 8). Pages read every row in their own transaction.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlmodel import Session

from idp import clock
from idp.audit import log
from idp.database import Database, of
from idp.database.lane import Lane, Mark, RestsOn, Stale, Work, drive
from idp.entitlements import explaining, standing, supposing
from idp.entitlements import facts as gathering
from idp.entitlements.before import Before, SessionFacts
from idp.entitlements.before import before as reading_before
from idp.entitlements.decision import DECIDED_BY, Decision, decide, settled
from idp.entitlements.explaining import Explanation
from idp.entitlements.facts import Facts, at_hand
from idp.entitlements.memo import Asked, Memo, Seen
from idp.entitlements.question import Question
from idp.entitlements.told import event
from idp.errors import Unavailable

TRIES = 10
"""How often an answer is computed anew when what it rests on keeps changing."""
_BEING_CHANGED = "Access is being changed just now. Ask again in a moment."


class Decider:
    """Decisions of the machines' lane, with the memory of one worker."""

    def __init__(self, database: Database, lane: Lane, memo: Memo | None = None) -> None:
        self._database = database
        self._lane = lane
        self.memo = memo if memo is not None else Memo()

    async def read(self, work: Work) -> Any:
        """Run reads on the lane; return the work's answer."""
        answer: list[Any] | None = None
        while True:
            try:
                step = work.send(answer) if answer is not None else next(work)
            except StopIteration as done:
                return done.value
            if not isinstance(step, tuple):
                raise TypeError("a decision only reads")
            answer = await self._lane.fetch(step[0], *step[1])

    async def decide(
        self, question: Question, known: Before | None = None, rows: Sequence[Any] | None = None
    ) -> Decision:
        """Decide without recording it: for searches and measurements. Nobody may act on it.

        Where the lane can tell that nothing was committed since the same was asked, nothing else is read.
        `rows` are the person's, where they came with `known` (`standing.FIRST`).
        """
        if not _plain(question):
            known = known or await self.read(reading_before(question.account_id, question.sid))
            return self._decided(question, await self.read(_gather(question, known, self.memo)))
        memo = self.memo
        asked = _asked(question)
        mark = self._lane.mark() if known is None else None
        at = clock.micros(clock.now())
        seen = memo.seen(asked, at)
        if seen is not None and mark is not None and seen.mark == mark:
            return _again(question, at, seen, seen.session)
        if known is None and mark is not None:
            known = memo.marked(mark, question.account_id, question.sid)
        if known is None:
            known, rows = await self._first(question)
            if mark is not None:
                memo.keep_marked(mark, question.account_id, question.sid, known)
        # Rows come of a person of whom nothing is remembered there.
        found = self._recalled(question, asked, known, at, mark) if rows is None else None
        if found is None:
            facts = await self.read(gathering.gather(question, known, memo, rows))
            memo.keep_seen(mark, asked, facts)
            found = decide(facts, settled(facts))
        return found

    def _recalled(self, question: Question, asked: Asked, known: Before, at: int, mark: Mark | None) -> Decision | None:
        """Decide a plain question on what is remembered under the versions known, or return None."""
        memo = self.memo
        seen = memo.seen(asked, at)
        if seen is not None and seen.version == known.version and seen.epoch == known.epoch:
            if mark is not None:
                memo.still_seen(mark, asked, seen, known.session)
            return _again(question, at, seen, known.session)
        facts = at_hand(question, known, at, memo)
        if facts is None:
            return None
        memo.keep_seen(mark, asked, facts)
        return decide(facts, settled(facts))

    @staticmethod
    def _decided(question: Question, facts: Facts) -> Decision:
        return decide(facts, DECIDED_BY if question.supposes else settled(facts))

    async def _first(self, question: Question) -> tuple[Before, Sequence[Any] | None]:
        """Return versions and session, and in the same reading the rows of a person nothing is known of there."""
        account_id, sid = question.account_id, question.sid
        who = (account_id, question.provider_id or "", question.asked_line)
        if question.at is not None or question.supposes or self.memo.knows(who):
            return await self.read(reading_before(account_id, sid)), None
        rows = await self._lane.fetch(standing.FIRST, *who, sid or "")
        return standing.before_of(rows), rows

    async def look(self, question: Question) -> Facts:
        """Return what the gates see for a question, to explain the answer; nobody may act on it."""
        known = await self.read(reading_before(question.account_id, question.sid))
        for _ in range(TRIES):
            found = await self.read(_gather(question, known, self.memo))
            assert isinstance(found, Facts)
            again = await self.read(reading_before(question.account_id, question.sid))
            if again == known:
                return found
            known = again
        raise Unavailable(_BEING_CHANGED)

    async def explain(self, question: Question) -> Explanation:
        """Decide, record, and say what each gate says; nobody may act on it, so it is marked as simulated."""
        facts = await self.look(question)
        decision = replace(decide(facts), simulated=True)
        await self._lane.write(rows=[self._row(question, decision)])
        return explaining.explain(facts, decision)

    async def answer(
        self, questions: Sequence[Question], *, until: str | None = None, jti: str | None = None
    ) -> list[Decision]:
        """Decide questions about one account and record each; stop after an outcome of `until` (`permit`, `deny`).

        The first try may rest on versions read for an earlier answer: the commit checks them all the same.
        `jti` is a token the commit must find unrevoked; only then Stale is raised, to ask who the caller is.
        Raises Unavailable when the database does not answer, or when what an answer rests on keeps
        changing.
        """
        account_id = questions[0].account_id
        one_session = len({question.sid for question in questions}) == 1
        for n in range(TRIES):
            known: dict[str | None, Before] = {}
            decisions: list[Decision] = []
            for question in questions:
                rows = None
                if question.sid not in known:
                    known[question.sid], rows = await self._before(question, recall=n == 0 and one_session)
                decisions.append(await self.decide(question, known[question.sid], rows))
                if until is not None and decisions[-1].allowed == (until == "permit"):
                    break
            bases = {(b.epoch, b.version) for b in known.values()}
            if len(bases) > 1:
                continue  # something changed between two reads of this very batch
            told = [self._row(q, d) for q, d in zip(questions, decisions, strict=False)]
            try:
                await self._lane.write(rows=told, rests_on=self._ground(known, account_id, jti))
            except Stale:
                self.memo.forget_before(account_id, questions[0].sid)
                if jti is not None:
                    raise
                continue
            return decisions
        raise Unavailable(_BEING_CHANGED)

    async def answer_all(self, questions: Sequence[Question]) -> list[Decision]:
        """Decide questions about any accounts, each account's together; return answers in order."""
        by_account: dict[str, list[int]] = {}
        for place, question in enumerate(questions):
            by_account.setdefault(question.account_id, []).append(place)
        found: dict[int, Decision] = {}
        known, others = [], []
        now = clock.now()  # one moment for all that is remembered
        for group in by_account.values():
            recalled = self._all_recalled([questions[n] for n in group], now)
            if recalled is None:
                others.append(group)
            else:
                known.append((group, *recalled))
        held = await self._lane.write_each([(rows, ground) for _, _, rows, ground in known]) if known else []
        for (group, decisions, _, _), holds in zip(known, held, strict=True):
            if holds:
                found.update(zip(group, decisions, strict=True))
            else:
                self.memo.forget_before(questions[group[0]].account_id, questions[group[0]].sid)
                others.append(group)
        answers = await asyncio.gather(*(self.answer([questions[n] for n in group]) for group in others))
        for group, decisions in zip(others, answers, strict=True):
            found.update(zip(group, decisions, strict=True))
        return [found[place] for place in range(len(questions))]

    def _all_recalled(
        self, questions: Sequence[Question], now: datetime
    ) -> tuple[list[Decision], list[tuple[Any, ...]], RestsOn] | None:
        """Return the decisions about one account, their records and ground, where nothing has to be read."""
        account_id, sid = questions[0].account_id, questions[0].sid
        known = self.memo.before(account_id, sid)
        if known is None:
            return None
        at, decisions = clock.micros(now), []
        for question in questions:
            plain = question.sid == sid and _plain(question)
            decision = self._recalled(question, _asked(question), known, at, None) if plain else None
            if decision is None:
                return None
            decisions.append(decision)
        rows = [self._row(question, decision, now) for question, decision in zip(questions, decisions, strict=True)]
        return decisions, rows, self._ground({sid: known}, account_id, None)

    async def _before(self, question: Question, *, recall: bool) -> tuple[Before, Sequence[Any] | None]:
        """Return the versions and the session: as last read where the commit will check that, else read now."""
        account_id, sid = question.account_id, question.sid
        found = self.memo.before(account_id, sid) if recall else None
        if found is not None:
            return found, None
        found, rows = await self._first(question)
        self.memo.keep_before(account_id, sid, found)
        return found, rows

    @staticmethod
    def _ground(known: dict[str | None, Before], account_id: str, jti: str | None) -> RestsOn:
        """Return what the commit checks; of several sessions none, which are read anew each time."""
        [(sid, base), *_] = known.items()
        state = base.session.state if base.session is not None else None
        return RestsOn(
            base.epoch,
            account_id,
            base.version,
            jti=jti,
            session_id=sid if state is not None and len(known) == 1 else None,
            session_state=state,
        )

    def _row(self, question: Question, decision: Decision, now: datetime | None = None) -> tuple[object, ...]:
        return log.machine_row(self._database, event(question, decision), now or clock.now())


def _plain(question: Question) -> bool:
    """Say whether a question is about now, as things are, with no record but its own facts: what may be remembered."""
    return question.at is None and not question.supposes and question.record.get("shared_account") is None


def _asked(question: Question) -> Asked:
    return question.account_id, question.sid, question.provider_id, question.asked_line, question.entitlement


def _again(question: Question, at: int, seen: Seen, session: SessionFacts | None) -> Decision:
    """Decide on what the gates saw before, for a question and a session of now."""
    facts = seen.anew(question, at, session)
    return decide(facts, settled(facts))


def decide_in_session(db: Session, question: Question) -> Decision:
    """Decide in the pages' lane, on what this transaction sees; the caller records it with `event`.

    On PostgreSQL each statement sees what was committed before it, so a change between two of them would make
    an answer of two halves that never held together: the versions are read again after the rows.
    Raises Unavailable when what the answer rests on keeps changing.
    """
    return decide(look_in_session(db, question))


def look_in_session(db: Session, question: Question) -> Facts:
    """Return what the gates see, in the pages' lane, to explain an answer; as `decide_in_session` reads it."""
    db.flush()
    one_moment = of(db).is_sqlite
    known = drive(db, reading_before(question.account_id, question.sid))
    for _ in range(TRIES):
        found = drive(db, _gather(question, known, None))
        assert isinstance(found, Facts)
        again = known if one_moment else drive(db, reading_before(question.account_id, question.sid))
        if again == known:
            return found
        known = again
    raise Unavailable(_BEING_CHANGED)


def _gather(question: Question, known: Before, memo: Memo | None) -> Work:
    """Gather; what is only supposed is neither taken from the memo nor put there."""
    if not question.supposes:
        return gathering.gather(question, known, memo)
    return supposing.supposed(gathering.gather(question, known, None), question)
