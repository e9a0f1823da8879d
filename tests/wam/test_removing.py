"""Removing access: at once, proven by a receipt, never past one's own authority (W-5)."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlmodel import select

from idp import clock
from idp.accounts import sessions
from idp.accounts.tables import TokenFamily
from idp.database import transaction
from idp.entitlements import bundles, grants
from idp.entitlements.tables import Appointment, Assignment
from idp.errors import Conflict, Invalid, NotEntitled, NotFound, Refused
from idp.providers import affiliations, organisations
from idp.wam import appointments
from idp.wam.tables import Receipt
from tests.wam.acts import remove
from tests.wam.world import LINE, World


def held(world: World, account: str) -> set[str]:
    with transaction(world.database) as db:
        return {g.entitlement for g in grants.live(db, account, world.lakeside, clock.now())}


def test_w5_removing_all_ends_functions_tie_and_app_sign_ins_and_the_receipt_counts_them(world: World) -> None:
    secret = world.sign_in("finn")
    with transaction(world.database) as db:
        session = sessions.find(db, secret)
        assert session is not None
        for _ in range(2):
            db.add(
                TokenFamily(
                    session_id=session.id, client_id="claims", account_id=world.finn, provider_id=world.lakeside
                )
            )
    receipt = remove(world, world.wes, world.finn)
    assert receipt.facts["whole"] is True
    assert (len(receipt.facts["functions"]), receipt.facts["families"], receipt.facts["sessions"]) == (6, 2, 0)
    assert held(world, world.finn) == set()
    with transaction(world.database) as db:
        assert affiliations.live(db, world.finn, world.lakeside) is None
        assert sessions.find(db, secret) is not None
        kinds = set(db.execute(text("SELECT kind FROM revocation")).scalars())
        assert (
            db.execute(
                text("SELECT authz_epoch FROM account_version WHERE account_id = :a"), {"a": world.finn}
            ).scalar_one()
            > 1
        )
        numbers = list(db.execute(text("SELECT seq FROM revocation ORDER BY seq")).scalars())
        kept = db.get(Receipt, receipt.id)
        assert kept is not None
        assert kept.facts["numbers"] == [numbers[0], numbers[-1]], "the proof of who heard starts here"
    assert {"grant_ended", "affiliation_ended"} <= kinds


def test_w5_misuse_also_ends_the_browser_sessions(world: World) -> None:
    secret = world.sign_in("finn")
    receipt = remove(world, world.wes, world.finn, reason="misuse")
    assert receipt.facts["sessions"] == 1
    with transaction(world.database) as db:
        assert sessions.find(db, secret) is None


def test_w5_one_function_ends_and_the_others_stay(world: World) -> None:
    before = held(world, world.finn)
    receipt = remove(world, world.wes, world.finn, function="message.send", reason="role_change")
    assert receipt.facts["functions"] == ["message.send"]
    assert held(world, world.finn) == before - {"message.send"}


def test_w5_the_same_form_sent_again_gives_the_same_receipt(world: World) -> None:
    first = remove(world, world.wes, world.finn)
    assert remove(world, world.wes, world.finn).id == first.id


def test_w5_a_double_click_removes_once(world: World) -> None:
    made: list[str] = []
    together = threading.Barrier(2)

    def click() -> None:
        together.wait()
        made.append(remove(world, world.wes, world.finn).id)

    threads = [threading.Thread(target=click) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 2
    assert len(set(made)) == 1


@pytest.mark.parametrize(
    ("chosen", "field"),
    [
        ({"reason": ""}, "reason"),
        ({"reason": "because"}, "reason"),
        ({"reason": "other"}, "note"),
        ({"reason": "left", "note": "x" * 201}, "note"),
        ({"left_at": clock.now() + timedelta(days=1)}, "left"),
    ],
)
def test_w5_a_reason_is_required_and_a_leaving_time_is_never_in_the_future(
    world: World, chosen: dict[str, object], field: str
) -> None:
    with pytest.raises(Invalid) as problem:
        remove(world, world.wes, world.finn, **chosen)
    assert field in problem.value.fields
    assert held(world, world.finn)


def test_w5_what_was_removed_already_cannot_be_removed_again_with_a_new_form(world: World) -> None:
    remove(world, world.wes, world.finn)
    with pytest.raises(Invalid, match="ended already"):
        remove(world, world.mia, world.finn, form_id="another-form")
    with pytest.raises(Invalid, match="removed already"):
        remove(world, world.mia, world.ana, function="remit.view", form_id="a-third-form")


def test_security_62_a_manager_of_another_practice_removes_nothing(world: World) -> None:
    with pytest.raises(NotEntitled):
        remove(world, world.otto, world.finn)
    with pytest.raises(NotFound):
        remove(world, world.wes, world.hana)
    assert held(world, world.finn)


def test_w5_a_manager_of_one_line_leaves_the_other_lines_alone(world: World) -> None:
    with transaction(world.database) as db:
        organisations.open_portal(db, world.lakeside, "dental", by="operator")
        bundles.assign(
            db,
            account_id=world.finn,
            provider_id=world.lakeside,
            line="dental",
            bundle="front_desk",
            by="operator",
            reason="set up",
        )
    with pytest.raises(NotEntitled):
        remove(world, world.wes, world.finn, lines=["medical", "dental"])
    receipt = remove(world, world.wes, world.finn, form_id="medical-only")
    assert receipt.facts["whole"] is False
    with transaction(world.database) as db:
        assert {g.line_of_business for g in grants.live(db, world.finn, world.lakeside, clock.now())} == {"dental"}
        assert affiliations.live(db, world.finn, world.lakeside) is not None
        open_jobs = db.exec(
            select(Assignment.line).where(Assignment.account_id == world.finn, Assignment.ended_at == None)  # noqa: E711
        ).all()
    assert open_jobs == ["dental"]


def test_w5_nobody_removes_themselves(world: World) -> None:
    with pytest.raises(NotEntitled, match="yourself"):
        remove(world, world.wes, world.wes)


def test_w9_a_manager_can_be_removed_while_another_is_left_and_the_last_one_never(world: World) -> None:
    remove(world, world.wes, world.mia)
    with transaction(world.database) as db:
        assert {a.account_id for a in appointments.in_force(db, world.lakeside, LINE, clock.now())} == {world.wes}
        mine = db.exec(select(Appointment).where(Appointment.account_id == world.wes)).one()
    with pytest.raises(appointments.LastManager), transaction(world.database) as db:
        appointments.end(db, mine, by=world.wes, reason="left")


def test_w9_two_managers_removing_each_other_at_once_leave_one(world: World) -> None:
    answers: list[str] = []
    together = threading.Barrier(2)

    def cut(by: str, other: str) -> None:
        together.wait()
        try:
            remove(world, by, other, form_id=f"by-{by}")
            answers.append("done")
        except Refused as refusal:
            answers.append(refusal.code)

    pairs = ((world.wes, world.mia), (world.mia, world.wes))
    threads = [threading.Thread(target=cut, args=pair) for pair in pairs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers.count("done") == 1, answers
    with transaction(world.database) as db:
        assert len(appointments.in_force(db, world.lakeside, LINE, clock.now())) == 1


def test_w9_one_to_fifteen_managers_for_each_practice_and_line(world: World) -> None:
    from tests.wam.world import person

    with transaction(world.database) as db:
        for number in range(13):
            account = person(db, world, f"m{number}", f"Manager {number}", world.lakeside, ial=2)
            appointments.appoint(db, account_id=account, provider_id=world.lakeside, by="operator")
    with pytest.raises(Conflict, match="at most 15"), transaction(world.database) as db:
        appointments.appoint(db, account_id=world.ana, provider_id=world.lakeside, by="operator")
    with transaction(world.database) as db:
        appointments.appoint(db, account_id=world.ana, provider_id=world.lakeside, line="dental", by="operator")


def test_w9_nobody_is_appointed_twice_nor_while_able_to_redirect_payments(world: World) -> None:
    with pytest.raises(Conflict, match="already"), transaction(world.database) as db:
        appointments.appoint(db, account_id=world.wes, provider_id=world.lakeside, by="operator")
    with transaction(world.database) as db:
        grants.grant(
            db,
            account_id=world.finn,
            provider_id=world.lakeside,
            line=LINE,
            entitlement="eft.manage",
            by="operator",
            reason="set up",
        )
    with pytest.raises(Conflict, match="payments"), transaction(world.database) as db:
        appointments.appoint(db, account_id=world.finn, provider_id=world.lakeside, by="operator")


def test_w9_what_a_departing_manager_gave_stays(world: World) -> None:
    with transaction(world.database) as db:
        grants.grant(
            db,
            account_id=world.ana,
            provider_id=world.lakeside,
            line=LINE,
            entitlement="remit.view",
            by=world.mia,
            reason="new biller",
        )
    remove(world, world.wes, world.mia)
    assert held(world, world.ana) == {"remit.view"}
