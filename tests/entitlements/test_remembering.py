"""What a worker remembers, what that rests on, and how long: never longer than the first date it used."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from idp import clock
from idp.database import Database, transaction
from idp.entitlements import grants
from idp.entitlements.decision import Question
from idp.entitlements.memo import Memo
from idp.entitlements.question import AskingApp
from idp.entitlements.standing import Person
from idp.entitlements.tables import Grant
from tests.entitlements.conftest import BASE
from tests.entitlements.workers import ASK, Workers, one, revoke, touch


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
            await asyncio.to_thread(touch, ana)
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
            await asyncio.to_thread(revoke, ana)
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
            assert (await one(worker)).allowed
            await asyncio.to_thread(revoke, ana)
            assert (await worker.decide(ASK)).allowed  # red: stale

    asyncio.run(play())


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
                seen.append((minute, (await one(worker)).reason))
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


def test_security_69_the_memo_is_bounded_and_strangers_leave_nothing_in_it(ana: Database) -> None:
    async def play() -> None:
        async with Workers(ana, 1) as [worker]:
            for n in range(50):
                stranger = Question(f"acc_{n}", "message.send", f"prv_{n}", AskingApp("claims"))
                assert not (await worker.decide(stranger)).allowed
            assert len(worker.memo) == 0
            assert not worker.memo._seen
            assert not worker.memo._marked
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


def test_security_69_functions_an_app_makes_up_are_refused_and_leave_nothing_in_a_worker(ana: Database) -> None:
    async def play() -> None:
        async with Workers(ana, 1) as [worker]:
            await worker.decide(ASK)
            for n in range(20):
                made_up = Question("acc_ana", f"made.up.{n}", "prv_lake", AskingApp("claims"))
                assert (await worker.decide(made_up)).reason == "client_not_allowed"
            people = [person for _, _, person in worker.memo._people.values()]
            assert [(set(one.settled), set(one.given)) for one in people] == [({"message.send"}, {"message.send"})]
            assert len(worker.memo._seen) == 1

    asyncio.run(play())
