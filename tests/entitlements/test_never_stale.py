"""A remembered answer is never a stale one: not after a change, not across workers, not past a date."""

import asyncio
import threading
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from idp import clock
from idp.audit import log
from idp.database import Database, transaction
from idp.database.lane import Lane, open_lane
from idp.entitlements import facts as gathering
from idp.entitlements import grants
from idp.entitlements.asking import Decider
from idp.entitlements.before import Before
from idp.entitlements.decision import Decision, Question
from idp.entitlements.memo import Memo
from idp.entitlements.question import AskingApp
from idp.entitlements.standing import Person
from idp.entitlements.tables import Grant
from idp.errors import Unavailable
from idp.leaving import partners, people
from idp.providers import affiliations, organisations
from idp.providers.tables import Affiliation
from tests.entitlements.conftest import BASE

ASK = Question("acc_ana", "message.send", "prv_lake", AskingApp("claims"), sid="ses_ana")


class Workers:
    """Several workers on one database, each with its own lane and memory."""

    def __init__(self, database: Database, count: int = 2) -> None:
        self._database = database
        self._count = count

    async def __aenter__(self) -> list[Decider]:
        self._lanes: list[Lane] = [await open_lane(self._database, log.append) for _ in range(self._count)]
        return [Decider(self._database, lane) for lane in self._lanes]

    async def __aexit__(self, *_problem: object) -> None:
        for lane in self._lanes:
            await lane.close()


async def _one(decider: Decider, question: Question = ASK) -> Decision:
    [decision] = await decider.answer([question])
    return decision


def _revoke(database: Database) -> None:
    with transaction(database) as db:
        row = db.get(Grant, "grt_msg")
        assert row is not None
        assert grants.end(db, row, by="operator", reason="left")


CHANGES = {
    "grant ended": (_revoke, "entitlement_not_granted"),
    "paused": (
        lambda d: _in(
            d,
            lambda db: grants.suspend(
                db, grants.Place("acc_ana", "prv_lake", "medical"), ["message.send"], by="operator", reason="leave"
            ),
        ),
        "grant_suspended",
    ),
    "affiliation ended": (
        lambda d: _in(d, lambda db: affiliations.end(db, db.get(Affiliation, "aff_ana"), by="operator", reason="left")),
        "affiliation_ended",
    ),
    "portal closed": (
        lambda d: _in(d, lambda db: organisations.close_portal(db, "prv_lake", "medical", by="operator", because="x")),
        "organisation_not_granted",
    ),
    "organisation suspended": (
        lambda d: _in(d, lambda db: organisations.change(db, organisations.find(db, "prv_lake"), status="suspended")),
        "organisation_not_granted",
    ),
    "person on hold": (
        lambda d: _in(d, lambda db: people.suspend(db, "acc_ana", because="case", by="operator")),
        "account_inactive",
    ),
    "person ceased": (
        lambda d: _in(d, lambda db: people.cease(db, "acc_ana", because="retired", by="operator")),
        "eligibility_ceased",
    ),
    "person left": (
        lambda d: _in(d, lambda db: people.leave(db, "acc_ana", "prv_lake", reason="left", by="operator")),
        "affiliation_ended",
    ),
}


def _in(database: Database, work: object) -> None:
    with transaction(database) as db:
        assert work(db)  # type: ignore[operator]


@pytest.mark.parametrize("change", CHANGES)
def test_invariant_8_whatever_is_taken_away_holds_at_the_very_next_decision_of_every_worker(
    ana: Database, change: str
) -> None:
    take_away, reason = CHANGES[change]

    async def play() -> list[str | None]:
        async with Workers(ana) as workers:
            for worker in workers:
                assert (await _one(worker)).allowed
                assert (await _one(worker)).allowed
                assert (await worker.decide(ASK)).allowed
                assert (await worker.decide(ASK)).allowed
                assert len(worker.memo) == 2  # it remembers, so forgetting in time is shown
            await asyncio.to_thread(take_away, ana)
            unrecorded = [(await worker.decide(ASK)).reason for worker in workers]
            return unrecorded + [(await _one(worker)).reason for worker in workers]

    assert asyncio.run(play()) == [reason] * 4


def test_invariant_8_an_ended_session_which_no_version_tells_is_seen_by_the_very_next_decision(ana: Database) -> None:
    async def play() -> list[str]:
        async with Workers(ana) as workers:
            seen = [(await worker.decide(ASK)).outcome for worker in workers for _ in range(2)]
            await asyncio.to_thread(_in, ana, lambda db: db.execute(text("UPDATE session SET ended_at = 1")))
            seen += [(await worker.decide(ASK)).outcome for worker in workers for _ in range(2)]
            await asyncio.to_thread(_in, ana, lambda db: db.execute(text("UPDATE session SET ended_at = NULL")))
            return seen + [(await worker.decide(ASK)).outcome for worker in workers]

    assert asyncio.run(play()) == ["permit"] * 4 + ["step_up"] * 4 + ["permit"] * 2


def test_nothing_but_the_mark_is_read_again_while_nobody_commits(
    ana: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the lane has marks; elsewhere the versions and the session are one statement."""

    async def play() -> tuple[int, int]:
        async with Workers(ana, 1) as [worker]:
            reads: list[str] = []
            fetch = worker._lane.fetch

            async def counted(sql: Any, *values: Any) -> list[Any]:
                reads.append(sql.named)
                return await fetch(sql, *values)

            monkeypatch.setattr(worker._lane, "fetch", counted)
            await worker.decide(ASK)
            reads.clear()
            assert (await worker.decide(ASK)).allowed
            again = len(reads)
            await asyncio.to_thread(_touch, ana)
            reads.clear()
            assert (await worker.decide(ASK)).allowed
            return again, len(reads)

    again, after = asyncio.run(play())
    assert again == (0 if ana.is_sqlite else 1)
    assert after >= 2


def test_a_memory_that_trusts_an_old_mark_is_stale(ana: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    async def play() -> bool:
        async with Workers(ana, 1) as [worker]:
            monkeypatch.setattr(worker._lane, "mark", lambda: 1)
            assert (await worker.decide(ASK)).allowed
            await asyncio.to_thread(_revoke, ana)
            return (await worker.decide(ASK)).allowed

    assert asyncio.run(play())  # red: so the mark is what the tests above rest on


class Forgetful(Memo):
    """The naive memory: by time alone, without versions."""

    def person(self, key: tuple[str, str, str], epoch: int, version: int, at: int) -> Person | None:
        found = self._people.get(key)
        return found[2] if found is not None else None


def test_a_memory_without_versions_is_stale_and_what_rests_on_it_is_never_committed(ana: Database) -> None:
    async def play() -> None:
        async with Workers(ana, 1) as [worker]:
            worker.memo = Forgetful()
            assert (await _one(worker)).allowed
            await asyncio.to_thread(_revoke, ana)
            assert (await worker.decide(ASK)).allowed  # red: stale

    asyncio.run(play())


def test_invariant_8_a_change_between_reading_and_committing_is_noticed_by_the_commit(ana: Database) -> None:
    async def play() -> Decision:
        async with Workers(ana, 1) as [worker]:
            assert (await _one(worker)).allowed
            decide, done = worker.decide, []

            async def late(question: Question, known: Before | None = None) -> Decision:
                answer = await decide(question, known)
                if not done:
                    done.append(answer.allowed)
                    await asyncio.to_thread(_revoke, ana)  # acknowledged after we decided, before we committed
                return answer

            worker.decide = late  # type: ignore[method-assign]
            answer = await _one(worker)
            assert done == [True]
            return answer

    assert asyncio.run(play()).reason == "entitlement_not_granted"
    with transaction(ana) as db:
        outcomes = db.execute(text("SELECT outcome FROM audit_record WHERE event LIKE '%decision%' ORDER BY seq"))
        assert list(outcomes.scalars()) == ["permit", "deny"]  # the overtaken permit was never written


def test_an_answer_that_keeps_changing_is_unavailable_never_a_guess(ana: Database) -> None:
    async def play() -> None:
        async with Workers(ana, 1) as [worker]:
            decide = worker.decide

            async def always_late(question: Question, known: Before | None = None) -> Decision:
                answer = await decide(question, known)
                await asyncio.to_thread(_touch, ana)
                return answer

            worker.decide = always_late  # type: ignore[method-assign]
            with pytest.raises(Unavailable):
                await _one(worker)

    asyncio.run(play())


def _touch(database: Database) -> None:
    from idp.signals import epochs

    with transaction(database) as db:
        epochs.changed_account(db, "acc_ana")


def test_a_remembered_answer_ends_with_the_earliest_date_it_used(
    ana: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    noon = BASE["now"]
    with transaction(ana) as db:
        db.execute(text("UPDATE session SET last_seen_at = :l, expires_at = :l"), {"l": 2**61})
        row = db.get(Grant, "grt_msg")
        assert row is not None
        grants.replace(db, row, by="operator", reason="until ten past", expires_at=noon + timedelta(minutes=10))
        db.execute(text("UPDATE affiliation SET ends_at = :e"), {"e": clock.micros(noon + timedelta(minutes=20))})
        db.execute(text("UPDATE attestation SET expires_at = :e"), {"e": clock.micros(noon + timedelta(minutes=30))})

    async def play() -> list[tuple[int, str | None]]:
        seen = []
        async with Workers(ana, 1) as [worker]:
            for minute in (0, 9, 10, 19, 20, 29, 30):
                monkeypatch.setattr(clock, "now", lambda minute=minute: noon + timedelta(minutes=minute))
                seen.append((minute, (await _one(worker)).reason))
        return seen

    assert asyncio.run(play()) == [
        (0, None),
        (9, None),
        (10, "grant_expired"),
        (19, "grant_expired"),
        (20, "affiliation_ended"),
        (29, "affiliation_ended"),
        (30, "eligibility_ceased"),
    ]


def test_invariant_8_no_stale_answer_in_a_storm_of_changes_by_another_thread(ana: Database) -> None:
    """A hundredth of `make faults`: what was acknowledged before the question was asked is never missed."""
    rounds = 60

    async def play() -> int:
        wrong = 0
        async with Workers(ana) as workers:
            busy = True

            async def noise() -> None:
                while busy:
                    await asyncio.gather(*(_one(worker) for worker in workers))

            asking = asyncio.create_task(noise())
            live = True
            for _ in range(rounds):
                await asyncio.to_thread(_turn, ana, not live)
                live = not live
                answers = await asyncio.gather(*(_one(worker) for worker in workers))
                wrong += sum(answer.allowed != live for answer in answers)
            busy = False
            await asking
        return wrong

    assert asyncio.run(play()) == 0


def _turn(database: Database, on: bool) -> None:
    with transaction(database) as db:
        rows = [g for g in grants.live(db, "acc_ana", "prv_lake", clock.now()) if g.entitlement == "message.send"]
        if on:
            grants.grant(
                db,
                account_id="acc_ana",
                provider_id="prv_lake",
                line="medical",
                entitlement="message.send",
                by="operator",
                reason="again",
            )
        for row in [] if on else rows:
            grants.end(db, row, by="operator", reason="off")


def test_threads_of_the_pages_lane_decide_rightly_at_once(ana: Database) -> None:
    from idp.database import reading
    from idp.entitlements.asking import decide_in_session

    wrong: list[object] = []

    def ask(number: int) -> None:
        key = "message.send" if number % 2 else "remit.view"
        question = Question("acc_ana", key, "prv_lake", AskingApp("claims"), sid="ses_ana")
        for _ in range(15):
            with reading(ana) as db:
                answer = decide_in_session(db, question)
            if answer.allowed != bool(number % 2):
                wrong.append(answer)

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_invariant_8_a_page_never_decides_on_halves_of_two_moments(
    ana: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pause is lifted after the session has ended: at no moment may Ana, whatever order rows are read in."""
    from idp.database import reading
    from idp.entitlements.asking import decide_in_session

    with transaction(ana) as db:
        [pause] = grants.suspend(
            db, grants.Place("acc_ana", "prv_lake", "medical"), ["message.send"], by="operator", reason="leave"
        )
    gather, done = gathering.gather, []

    def overtaken(*given: Any) -> Any:
        if not done:
            done.append(1)
            with transaction(ana) as db:
                db.execute(text("UPDATE session SET ended_at = 1 WHERE id = 'ses_ana'"))
            with transaction(ana) as db:
                row = db.get(Grant, pause.id)
                assert row is not None
                grants.end(db, row, by="operator", reason="back")
        return gather(*given)

    monkeypatch.setattr(gathering, "gather", overtaken)
    with reading(ana) as db:
        decision = decide_in_session(db, ASK)
    assert (decision.outcome, decision.reason) in {("deny", "grant_suspended"), ("step_up", "step_up_required")}


def test_security_69_the_memo_is_bounded_and_strangers_leave_nothing_in_it(ana: Database) -> None:
    async def play() -> None:
        async with Workers(ana, 1) as [worker]:
            for n in range(50):
                stranger = Question(f"acc_{n}", "message.send", f"prv_{n}", AskingApp("claims"))
                assert not (await worker.decide(stranger)).allowed
            assert len(worker.memo) == 0
            await worker.decide(ASK)
            known = len(worker.memo)
            await worker.decide(Question("acc_ana", "message.send", "prv_nobody", AskingApp("claims")))
            assert len(worker.memo) == known

    asyncio.run(play())
    memo = Memo(limit=3)
    from idp.entitlements import memo as memory

    for n in range(10):
        memory._keep(memo._people, ("acc", str(n), "medical"), (1, 1, None), 3)
    assert len(memo) == 3


def test_a_partner_that_is_suspended_takes_the_sessions_of_its_logins_along(ana: Database) -> None:
    with transaction(ana) as db:
        db.execute(text("UPDATE session SET partner_id = 'ptr_billing' WHERE id = 'ses_ana'"))

    async def play() -> list[str]:
        async with Workers(ana) as workers:
            seen = [(await _one(worker)).outcome for worker in workers]
            await asyncio.to_thread(_in, ana, lambda db: partners.suspend(db, "ptr_billing", because="review"))
            return seen + [(await _one(worker)).outcome for worker in workers]

    assert asyncio.run(play()) == ["permit", "permit", "step_up", "step_up"]
