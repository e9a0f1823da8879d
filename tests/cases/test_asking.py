"""Questions to the person and to practices: only what is theirs, once, in time, never after the decision (W-10)."""

from datetime import timedelta
from typing import Any

import pytest
from freezegun import freeze_time
from sqlalchemy import text
from sqlmodel import Session as Db

from idp import clock
from idp.cases import asked, file, opening, questions, words
from idp.cases.finding import Finding, Reason
from idp.cases.tables import SecurityCase
from idp.casework import clocks, deciding, desk
from idp.casework.deciding import Verdict
from idp.database import reading, transaction
from idp.errors import Conflict, Invalid, NotFound
from idp.providers import affiliations
from idp.sharing import evidence, takeover
from tests.wam.world import World

INNOCENT = Verdict("innocent", "The workstations are shared, as the practice says.", cause="pool")


def suspected(world: World, who: str = "ana", band: str = "case") -> str:
    """A case about somebody of both practices, with evidence of each and names of others in the detector's words."""
    with transaction(world.database) as db:
        if affiliations.live(db, world.people[who], world.harbor) is None:
            affiliations.approve(db, account_id=world.people[who], provider_id=world.harbor, by="operator")
        rows = [
            {"record": 7, "at": "2026-11-19T15:00:00Z", "device": "dev_here", "provider": world.lakeside},
            {
                "record": 8,
                "at": "2026-11-19T15:01:00Z",
                "device": "dev_there",
                "provider": world.harbor,
                "network": "203.0.113.9",
                "colleague": "Finn Oakes",
            },
        ]
        reasons = (
            Reason("role_split", 2.1, "Finn Oakes works on 203.0.113.9", 3, tuple(rows)),
            Reason("two_places", 0.7, "From Austin to 203.0.113.9", 1, (rows[1],)),
        )
        begins = clock.now() - timedelta(days=9)
        found = Finding(world.people[who], "sharing", 1.4, band, reasons, "2026-11", begins, clock.now())
        return opening.open_from_finding(db, found).id


def ask(world: World, case_id: str, practice: str | None = None) -> str:
    with transaction(world.database) as db:
        case = file.hold(db, case_id)
        if practice is None:
            assert questions.ask_person(db, case, by=world.sam)
        else:
            assert questions.ask_practice(db, case, practice, by=world.sam)
        whom = practice or case.account_id
        return next(row.id for row in questions.of_case(db, case_id) if row.whom == whom)


def answer(world: World, question: str, *, by: str, whom: str, choice: str, said: str = "") -> SecurityCase:
    audience = "practice" if whom.startswith("prv_") else "person"
    with transaction(world.database) as db:
        return questions.answer(db, question, audience, whom, by=by, choice=choice, said=said)


def status(world: World, case_id: str) -> str:
    with reading(world.database) as db:
        return db.get_one(SecurityCase, case_id).status


def test_w10_a_practice_sees_its_own_part_and_nobody_elses(world: World) -> None:
    question = ask(world, suspected(world), world.lakeside)
    with reading(world.database) as db:
        shown = asked.find(db, question, "practice", world.lakeside, reader=world.wes)
        whole = repr(shown)
        assert shown.about == "Ana Ruiz"
        assert shown.rows == ({"at": "Nov 19, 2026, 9:00 AM CST", "device": "dev_here"},)
        assert shown.seen == ("Different work is done on different devices, on the same days.",)
        for foreign in ("dev_there", "203.0.113.9", "Finn", world.harbor, "Austin", "score", "2.1"):
            assert foreign not in whole
        mails = db.execute(text("SELECT facts FROM outbox WHERE template = 'case_question_manager'")).scalars().all()
        assert len(mails) == 2, "Wes and Mia, nobody of the other practice"
        assert not any("Harbor" in str(mail) for mail in mails)


def test_every_kind_of_evidence_of_the_detector_has_a_sentence_for_outsiders() -> None:
    kinds = {*evidence.KINDS, *takeover.KINDS}
    assert not {kind for kind in kinds if words.seen(kind) == words.SEEN_OTHER}


def test_w10_another_practice_gets_404_and_so_does_whom_it_is_about(world: World) -> None:
    case_id = suspected(world, "wes")  # an access manager himself
    question = ask(world, case_id, world.lakeside)
    for by, whom in (
        (world.otto, world.harbor),  # manages another practice of the person
        (world.wes, world.lakeside),  # manages this one, and it is about himself
    ):
        with pytest.raises(NotFound):
            answer(world, question, by=by, whom=whom, choice="pool")
        with reading(world.database) as db, pytest.raises(NotFound):
            asked.find(db, question, "practice", whom, reader=by)
    with reading(world.database) as db:
        assert not asked.of_practice(db, world.lakeside, reader=world.wes)
        assert len(asked.of_practice(db, world.lakeside, reader=world.mia)) == 1
    assert answer(world, question, by=world.mia, whom=world.lakeside, choice="pool").status == "investigating"


def test_w10_an_answer_is_given_once_and_kept_in_the_file(world: World) -> None:
    case_id = suspected(world)
    question = ask(world, case_id, world.lakeside)
    assert status(world, case_id) == "waiting"
    for choice, said in (("", ""), ("mine", ""), ("other", ""), ("pool", "x" * 1001)):
        with pytest.raises(Invalid):
            answer(world, question, by=world.wes, whom=world.lakeside, choice=choice, said=said)
    answer(world, question, by=world.wes, whom=world.lakeside, choice="pool", said="Front desk, two seats")
    with pytest.raises(Conflict, match="first answer stands"):
        answer(world, question, by=world.mia, whom=world.lakeside, choice="not_ours")
    assert status(world, case_id) == "investigating"
    with reading(world.database) as db:
        [given] = [entry for entry in file.entries(db, case_id) if entry.kind == "answered"]
        assert given.by == world.wes
        assert given.body is not None
        assert (given.body["answer"], given.body["said"]) == ("pool", "Front desk, two seats")
        assert db.execute(text("SELECT count(*) FROM audit_record WHERE event = 'security.case.refused'")).scalar() == 1


def test_domain_10_an_answer_is_taken_for_72_hours_then_the_question_is_over(world: World) -> None:
    now = clock.now()
    with freeze_time(now):
        case_id = suspected(world)
        first, second = ask(world, case_id), ask(world, case_id, world.lakeside)
    with freeze_time(now + timedelta(hours=72) - timedelta(seconds=1)):
        answer(world, first, by=world.ana, whom=world.ana, choice="mine")
    with freeze_time(now + timedelta(hours=72)):
        with pytest.raises(Conflict, match="time to answer is over"):
            answer(world, second, by=world.wes, whom=world.lakeside, choice="pool")
        assert status(world, case_id) == "waiting"
        clocks.run(world.database)
        clocks.run(world.database)
        assert status(world, case_id) == "investigating"
        with reading(world.database) as db:
            assert [entry.kind for entry in file.entries(db, case_id)].count("unanswered") == 1


def test_w10_no_answer_is_taken_after_the_decision(world: World) -> None:
    case_id = suspected(world)
    question = ask(world, case_id, world.lakeside)
    with transaction(world.database) as db:
        deciding.decide(db, case_id, INNOCENT, by=world.sam)
    with pytest.raises(Conflict, match="decided already"):
        answer(world, question, by=world.wes, whom=world.lakeside, choice="pool")
    with reading(world.database) as db:
        assert not [entry for entry in file.entries(db, case_id) if entry.kind == "answered"]


def test_domain_10_a_private_question_is_the_persons_alone(world: World) -> None:
    case_id = suspected(world, band="notice")
    with reading(world.database) as db:
        [row] = questions.of_case(db, case_id)
        assert (row.audience, row.whom) == ("person", world.ana)
        assert not [line for line in desk.queue(db, by=world.sam) if line.case.id == case_id]
        told = db.execute(text("SELECT account_id FROM outbox WHERE template LIKE 'case_%'")).scalars().all()
        assert told == [world.ana]
    with pytest.raises(NotFound):
        answer(world, row.id, by=world.finn, whom=world.finn, choice="mine")
    answer(world, row.id, by=world.ana, whom=world.ana, choice="mine")
    assert status(world, case_id) == "closed"


def test_domain_10_not_me_makes_a_private_question_the_desks_and_urgent(world: World) -> None:
    now = clock.now()
    with freeze_time(now):
        case_id = suspected(world, band="notice")
        with reading(world.database) as db:
            [row] = questions.of_case(db, case_id)
        case = answer(world, row.id, by=world.ana, whom=world.ana, choice="not_me")
        assert case.status == "new"
        assert case.triage_due_at is not None
        assert case.triage_due_at <= now + timedelta(hours=4)


def test_w10_the_same_is_not_asked_twice_and_strangers_practices_not_at_all(world: World) -> None:
    case_id = suspected(world, "hana")
    ask(world, case_id, world.harbor)

    def again(db: Db, practice: str) -> Any:
        return questions.ask_practice(db, file.hold(db, case_id), practice, by=world.sam)

    with transaction(world.database) as db:
        assert again(db, world.harbor) is False
        with pytest.raises(NotFound):
            again(db, world.lakeside)
