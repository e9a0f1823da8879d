"""Decided once, with a reason, never about oneself; ending a manager takes two people and leaves no practice bare."""

import re
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from freezegun import freeze_time
from sqlalchemy import text

from idp import clock
from idp.cases import appeals, file, labels, opening, telling
from idp.cases.tables import CaseAction, SecurityCase
from idp.casework import acting, clocks, deciding, desk, interim, judging, second_words
from idp.casework.acting import Wish
from idp.casework.deciding import Verdict
from idp.database import reading, transaction
from idp.errors import Conflict, Invalid, NotEntitled, NotFound, Refused
from idp.sharing import reading as files
from idp.wam import appointments
from tests.cases.test_opening import finding, opened
from tests.wam.world import LINE, World

WHY = "Both desks were in use at once, and the person said so."
SHARED = Verdict("substantiated", WHY, pattern="at_once")
TAKEN = Verdict("compromised", WHY)


def one(world: World, sql: str, **values: Any) -> Any:
    with reading(world.database) as db:
        return db.execute(text(sql), values).scalar()


def decide(world: World, case_id: str, verdict: Verdict = SHARED, *wishes: Wish, by: str = "sam") -> None:
    with transaction(world.database) as db:
        deciding.decide(db, case_id, verdict, wishes, by=world.people[by])


def want(world: World, case_id: str, *wish: str | None, by: str = "sam") -> CaseAction:
    with transaction(world.database) as db:
        return acting.want(db, case_id, Wish(*wish), by=world.people[by], reason=WHY)  # type: ignore[arg-type]


def confirm(world: World, action: CaseAction, by: str) -> CaseAction:
    with transaction(world.database) as db:
        return second_words.confirm(db, action.id, by=world.people[by])


def appointment(world: World, who: str) -> str:
    with reading(world.database) as db:
        return interim.managed(db, world.people[who])[0].id


def tell(world: World, case_id: str) -> None:
    with transaction(world.database) as db:
        deciding.tell_now(db, case_id, by=world.sam)


def link(world: World) -> str:
    facts = one(world, "SELECT facts FROM outbox WHERE template = 'case_told' ORDER BY id DESC LIMIT 1")
    found = re.search(r"/report/appeal/(\S+)", orjson.loads(facts)["appeal"])
    assert found is not None
    return found[1]


@pytest.mark.parametrize(
    ("verdict", "field"),
    [
        (Verdict("substantiated", "", pattern="at_once"), "reason"),
        (Verdict("substantiated", "because", pattern="at_once"), "reason"),
        (Verdict("guilty", WHY), "decision"),
        (Verdict("innocent", WHY), "cause"),
        (Verdict("substantiated", WHY), "pattern"),
    ],
)
@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_domain_10_nothing_is_decided_without_a_decision_a_reason_and_its_cause(
    world: World, verdict: Verdict, field: str
) -> None:
    case_id = opened(world, "ana")
    with pytest.raises(Invalid) as refused:
        decide(world, case_id, verdict)
    assert field in refused.value.fields
    assert one(world, "SELECT status FROM security_case") == "new"


def test_domain_10_nobody_of_the_desk_sees_or_works_a_case_about_themselves(world: World) -> None:
    case_id = opened(world, "sam")
    work: tuple[Callable[[Any], object], ...] = (
        lambda db: desk.seen_by(db, case_id, world.sam),
        lambda db: desk.take(db, case_id, by=world.sam),
        lambda db: desk.note(db, case_id, by=world.sam, said="nothing here"),
        lambda db: deciding.decide(db, case_id, Verdict("innocent", WHY, cause="pool"), by=world.sam),
        lambda db: acting.want(db, case_id, Wish("education"), by=world.sam, reason=WHY),
    )
    for act in work:
        with pytest.raises(NotFound), transaction(world.database) as db:
            act(db)
    with reading(world.database) as db:
        assert not desk.queue(db, by=world.sam)
        assert len(desk.queue(db, by=world.sue)) == 1
    assert one(world, "SELECT count(*) FROM audit_record WHERE event = 'security.case.refused'") == len(work)
    for who in (world.sam, "acc_nobody"):
        with pytest.raises(Invalid), transaction(world.database) as db:
            desk.open_by_hand(db, by=world.sam, account_id=who, kind="misuse", why="nothing to see here")


def test_se_3_first_decision_holds_and_a_changed_case_is_looked_at_again(world: World) -> None:
    case_id = opened(world, "ana")
    with reading(world.database) as db:
        seen = db.get_one(SecurityCase, case_id).entries
    opened(world, "ana")
    with pytest.raises(Conflict, match="added"), transaction(world.database) as db:
        deciding.decide(db, case_id, SHARED, by=world.sam, seen=seen)
    together, said = threading.Barrier(2), []

    def go(by: str) -> None:
        together.wait()
        try:
            decide(world, case_id, by=by)
            said.append("done")
        except Refused as problem:
            said.append(problem.code)

    threads = [threading.Thread(target=go, args=(by,)) for by in ("sam", "sue")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said) == ["conflict", "done"]
    with transaction(world.database) as db:
        assert file.check(db, file.hold(db, case_id)).whole


def test_domain_10_ending_a_manager_needs_two_different_people(world: World) -> None:
    case_id, target = opened(world, "wes"), appointment(world, "wes")
    action = want(world, case_id, "end_manager", target)
    assert action.status == "waiting"
    assert one(world, "SELECT count(*) FROM outbox WHERE template = 'case_second_word'") == 2, "Sue and Kim, not Sam"
    with pytest.raises(NotEntitled, match="Two different people"):
        confirm(world, action, "sam")
    with pytest.raises(Conflict, match="waits"):
        want(world, case_id, "end_manager", target, by="sue")
    assert one(world, "SELECT ended_at FROM appointment WHERE id = :i", i=target) is None
    assert confirm(world, action, "sue").status == "done"
    assert one(world, "SELECT ended_by FROM appointment WHERE id = :i", i=target) == world.sue
    for by in ("sue", "kim"):
        with pytest.raises(Conflict):
            confirm(world, action, by)
    with reading(world.database) as db:
        acted = next(entry for entry in file.entries(db, case_id) if entry.kind == "acted")
        assert acted.body is not None
        assert (acted.by, acted.body["asked_by"]) == (world.sue, world.sam)


def test_domain_10_whom_a_case_is_about_never_gives_the_second_word(world: World) -> None:
    with transaction(world.database) as db:
        appointments.appoint(db, account_id=world.kim, provider_id=world.lakeside, by="operator")
    action = want(world, opened(world, "kim"), "end_manager", appointment(world, "kim"))
    with pytest.raises(NotFound):
        confirm(world, action, "kim")


def test_domain_2_7_the_last_manager_goes_only_with_an_interim_one_of_the_practice(world: World) -> None:
    case_id, target = opened(world, "otto"), appointment(world, "otto")  # the only one of Harbor
    for nobody in (None, world.otto, world.wes, world.hana):  # none; himself; a stranger; identity not proven
        with pytest.raises(Invalid):
            want(world, case_id, "end_manager", target, nobody)
    with transaction(world.database) as db:
        db.execute(text("UPDATE account SET ial = 2 WHERE id = :a"), {"a": world.hana})
    with pytest.raises(Invalid, match="meanwhile"):
        want(world, case_id, "end_manager", target, world.wes)
    action = want(world, case_id, "end_manager", target, world.hana)
    confirm(world, action, "kim")
    with reading(world.database) as db:
        assert appointments.able(db, world.harbor, LINE) == {world.hana}
    assert one(world, "SELECT count(*) FROM outbox WHERE template = 'case_interim' AND account_id = :a", a=world.hana)


def test_domain_2_7_no_other_action_takes_a_practices_last_manager_by_the_back_door(world: World) -> None:
    case_id = opened(world, "otto")
    for wish in (("suspend", ""), ("close", ""), ("end_access", world.harbor)):
        with pytest.raises(Invalid):
            want(world, case_id, *wish)
    with transaction(world.database) as db:
        db.execute(text("UPDATE account SET ial = 2 WHERE id = :a"), {"a": world.hana})
    action = want(world, case_id, "suspend", "", world.hana)
    assert action.status == "waiting"
    with transaction(world.database) as db:  # the candidate is gone before the second word
        db.execute(text("UPDATE account SET status = 'suspended' WHERE id = :a"), {"a": world.hana})
    with pytest.raises(Invalid):
        confirm(world, action, "sue")
    assert one(world, "SELECT status FROM account WHERE id = :a", a=world.otto) == "active"


def test_domain_10_a_second_word_waits_seven_days(world: World) -> None:
    now = clock.now()
    with freeze_time(now):
        action = want(world, opened(world, "wes"), "end_manager", appointment(world, "wes"))
    with freeze_time(now + timedelta(days=7)):
        with pytest.raises(Conflict):
            confirm(world, action, "sue")
        clocks.run(world.database)
        assert one(world, "SELECT status FROM case_action") == "lapsed"
        assert one(world, "SELECT ended_at FROM appointment WHERE account_id = :a", a=world.wes) is None


def test_se_3_actions_are_previewed_carried_out_and_recorded(world: World) -> None:
    world.sign_in("finn")
    case_id = opened(world, "finn")
    with transaction(world.database) as db:
        case = file.hold(db, case_id)
        effect = acting.preview(db, case, Wish("pause_access", world.lakeside))
        assert (effect.practices, effect.managers, effect.two) == (("Lakeside Clinic",), 2, False)
        assert effect.functions > 0
        assert acting.preview(db, case, Wish("end_sessions")).sessions == 1
        for wrong in (
            Wish("burn"),
            Wish("pause_access", world.harbor),
            Wish("hold_login", "lgn_x"),
            Wish("close", "x"),
        ):
            with pytest.raises(Invalid):
                acting.preview(db, case, wrong)
    decide(world, case_id, SHARED, Wish("pause_access", world.lakeside), Wish("end_sessions"), Wish("education"))
    assert not one(world, "SELECT count(*) FROM session WHERE account_id = :a AND ended_at IS NULL", a=world.finn)
    denied = "SELECT count(*) FROM \"grant\" WHERE account_id = :a AND effect = 'deny' AND ended_at IS NULL"
    assert one(world, denied, a=world.finn) == effect.functions
    assert one(world, "SELECT count(*) FROM audit_record WHERE event = 'security.case.acted'") == 3
    with transaction(world.database) as db:
        assert file.check(db, file.hold(db, case_id)).whole


def test_se_3_an_action_that_cannot_be_done_undoes_the_decision_with_it(world: World) -> None:
    case_id = opened(world, "ana")  # holds nothing that could be paused
    with pytest.raises(Conflict, match="nothing to pause"):
        decide(world, case_id, SHARED, Wish("pause_access", world.lakeside))
    assert one(world, "SELECT status FROM security_case") == "new"
    assert one(world, "SELECT count(*) FROM audit_record WHERE event = 'security.case.decided'") == 0


def test_se_3_new_credentials_close_the_old_ones_and_access_stays(world: World) -> None:
    world.sign_in("finn")
    decide(world, opened(world, "finn", kind="takeover"), TAKEN, Wish("new_credentials"))
    assert not one(world, "SELECT count(*) FROM session WHERE account_id = :a AND ended_at IS NULL", a=world.finn)
    assert not one(world, "SELECT count(*) FROM factor WHERE account_id = :a AND ended_at IS NULL", a=world.finn)
    held = "SELECT count(*) FROM \"grant\" WHERE account_id = :a AND effect = 'allow' AND ended_at IS NULL"
    assert one(world, held, a=world.finn)


def test_domain_10_those_concerned_hear_within_24_hours_or_why_not_is_written_down(world: World) -> None:
    now = clock.now()
    with freeze_time(now):
        case_id = opened(world, "finn")
        decide(world, case_id, SHARED, Wish("education"))
    told = "SELECT count(*) FROM outbox WHERE template IN ('case_told', 'case_told_manager')"
    with freeze_time(now + timedelta(hours=24) - timedelta(seconds=1)):
        clocks.run(world.database)
        assert not one(world, told)
        for short in ("", "later"):
            with pytest.raises(Invalid), transaction(world.database) as db:
                telling.delay(db, case_id, by=world.sam, why=short)
        with transaction(world.database) as db:
            telling.delay(db, case_id, by=world.sam, why="The police asked us to wait a day.")
    with freeze_time(now + timedelta(hours=24)):
        clocks.run(world.database)
        assert not one(world, told)
    with freeze_time(now + timedelta(hours=48)):
        clocks.run(world.database)
        clocks.run(world.database)
        assert one(world, told) == 3, "Finn, Wes and Mia, once each"
    manager = one(world, "SELECT facts FROM outbox WHERE template = 'case_told_manager' LIMIT 1")
    assert WHY not in manager, "a practice hears what was done, not why"


def test_se_3_an_appeal_works_by_its_link_once_and_another_person_decides_it(world: World) -> None:
    case_id = opened(world, "finn")
    decide(world, case_id, SHARED, Wish("suspend"))  # cannot sign in to appeal
    tell(world, case_id)
    carried = link(world)
    for wrong in (carried[:-1] + ("0" if carried[-1] != "0" else "1"), carried.upper(), "x", "", "é-" + carried):
        with pytest.raises(NotFound), transaction(world.database) as db:
            appeals.appeal(db, wrong, "That was me")
    with pytest.raises(Invalid), transaction(world.database) as db:
        appeals.appeal(db, carried, "  ")
    with transaction(world.database) as db:
        appeals.appeal(db, carried, "I was on call and used both.")
    with pytest.raises(Conflict, match="appealed already"), transaction(world.database) as db:
        appeals.appeal(db, carried, "And again")

    def judge(by: str, **more: str) -> None:
        with transaction(world.database) as db:
            judging.decide(db, case_id, by=world.people[by], **({"outcome": "overturned", "reason": WHY} | more))

    for by in ("sam", "finn"):
        with pytest.raises((NotEntitled, NotFound)):
            judge(by)
    for wrong in ({"outcome": "maybe"}, {"reason": "no"}):
        with pytest.raises(Invalid):
            judge("sue", **wrong)
    judge("sue")
    with pytest.raises(Conflict):
        judge("kim")
    assert one(world, "SELECT decision FROM security_case") == "innocent"
    assert one(world, "SELECT label FROM case_label") == "none", "the label follows"
    assert one(world, "SELECT count(*) FROM outbox WHERE template = 'case_appeal_decided'") == 1


def test_domain_10_an_appeal_is_taken_for_30_days(world: World) -> None:
    now = clock.now()
    with freeze_time(now):
        case_id = opened(world, "finn")
        decide(world, case_id)
        tell(world, case_id)
        carried = link(world)
    with freeze_time(now + timedelta(days=30)), pytest.raises(NotFound), transaction(world.database) as db:
        appeals.appeal(db, carried, "Too late")
    with freeze_time(now + timedelta(days=30) - timedelta(seconds=1)), transaction(world.database) as db:
        appeals.appeal(db, carried, "Just in time")


def test_domain_10_labels_are_written_as_the_detectors_evaluation_reads_them(world: World, tmp_path: Path) -> None:
    decide(world, opened(world, "ana"), SHARED)
    decide(world, opened(world, "finn", kind="takeover"), TAKEN)
    decide(world, opened(world, "hana"), Verdict("innocent", WHY, cause="pool"))
    decide(world, opened(world, "mia"), Verdict("inconclusive", WHY))
    with reading(world.database) as db:
        lines = [orjson.dumps(dict(label)) for label in labels.written(db)]
        stored = dict(db.execute(text("SELECT account_id, label FROM case_label")).all())
    path = tmp_path / "labels.jsonl"
    path.write_bytes(b"\n".join(lines))
    read = {label.account: label for label in files.labels(path)}
    assert {who: label.label for who, label in read.items()} == {world.ana: "sharing", world.finn: "takeover"}
    assert read[world.ana].pattern == "at_once"
    assert read[world.ana].ends - read[world.ana].begins == pytest.approx(14 * 86400, abs=1)
    assert stored[world.hana] == "none"
    assert world.mia not in stored


def test_domain_10_a_case_nobody_takes_is_escalated_once_to_everybody_but_whom_it_is_about(world: World) -> None:
    now = clock.now()
    with freeze_time(now):
        opened(world, "sam", "containment")
    mails = "SELECT count(*) FROM outbox WHERE template = 'case_overdue'"
    with freeze_time(now + timedelta(hours=4) - timedelta(seconds=1)):
        clocks.run(world.database)
        assert not one(world, mails)
    with freeze_time(now + timedelta(hours=4)):
        clocks.run(world.database)
        clocks.run(world.database)
        assert one(world, mails) == 2


def test_ru_7_a_report_about_nobody_we_know_opens_a_case_whose_person_is_named_later(world: World) -> None:
    with transaction(world.database) as db:
        case = opening.open_case(db, kind="misuse", source="report", account_id=None, evidence={"words": "the red one"})
        case_id = case.id
    with pytest.raises(Conflict, match="whom"):
        decide(world, case_id)
    with transaction(world.database) as db:
        for wrong in (world.sam, "acc_nobody", ""):
            with pytest.raises(Invalid):
                desk.name(db, case_id, by=world.sam, account_id=wrong)
        desk.name(db, case_id, by=world.sam, account_id=world.ana)
    decide(world, case_id)
    with transaction(world.database) as db:
        assert file.check(db, file.hold(db, case_id)).whole


def test_domain_10_a_finding_while_the_case_is_decided_opens_the_next(world: World) -> None:
    decide(world, opened(world, "ana"))
    with transaction(world.database) as db:
        again = opening.open_from_finding(db, finding(world.ana))
        assert again.status == "new"
        assert len(desk.of_person(db, world.ana, but=again.id)) == 1
