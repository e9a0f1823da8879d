"""W-6: a practice lets an outside company work for it, and what must not get past that."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from freezegun import freeze_time
from sqlalchemy import text

from idp import clock
from idp.database import Database, transaction
from idp.entitlements import delegations
from idp.entitlements.tables import Delegation
from idp.errors import Conflict, Invalid, NotEntitled, NotFound, Refused
from idp.jobs import expiries
from idp.leaving import delegations as ending
from idp.leaving import partners as leaving
from idp.partners import members
from idp.providers import organisations
from idp.wam import company, delegating, delegation_lost
from tests.engines import Filling
from tests.wam.third_parties import FILLING, Parties


@pytest.fixture
def filling() -> Filling:
    return FILLING


@pytest.fixture
def world(database: Database, facts: dict[str, Any]) -> Parties:
    return Parties(database, **facts)


def refused(kind: type[Refused], work: Callable[[], object], match: str | None = None) -> None:
    with pytest.raises(kind, match=match):
        work()


def test_w6_practice_company_administrator_person_each_within_the_one_before(world: Parties) -> None:
    made = world.delegate()
    assert not world.can("bo"), "a delegation gives nobody access by itself"
    world.assign(made)
    found = world.decide("bo")
    assert found.outcome == "step_up"
    assert made in found.because
    assert not world.can("bo", "remit.view")
    assert not world.can("bo", line="dental")
    assert not world.can("bo", provider_id=world.harbor)
    assert not world.can("cy")
    with transaction(world.database) as db:
        told = db.execute(text("SELECT DISTINCT recipient FROM outbox WHERE template = 'delegation_made'")).scalars()
        assert "ada@company.example" in set(told)


def test_w6_the_practice_can_hand_on_no_more_than_it_holds_and_never_money_or_access(world: Parties) -> None:
    for scope in (
        world.scope("eft.manage"),
        world.scope("access.view"),
        world.scope("access.manage"),
        world.scope("audit.search"),
        world.scope("no.such"),
        world.scope("remit.view", lines=("medical", "dental", "behavioural")),
        world.scope("fee.view", lines=("dental",)),
        world.scope(locations=()),
        world.scope(locations=("loc_elsewhere",)),
        world.scope(ends_at=None),
        world.scope(days=-1),
        world.scope(days=800),
        world.scope(lines=()),
    ):
        with pytest.raises((Invalid, NotEntitled)):
            world.delegate(scope)
    assert world.row(world.delegate(world.scope("fee.view"))).status == "active"


def test_w6_only_an_access_manager_of_that_line_and_practice_delegates_and_never_to_a_company_of_their_own(
    world: Parties,
) -> None:
    refused(NotEntitled, lambda: world.delegate(by="finn"))
    refused(NotEntitled, lambda: world.delegate(by="otto"))
    refused(NotEntitled, lambda: world.delegate(by="ada"))
    refused(NotEntitled, lambda: world.delegate(world.scope(lines=("medical", "dental")), by="mia"))
    refused(Invalid, lambda: world.delegate(partner_id=world.paused))
    refused(Invalid, lambda: world.delegate(partner_id="ptr_nobody"))
    with transaction(world.database) as db:
        members.record(db, partner_id=world.firm, account_id=world.wes, by="operator")
    refused(NotEntitled, world.delegate, "You work for Evergreen Billing yourself")


def test_w6_an_assignment_cannot_widen_outlive_or_leave_its_delegation(world: Parties) -> None:
    made = world.delegate(world.scope(days=60, locations=(world.north,)))
    for scope in (
        world.scope("remit.view", days=50),
        world.scope("claim.status.view", "eft.manage", days=50),
        world.scope(days=61),
        world.scope(ends_at=None),
        world.scope(days=50, lines=("dental",)),
        world.scope(days=50, locations=(world.north, world.south)),
        world.scope(days=50, locations=()),
    ):
        refused(Invalid, lambda scope=scope: world.assign(made, scope=scope))  # type: ignore[misc]
    world.assign(made, scope=world.scope(days=59))


def test_w6_an_administrator_assigns_only_people_of_the_company_never_themselves_and_only_their_own_delegations(
    world: Parties,
) -> None:
    made = world.delegate()
    refused(NotEntitled, lambda: world.assign(made, "ada"), "gives themselves")
    refused(NotFound, lambda: world.assign(made, "fay"))
    refused(NotFound, lambda: world.assign(made, "finn"))
    refused(NotFound, lambda: world.assign(made, "acc_nobody"))
    refused(NotFound, lambda: world.assign(made, by="bo"))  # works there, administers nothing
    refused(NotFound, lambda: world.assign(made, by="ed"))  # another company's
    refused(NotFound, lambda: world.assign(made, "fay", by="ed", partner_id=world.helper))  # path and body disagree
    refused(NotFound, lambda: world.assign("dlg_nothing"))
    with transaction(world.database) as db:
        members.record(db, partner_id=world.firm, account_id=world.finn, by="operator")
    refused(Conflict, lambda: world.assign(made, "finn"), "another way")


def test_w6_passing_on_needs_the_practices_leave_and_stays_within_every_link(world: Parties) -> None:
    closed = world.delegate()
    refused(NotEntitled, lambda: world.pass_on(closed), "did not allow")
    made = world.delegate(world.scope(days=60, locations=(world.north,)), redelegable=True)
    for scope in (
        world.scope("remit.view", days=50),
        world.scope(days=61),
        world.scope(days=50, lines=("medical", "dental")),
        world.scope(days=50, locations=(world.south,)),
    ):
        refused(Invalid, lambda scope=scope: world.pass_on(made, scope))  # type: ignore[misc]
    refused(Invalid, lambda: world.pass_on(made, to=world.firm), "circle")
    refused(Invalid, lambda: world.pass_on(made, to=world.paused))
    refused(NotFound, lambda: world.pass_on(made, by=world.ed))
    child = world.pass_on(made, world.scope("eligibility.view", days=50))
    assert world.row(child).locations == [world.north]
    world.assign(child, "fay", world.scope("eligibility.view", days=40), by="ed", partner_id=world.helper)
    found = world.decide("fay", record={"location": world.north})
    assert found.because[-2:] == (made, child), "the chain, the practice's own first"
    refused(
        NotEntitled,
        lambda: world.pass_on(
            child, world.scope("eligibility.view", days=10), by=world.ed, partner_id=world.helper, to=world.firm
        ),
    )


def test_w6_a_circle_is_refused_whoever_asks(world: Parties) -> None:
    made = world.delegate(redelegable=True)
    child = world.pass_on(made, world.scope(days=50), redelegable=True)
    refused(
        Invalid,
        lambda: world.pass_on(child, world.scope(days=10), by=world.ed, partner_id=world.helper, to=world.firm),
        "circle",
    )
    with pytest.raises(Invalid, match="hang on itself"), transaction(world.database) as db:
        row = db.get(Delegation, made)
        assert row is not None
        delegations.change(db, row, parent_id=child)


def test_w6_a_delegation_for_some_places_is_good_for_records_of_those_alone(world: Parties) -> None:
    made = world.delegate(world.scope(locations=(world.north, world.south)))
    world.assign(made, scope=world.scope(days=50, locations=(world.north,)))
    assert world.can("bo", record={"location": world.north})
    assert not world.can("bo", record={"location": world.south}), "the person's own places are fewer"
    assert not world.can("bo", record={"location": "loc_elsewhere"})
    assert not world.can("bo"), "who may act at some places says at which"
    assert world.can("bo", assume_authenticated=True), "a search leaves open what only a record can tell"


def test_w6_a_second_delegation_neither_widens_nor_narrows_where_a_person_works_by_the_first(world: Parties) -> None:
    first = world.delegate(world.scope(locations=(world.north, world.south)))
    second = world.delegate(world.scope("claim.status.view"))
    world.assign(first, scope=world.scope(days=50, locations=(world.north,)))
    for places in (None, (world.south,)):
        with pytest.raises(Conflict, match="same places"):
            world.assign(second, scope=world.scope("claim.status.view", days=50, locations=places))
    assert world.can("bo", record={"location": world.north})
    assert not world.can("bo", record={"location": world.south})
    world.assign(second, scope=world.scope("claim.status.view", days=50, locations=(world.north,)))
    world.assign(first, scope=world.scope(days=40, locations=(world.north,)))


def test_w6_a_partner_paused_anywhere_in_the_chain_stops_all_below_and_they_go_on_when_it_is_back(
    world: Parties,
) -> None:
    made = world.delegate(redelegable=True)
    child = world.pass_on(made)
    world.assign(made)
    world.assign(child, "fay", world.scope(days=40), by="ed", partner_id=world.helper)
    assert world.can("bo")
    assert world.can("fay")
    with transaction(world.database) as db:
        leaving.suspend(db, world.firm, because="review")
    with transaction(world.database) as db:
        raised = db.execute(text("SELECT authz_epoch FROM account_version WHERE account_id = :a"), {"a": world.fay})
        assert raised.scalar_one() > 1, "tokens of the child's people are outdated too"
    for name in ("bo", "fay"):
        assert world.decide(name).reason == "partner_not_in_good_standing"
    refused(
        Conflict, lambda: world.assign(child, "fay", world.scope(days=40), by="ed", partner_id=world.helper), "paused"
    )
    with transaction(world.database) as db:
        leaving.reinstate(db, world.firm, because="done")
    assert world.can("fay")


def test_w6_ending_previews_who_loses_what_and_takes_just_that_from_every_step_of_the_chain(world: Parties) -> None:
    made = world.delegate(redelegable=True)
    other = world.delegate(world.scope("remit.view"))
    child = world.pass_on(made)
    world.assign(made)
    world.assign(other, scope=world.scope("remit.view", days=50))
    world.assign(child, "fay", world.scope(days=40), by="ed", partner_id=world.helper)
    with transaction(world.database) as db:
        lost = delegating.preview(db, by=world.wes, provider_id=world.lakeside, delegation_id=made)
    assert [(one.account.id, one.leaves, len(one.functions)) for one in lost] == [
        (world.bo, False, 2),
        (world.fay, True, 2),
    ]
    before = [(one.account.id, one.company, one.functions, one.leaves) for one in lost]
    with transaction(world.database) as db:
        for by, provider_id in ((world.otto, world.harbor), (world.otto, world.lakeside), (world.finn, world.lakeside)):
            with pytest.raises((NotFound, NotEntitled)):
                delegating.end(db, by=by, provider_id=provider_id, delegation_id=made, reason="other")
    with transaction(world.database) as db:
        delegating.end(db, by=world.wes, provider_id=world.lakeside, delegation_id=made, reason="contract_ended")
    assert not world.can("bo")
    assert world.can("bo", "remit.view"), "the other delegation stays"
    assert not world.can("fay")
    assert world.row(child).ended_by == world.wes
    with transaction(world.database) as db:
        told = {key: delegation_lost.told(db, db.get_one(Delegation, key)) for key in (made, child, other)}
        assert [(one.account.id, one.company, one.functions, one.leaves) for one in told[made]] == before
        assert [one.account.id for one in told[child]] == [world.fay]
        assert told[other] == []
    with pytest.raises(Conflict), transaction(world.database) as db:
        delegating.end(db, by=world.wes, provider_id=world.lakeside, delegation_id=made, reason="other")
    refused(Conflict, lambda: world.assign(made), "not in force")
    with transaction(world.database) as db:
        mails = db.execute(text("SELECT count(*) FROM outbox WHERE template = 'delegation_ended'")).scalar_one()
        assert mails >= 2
        live = db.execute(
            text('SELECT count(*) FROM "grant" WHERE account_id = :a AND ended_at IS NULL'), {"a": world.fay}
        )
        assert live.scalar_one() == 0


def test_w6_nothing_outlives_its_parent_and_the_job_marks_what_ran_out(world: Parties) -> None:
    made = world.delegate(world.scope(days=60), redelegable=True)
    child = world.pass_on(made, world.scope(days=59))
    world.assign(child, "fay", world.scope(days=58), by="ed", partner_id=world.helper)
    with transaction(world.database) as db:  # an operator shortens the parent; the child's row says more
        row = db.get(Delegation, made)
        assert row is not None
        delegations.change(db, row, ends_at=world.until(10))
    with freeze_time(clock.now() + timedelta(days=10)):
        assert not world.can("fay")
        expiries.run(world.database)
        assert {world.row(made).end_reason, world.row(child).end_reason} == {"expired"}
        assert world.row(child).status == "ended"


def test_w6_what_the_practice_loses_its_company_cannot_give_or_use(world: Parties) -> None:
    made = world.delegate()
    world.assign(made)
    with transaction(world.database) as db:
        organisations.close_portal(db, world.lakeside, "medical", by="operator", because="contract")
    assert not world.can("bo")
    refused(Invalid, lambda: world.assign(made, "cy"))


def test_w6_the_same_form_twice_delegates_and_assigns_once(world: Parties) -> None:
    first = world.delegate(form_id="the-same-form")
    assert world.delegate(world.scope("remit.view"), form_id="the-same-form") == first
    world.assign(first, form_id="another-form")
    world.assign(first, form_id="another-form")
    with transaction(world.database) as db:
        assert db.execute(text("SELECT count(*) FROM delegation")).scalar_one() == 1
        grants = db.execute(text('SELECT count(*) FROM "grant" WHERE delegation_id IS NOT NULL')).scalar_one()
        assert grants == 2


def test_w6_end_and_assignment_at_once_leave_nothing_behind(world: Parties) -> None:
    made, together, answers = world.delegate(), threading.Barrier(2), []

    def end() -> None:
        together.wait()
        with transaction(world.database) as db:
            delegating.end(db, by=world.wes, provider_id=world.lakeside, delegation_id=made, reason="other")

    def give() -> None:
        together.wait()
        try:
            world.assign(made)
            answers.append("given")
        except Conflict as problem:
            answers.append(problem.code)

    threads = [threading.Thread(target=work) for work in (end, give)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 1
    assert not world.can("bo")
    with transaction(world.database) as db:
        live = db.execute(
            text('SELECT count(*) FROM "grant" WHERE delegation_id = :d AND ended_at IS NULL'), {"d": made}
        )
        assert live.scalar_one() == 0


def test_w6_the_company_withdraws_a_person_gives_back_and_takes_back(world: Parties) -> None:
    made = world.delegate(redelegable=True)
    child = world.pass_on(made)
    world.assign(made)
    world.assign(made, "cy")
    with transaction(world.database) as db:
        with pytest.raises(NotFound):
            company.withdraw(db, by=world.ed, partner_id=world.helper, delegation_id=made, account_id=world.bo)
        company.withdraw(db, by=world.ada, partner_id=world.firm, delegation_id=made, account_id=world.bo)
    assert world.decide("bo").reason == "affiliation_ended"
    assert world.can("cy")
    with transaction(world.database) as db:
        with pytest.raises(NotFound):
            company.take_back(db, by=world.ada, partner_id=world.firm, delegation_id=child, child_id=made)
        company.take_back(db, by=world.ada, partner_id=world.firm, delegation_id=made, child_id=child)
        company.give_back(db, by=world.ada, partner_id=world.firm, delegation_id=made)
    assert not world.can("cy")
    assert world.row(child).end_reason == "taken_back"


def test_w6_the_last_administrator_of_a_company_cannot_go(world: Parties) -> None:
    with transaction(world.database) as db:
        only = members.of_person(db, world.ada, world.firm)
        assert only is not None
        with pytest.raises(members.LastAdministrator):
            members.end(db, only, by=world.ada, reason="left")
    with transaction(world.database) as db:
        second = members.of_person(db, world.bo, world.firm)
        only = members.of_person(db, world.ada, world.firm)
        assert second is not None
        assert only is not None
        assert members.set_administrator(db, second, administrator=True, by=world.ada)
        assert members.end(db, only, by=world.bo, reason="left")
        assert not members.administers(db, world.ada, world.firm)


def test_w6_changing_a_person_replaces_what_they_had_by_that_delegation(world: Parties) -> None:
    made = world.delegate()
    world.assign(made)
    world.assign(made, scope=world.scope("claim.status.view", days=20))
    assert not world.can("bo")
    with transaction(world.database) as db:
        [one] = company.workers(db, world.row(made))
        assert [g.entitlement for g in one.functions] == ["claim.status.view"]


def test_w6_a_replay_of_a_past_day_sees_the_delegation_of_that_day(world: Parties) -> None:
    made = world.delegate()
    world.assign(made)
    before = clock.now()
    with freeze_time(before + timedelta(days=2)):
        with transaction(world.database) as db:
            row = db.get(Delegation, made)
            assert row is not None
            ending.end(db, row, by="operator", reason="other")
        assert not world.can("bo")
        assert world.can("bo", at=before + timedelta(days=1), assume_authenticated=True)
