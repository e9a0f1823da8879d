"""A suspicion that was wrong gives back what it paused, says what it can't, and all who had heard hear (SE-3)."""

from datetime import timedelta

import orjson
import pytest
from freezegun import freeze_time
from sqlalchemy import text
from sqlmodel import col, select

from idp import clock, configuration
from idp.accounts import moved
from idp.accounts.tables import Login, Password
from idp.audit import log
from idp.audit.events import Event
from idp.cases import file, questions, remaining
from idp.cases.tables import CaseAction, CaseQuestion, SecurityCase
from idp.casework import clocks, judging
from idp.casework.acting import Wish
from idp.casework.deciding import Verdict
from idp.database import reading, transaction
from tests.cases.test_deciding import SHARED, TAKEN, WHY, appointment, confirm, decide, one, tell, want
from tests.cases.test_desk_pause import answer, held
from tests.cases.test_opening import opened
from tests.cases.test_second_person import appealed, overturn, status
from tests.wam.world import World

INNOCENT = Verdict("innocent", WHY, cause="mistake")
only_sqlite = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


def mails(world: World, template: str) -> list[tuple[str, str]]:
    with reading(world.database) as db:
        rows = db.execute(text("SELECT account_id, facts FROM outbox WHERE template = :t ORDER BY id"), {"t": template})
        return [(row[0], " ".join(str(v) for v in orjson.loads(row[1]).values())) for row in rows]


def stays(world: World, case_id: str) -> list[str]:
    with reading(world.database) as db:
        return [each.desk for each in remaining.of_case(db, db.get_one(SecurityCase, case_id))]


def whole(world: World, case_id: str) -> bool:
    with transaction(world.database) as db:
        return file.check(db, file.hold(db, case_id)).whole


def test_se_3_a_won_appeal_gives_back_what_the_case_paused_and_held(world: World) -> None:
    function = next(key for key in held(world) if answer(world, key) == "permit")
    case_id = opened(world, "finn")
    decide(world, case_id, SHARED, Wish("pause_access", world.lakeside), Wish("suspend"))
    assert (answer(world, function), status(world, "finn")) != ("permit", "active")
    appealed(world, case_id)
    overturn(world, case_id, "sue")
    assert (answer(world, function), status(world, "finn")) == ("permit", "active")
    assert stays(world, case_id) == []
    with reading(world.database) as db:
        acted = [
            entry.body or {} for entry in file.entries(db, case_id) if entry.kind == "acted" and entry.by == world.sue
        ]
    assert {body["kind"] for body in acted} == {"resume_access", "lift_hold"}, "recorded in the file, by who judged"
    assert whole(world, case_id)
    [(who, said)] = mails(world, "case_appeal_decided")
    assert who == world.finn
    assert "given back" in said
    assert "hold on the account was lifted" in said
    practice = mails(world, "case_appeal_won_manager")
    assert {who for who, _ in practice} == {world.wes, world.mia}, "who had heard of it hears that it was wrong"
    assert all("given back" in said for _, said in practice)
    assert not mails(world, "case_told_more"), "one mail says it"


@only_sqlite
def test_se_3_an_appeal_that_is_lost_gives_nothing_back_and_no_practice_hears(world: World) -> None:
    case_id = opened(world, "finn")
    decide(world, case_id, SHARED, Wish("suspend"))
    appealed(world, case_id)
    with transaction(world.database) as db:
        judging.decide(db, case_id, by=world.sue, outcome="upheld", reason=WHY)
    assert status(world, "finn") == "suspended"
    assert not mails(world, "case_appeal_won_manager")
    [(_, said)] = mails(world, "case_appeal_decided")
    assert "What this changes" not in said


@only_sqlite
def test_se_3_what_was_ended_is_named_with_whom_to_ask_until_it_is_back(world: World) -> None:
    case_id = opened(world, "finn")
    decide(world, case_id, SHARED, Wish("end_access", world.lakeside))
    confirmed = want(world, case_id, "close")
    confirm(world, confirmed, "sue")
    appealed(world, case_id)
    overturn(world, case_id, "kim")
    access, account = stays(world, case_id)
    assert "Lakeside Clinic was ended" in access
    assert "ended for good" in account
    [(_, said)] = mails(world, "case_appeal_decided")
    assert "ask an access manager there" in said
    assert "an ended account can't be opened again: call us" in said
    assert "add them again" in mails(world, "case_appeal_won_manager")[0][1]


@only_sqlite
def test_se_3_an_ended_manager_is_named_too(world: World) -> None:
    case_id = opened(world, "wes")
    decide(world, case_id, TAKEN)
    confirm(world, want(world, case_id, "end_manager", appointment(world, "wes")), "sue")
    appealed(world, case_id)
    overturn(world, case_id, "kim")
    [role] = stays(world, case_id)
    assert "access manager at Lakeside Clinic was ended" in role


@only_sqlite
def test_se_3_what_another_case_wants_paused_stays_paused(world: World) -> None:
    function = next(key for key in held(world) if answer(world, key) == "permit")
    first = opened(world, "finn")
    decide(world, first, SHARED, Wish("pause_access", world.lakeside))
    appealed(world, first)
    other = opened(world, "finn", kind="takeover")
    with transaction(world.database) as db:  # more is given, and the other case pauses that
        db.execute(
            text("UPDATE \"grant\" SET ended_at = :n WHERE entitlement = :e AND effect = 'deny'"),
            {"n": clock.micros(clock.now()), "e": function},
        )
    want(world, other, "pause_access", world.lakeside)
    overturn(world, first, "sue")
    assert answer(world, function) == "grant_suspended"
    assert "another case" in stays(world, first)[0]
    [(_, said)] = mails(world, "case_appeal_decided")
    assert "stays paused" in said
    assert "given back" not in said
    decide(world, other, INNOCENT)
    assert answer(world, function) == "permit", "nobody wants it any more"


@only_sqlite
@pytest.mark.parametrize("before", [None, "stopped", "told"])
def test_se_3_a_login_the_case_paused_works_again_unless_somebody_else_had_stopped_it(
    world: World, before: str | None
) -> None:
    with transaction(world.database) as db:
        login = Login(account_id=world.finn, issuer="https://idp.example", subject="finn", upstream_id="ups_x")
        db.add(login)
        db.flush()
        target = login.id
        if before == "stopped":
            moved.hold_for_organization(db, target, "Cedar")
    case_id = opened(world, "finn")
    if before != "stopped":
        want(world, case_id, "hold_login", target)
    else:
        with transaction(world.database) as db:  # the page does not offer it then; an older record may say it
            moved.hold_for_security(db, target, by=world.sam)
            db.add(
                CaseAction(
                    case_id=case_id,
                    kind="hold_login",
                    target=target,
                    status="done",
                    asked_by=world.sam,
                    reason=WHY,
                    done_at=clock.now(),
                )
            )
    if before == "told":  # while it is paused, its organization says something about it
        with transaction(world.database) as db:
            log.record(db, Event("signals.partner.heard", account=world.finn))
    decide(world, case_id, INNOCENT)
    with reading(world.database) as db:
        assert (db.get_one(Login, target).held_at is None) == (before is None)
    assert bool(stays(world, case_id)) == (before is not None)


def test_se_3_a_verdict_of_innocent_gives_back_what_was_paused_before_and_says_so(world: World) -> None:
    function = next(key for key in held(world) if answer(world, key) == "permit")
    case_id = opened(world, "finn", "containment")
    want(world, case_id, "pause_access", world.lakeside)
    tell(world, case_id)
    decide(world, case_id, INNOCENT)
    assert answer(world, function) == "permit"
    tell(world, case_id)
    [(_, said)] = mails(world, "case_told")
    assert "given back" in said
    assert "given back" in mails(world, "case_told_manager")[-1][1]
    assert whole(world, case_id)


@only_sqlite
def test_se_3_innocent_with_give_back_chosen_by_hand_gives_it_back_once(world: World) -> None:
    function = next(key for key in held(world) if answer(world, key) == "permit")
    case_id = opened(world, "finn")
    want(world, case_id, "pause_access", world.lakeside)
    decide(world, case_id, INNOCENT, Wish("resume_access", world.lakeside))
    assert answer(world, function) == "permit"
    assert one(world, "SELECT count(*) FROM case_action WHERE kind = 'resume_access'") == 1


@only_sqlite
def test_se_3_a_question_the_decision_closes_is_not_called_late(world: World) -> None:
    case_id, late, now = opened(world, "ana"), opened(world, "finn"), clock.now()
    with reading(world.database) as db:
        over = now + configuration.current(db).clocks.case_answer + timedelta(minutes=1)
    with transaction(world.database) as db:
        for each in (case_id, late):
            questions.ask_person(db, file.hold(db, each), by=world.sam)
    decide(world, case_id)
    with freeze_time(over):
        clocks.run(world.database)
    with reading(world.database) as db:
        rows = {row.case_id: row for row in db.exec(select(CaseQuestion).where(col(CaseQuestion.audience) == "person"))}
        assert questions.closed_early(rows[case_id])
        assert not questions.closed_early(rows[late])
        kinds = {each: [entry.kind for entry in file.entries(db, each)] for each in (case_id, late)}
    assert "question_closed" in kinds[case_id]
    assert "unanswered" not in kinds[case_id]
    assert "unanswered" in kinds[late]
    assert one(world, "SELECT count(*) FROM audit_record WHERE event = 'security.case.question_closed'") == 1


@only_sqlite
def test_se_3_ended_sign_ins_and_credentials_are_named_to_all_until_the_person_is_back(world: World) -> None:
    case_id = opened(world, "finn")
    with transaction(world.database) as db:
        db.add(Password(login_id=world.logins["finn"], hash="made anew in a moment"))
    want(world, case_id, "end_sessions")
    want(world, case_id, "new_credentials")
    decide(world, case_id, INNOCENT)
    [desk] = stays(world, case_id)
    assert "can't be given back" in desk
    tell(world, case_id)
    [(_, said)] = mails(world, "case_told")
    assert "I can't sign in" in said
    assert all("vouch for them" in said for _, said in mails(world, "case_told_manager"))
    with freeze_time(clock.now() + timedelta(minutes=1)), transaction(world.database) as db:
        db.get_one(Password, world.logins["finn"]).changed_at = clock.now()
    assert stays(world, case_id) == [
        "The sign-ins that were ended don't come back: the person signs in again, with everything they had."
    ]


def test_domain_10_who_lost_their_way_in_is_told_the_way_back(world: World) -> None:
    case_id = opened(world, "finn", kind="takeover")
    decide(world, case_id, Verdict("compromised", WHY), Wish("new_credentials"))
    tell(world, case_id)
    [(_, said)] = mails(world, "case_told")
    assert "/recover." in said
    assert "vouch for you" in said
    assert all("/recover" not in told for _, told in mails(world, "case_told_manager"))
