"""A remembered answer is never a stale one: not after a change, not across workers, not past a date."""

import asyncio
import threading
from typing import Any

import pytest
from sqlalchemy import text

from idp import clock
from idp.database import Database, reading, transaction
from idp.entitlements import facts as gathering
from idp.entitlements import grant_rows, grants, pauses
from idp.entitlements.before import Before
from idp.entitlements.decision import Decision, Question
from idp.entitlements.question import AskingApp
from idp.entitlements.tables import Grant
from idp.errors import Unavailable
from idp.leaving import partners, people
from idp.providers import affiliations, organisations
from idp.providers.tables import Affiliation
from idp.signals import epochs
from tests.entitlements.workers import ASK, Workers, one, revoke, touch, within

CHANGES = {
    "grant ended": (
        lambda db: grants.end(db, db.get(Grant, "grt_msg"), by="operator", reason="left"),
        "entitlement_not_granted",
    ),
    "paused": (
        lambda db: pauses.suspend(
            db, grant_rows.Place("acc_ana", "prv_lake", "medical"), ["message.send"], by="operator", reason="leave"
        ),
        "grant_suspended",
    ),
    "affiliation ended": (
        lambda db: affiliations.end(db, db.get(Affiliation, "aff_ana"), by="operator", reason="left"),
        "affiliation_ended",
    ),
    "portal closed": (
        lambda db: organisations.close_portal(db, "prv_lake", "medical", by="operator", because="x"),
        "organisation_not_granted",
    ),
    "organisation suspended": (
        lambda db: organisations.change(db, organisations.find(db, "prv_lake"), status="suspended"),
        "organisation_not_granted",
    ),
    "person on hold": (
        lambda db: people.suspend(db, "acc_ana", because="case", by="operator"),
        "account_inactive",
    ),
    "person ceased": (
        lambda db: people.cease(db, "acc_ana", because="retired", by="operator"),
        "eligibility_ceased",
    ),
    "person left": (
        lambda db: people.leave(db, "acc_ana", "prv_lake", reason="left", by="operator"),
        "affiliation_ended",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_invariant_8_whatever_is_taken_away_holds_at_the_very_next_decision_of_every_worker(
    ana: Database, change: str
) -> None:
    take_away, reason = CHANGES[change]

    async def play() -> list[str | None]:
        async with Workers(ana) as workers:
            for worker in workers:
                assert (await one(worker)).allowed
                assert (await one(worker)).allowed
                assert (await worker.decide(ASK)).allowed
                assert (await worker.decide(ASK)).allowed
                assert len(worker.memo) == 2  # it remembers, so forgetting in time is shown
            await asyncio.to_thread(within, ana, take_away)
            unrecorded = [(await worker.decide(ASK)).reason for worker in workers]
            return unrecorded + [(await one(worker)).reason for worker in workers]

    assert asyncio.run(play()) == [reason] * 4


def test_invariant_8_an_ended_session_which_no_version_tells_is_seen_by_the_very_next_decision(ana: Database) -> None:
    async def play() -> list[str]:
        async with Workers(ana) as workers:
            seen = [(await worker.decide(ASK)).outcome for worker in workers for _ in range(2)]
            await asyncio.to_thread(within, ana, lambda db: db.execute(text("UPDATE session SET ended_at = 1")))
            seen += [(await worker.decide(ASK)).outcome for worker in workers for _ in range(2)]
            await asyncio.to_thread(within, ana, lambda db: db.execute(text("UPDATE session SET ended_at = NULL")))
            return seen + [(await worker.decide(ASK)).outcome for worker in workers]

    assert asyncio.run(play()) == ["permit"] * 4 + ["step_up"] * 4 + ["permit"] * 2


def test_security_35_a_session_opened_while_its_login_was_being_held_is_not_signed_in_to_any_worker(
    ana: Database,
) -> None:
    """What a hold of the same moment leaves: it ended the sessions it saw, and this one was not among them."""

    def login(change: str) -> None:
        with transaction(ana) as db:
            db.execute(
                text(f"UPDATE login SET {change} WHERE id = (SELECT login_id FROM session WHERE id = 'ses_ana')")
            )
            epochs.changed_account(db, "acc_ana")

    async def play() -> list[str]:
        async with Workers(ana) as workers:
            seen = [(await worker.decide(ASK)).outcome for worker in workers]
            for change in ("held_at = linked_at", "held_at = NULL", "ended_at = linked_at"):
                await asyncio.to_thread(login, change)
                seen += [(await one(workers[0])).outcome, (await workers[1].decide(ASK)).outcome]
            await asyncio.to_thread(login, "ended_at = NULL")
            return seen + [(await one(worker)).outcome for worker in workers]

    asked = ["permit"] * 2 + ["step_up"] * 2 + ["permit"] * 2 + ["step_up"] * 2 + ["permit"] * 2
    assert asyncio.run(play()) == asked


def test_invariant_8_a_change_between_reading_and_committing_is_noticed_by_the_commit(ana: Database) -> None:
    async def play() -> Decision:
        async with Workers(ana, 1) as [worker]:
            assert (await one(worker)).allowed
            decide, done = worker.decide, []

            async def late(question: Question, known: Before | None = None, rows: Any = None) -> Decision:
                answer = await decide(question, known, rows)
                if not done:
                    done.append(answer.allowed)
                    await asyncio.to_thread(revoke, ana)  # acknowledged after we decided, before we committed
                return answer

            worker.decide = late  # type: ignore[method-assign]
            answer = await one(worker)
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

            async def always_late(question: Question, known: Before | None = None, rows: Any = None) -> Decision:
                answer = await decide(question, known, rows)
                await asyncio.to_thread(touch, ana)
                return answer

            worker.decide = always_late  # type: ignore[method-assign]
            with pytest.raises(Unavailable):
                await one(worker)

    asyncio.run(play())


def test_invariant_8_no_stale_answer_in_a_storm_of_changes_by_another_thread(ana: Database) -> None:
    """A hundredth of `make faults`: what was acknowledged before the question was asked is never missed."""
    rounds = 60

    async def play() -> int:
        wrong = 0
        async with Workers(ana) as workers:
            busy = True

            async def noise() -> None:
                while busy:
                    await asyncio.gather(*(one(worker) for worker in workers))

            asking = asyncio.create_task(noise())
            live = True
            for _ in range(rounds):
                await asyncio.to_thread(_turn, ana, not live)
                live = not live
                answers = await asyncio.gather(*(one(worker) for worker in workers))
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
        [pause] = pauses.suspend(
            db, grant_rows.Place("acc_ana", "prv_lake", "medical"), ["message.send"], by="operator", reason="leave"
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


def test_a_partner_that_is_suspended_takes_the_sessions_of_its_logins_along(ana: Database) -> None:
    with transaction(ana) as db:
        db.execute(text("UPDATE session SET partner_id = 'ptr_billing' WHERE id = 'ses_ana'"))

    async def play() -> list[str]:
        async with Workers(ana) as workers:
            seen = [(await one(worker)).outcome for worker in workers]
            await asyncio.to_thread(within, ana, lambda db: partners.suspend(db, "ptr_billing", because="review"))
            return seen + [(await one(worker)).outcome for worker in workers]

    assert asyncio.run(play()) == ["permit", "permit", "step_up", "step_up"]


def test_invariant_8_a_batch_about_several_people_is_as_fresh_as_one_question(ana: Database) -> None:
    """What is remembered is answered together; whoever changed meanwhile is asked again, the others are not."""
    bo = Question("acc_bo", "message.send", "prv_lake", AskingApp("claims"), sid="ses_bo")
    batch = [ASK, bo, ASK]

    async def play() -> tuple[list[Decision], list[Decision], list[Decision]]:
        async with Workers(ana) as [worker, other]:
            with_nothing = await worker.answer_all(batch)
            remembered = await worker.answer_all(batch)
            await other.answer_all(batch)
            await asyncio.to_thread(revoke, ana)
            return with_nothing, remembered, await worker.answer_all(batch)

    first, second, after = asyncio.run(play())
    assert [(d.outcome, d.reason) for d in second] == [(d.outcome, d.reason) for d in first]
    assert [d.allowed for d in second] == [True, False, True]
    assert [d.reason for d in after] == ["entitlement_not_granted", second[1].reason, "entitlement_not_granted"]
    with reading(ana) as db:
        sql = "SELECT decision_id FROM audit_record WHERE event = 'entitlements.decision.made'"
        told = db.execute(text(sql)).scalars().all()
    ours = [decision.id for decision in (*first, *second, *after)]
    assert len(set(told)) == len(told) == len(ours) + len(batch)
    assert set(ours) <= set(told)
