"""Giving and changing access: the difference shown is the difference made, by those who may (W-4)."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlmodel import select

from idp import clock
from idp.database import transaction
from idp.entitlements import grants
from idp.entitlements.tables import Appointment, Grant
from idp.errors import Conflict, Invalid, NotEntitled, NotFound, Refused
from idp.providers import affiliations, organisations
from idp.wam import appointments, granting
from idp.wam.tables import Receipt
from tests.wam.acts import END, change
from tests.wam.world import LINE, World, practice


def held(world: World, account: str, provider: str | None = None) -> set[str]:
    with transaction(world.database) as db:
        return {g.entitlement for g in grants.live(db, account, provider or world.lakeside, clock.now())}


def test_w4_a_bundle_gives_its_functions_with_the_end_date_and_names_the_giver(world: World) -> None:
    receipt = change(world, world.wes, world.ana, bundle="biller")
    with transaction(world.database) as db:
        rows = grants.live(db, world.ana, world.lakeside, clock.now())
    assert {g.entitlement for g in rows} >= {"claim.status.view", "remit.view"}
    assert {g.expires_at for g in rows} == {END}
    assert {g.granted_by for g in rows} == {world.wes}
    assert sorted(receipt.facts["added"]) == sorted(g.entitlement for g in rows)


def test_w4_the_preview_names_what_is_added_changed_removed_and_what_stays(world: World) -> None:
    change(world, world.wes, world.ana, functions=["remit.view", "message.send", "fee.view"], ends_at=None)
    with transaction(world.database) as db:
        wish, _ = granting.wish(
            db, world.lakeside, LINE, functions=["fee.view"], bundle="biller", starts_at=None, ends_at=END
        )
        made = granting.preview(
            db, by=world.wes, provider_id=world.lakeside, account_id=world.ana, line=LINE, wish=wish
        ).difference
    assert [one.key for one in made.changed] == ["message.send", "remit.view"]
    assert [one.key for one in made.stay] == ["fee.view"]
    assert "claim.status.view" in {one.key for one in made.added}
    assert made.removed == ()
    assert held(world, world.ana) == {"remit.view", "message.send", "fee.view"}


def test_w4_unchecking_a_function_removes_it_and_a_changed_date_ends_one_grant_and_starts_another(world: World) -> None:
    change(world, world.wes, world.ana, functions=["remit.view", "fee.view"], form_id="first-form")
    later = END + timedelta(days=30)
    receipt = change(
        world, world.wes, world.ana, functions=["remit.view"], ends_at=later, dates_for_all=True, form_id="second-form"
    )
    assert (receipt.facts["removed"], receipt.facts["changed"]) == (["fee.view"], ["remit.view"])
    with transaction(world.database) as db:
        rows = db.exec(select(Grant).where(Grant.account_id == world.ana)).all()
    assert sorted((g.entitlement, g.end_reason) for g in rows if g.ended_at) == [
        ("fee.view", "new biller"),
        ("remit.view", "replaced"),
    ]
    assert [g.expires_at for g in rows if not g.ended_at] == [later]


def test_w4_the_same_form_sent_again_gives_the_same_receipt_and_does_nothing(world: World) -> None:
    first = change(world, world.wes, world.ana, functions=["remit.view"], form_id="double-click")
    again = change(world, world.wes, world.ana, functions=["remit.view"], form_id="double-click")
    assert again.id == first.id
    with transaction(world.database) as db:
        assert len(db.exec(select(Grant).where(Grant.account_id == world.ana)).all()) == 1


def test_w2_a_person_changed_meanwhile_is_a_conflict_and_nothing_is_done(world: World) -> None:
    with transaction(world.database) as db:
        wish, _ = granting.wish(
            db, world.lakeside, LINE, functions=["fee.view"], bundle=None, starts_at=None, ends_at=END
        )
        who = {"by": world.wes, "provider_id": world.lakeside, "account_id": world.ana, "line": LINE}
        seen = granting.preview(db, wish=wish, **who).seen
    change(world, world.mia, world.ana, functions=["remit.view"])
    with pytest.raises(granting.ChangedMeanwhile), transaction(world.database) as db:
        granting.apply(db, wish=wish, seen=seen, reason="new biller", form_id="stale-tab", **who)
    assert held(world, world.ana) == {"remit.view"}
    with transaction(world.database) as db:
        assert db.execute(text("SELECT count(*) FROM audit_record WHERE event = 'wam.change.refused'")).scalar() == 1


def test_w2_two_managers_deciding_at_once_the_first_wins_and_the_second_sees_a_conflict(world: World) -> None:
    with transaction(world.database) as db:
        wish, _ = granting.wish(db, world.lakeside, LINE, functions=[], bundle="biller", starts_at=None, ends_at=END)
        seen = granting.preview(
            db, by=world.wes, provider_id=world.lakeside, account_id=world.ana, line=LINE, wish=wish
        ).seen
    answers: list[str] = []
    together = threading.Barrier(2)

    def decide(by: str) -> None:
        together.wait()
        try:
            with transaction(world.database) as db:
                granting.apply(
                    db,
                    by=by,
                    provider_id=world.lakeside,
                    account_id=world.ana,
                    line=LINE,
                    wish=wish,
                    seen=seen,
                    reason="new biller",
                    form_id=f"form-of-{by}",
                )
            answers.append("done")
        except Refused as refusal:
            answers.append(refusal.code)

    threads = [threading.Thread(target=decide, args=(by,)) for by in (world.wes, world.mia)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == ["changed_meanwhile", "done"]
    with transaction(world.database) as db:
        assert len({g.granted_by for g in db.exec(select(Grant).where(Grant.account_id == world.ana)).all()}) == 1
        assert len(db.exec(select(Receipt)).all()) == 1


@pytest.mark.parametrize("road", ["function", "bundle"])
def test_security_64_only_what_the_practice_holds_can_be_given(world: World, road: str) -> None:
    with transaction(world.database) as db:
        organisations.close_portal(db, world.lakeside, LINE, by="operator", because="contract ended")
    chosen = {"functions": ["remit.view"]} if road == "function" else {"bundle": "biller"}
    with pytest.raises(Invalid):
        change(world, world.wes, world.ana, **chosen)
    assert held(world, world.ana) == set()


def test_security_64_a_practice_outside_the_network_gives_a_job_without_what_it_lacks(world: World) -> None:
    with transaction(world.database) as db:
        place = practice(db, "Dune Clinic", "55-1110000", participates=False)
        affiliations.approve(db, account_id=world.otto, provider_id=place, by="operator")
        affiliations.approve(db, account_id=world.ana, provider_id=place, by="operator")
        appointments.appoint(db, account_id=world.otto, provider_id=place, by="operator")
        _, lacking = granting.wish(db, place, LINE, functions=[], bundle="biller", starts_at=None, ends_at=END)
    assert lacking == ("eft.view",)
    change(world, world.otto, world.ana, provider=place, bundle="biller")
    assert "eft.view" not in held(world, world.ana, place)
    with pytest.raises(Invalid, match="does not hold"):
        change(world, world.otto, world.ana, provider=place, functions=["eft.view"], form_id="another-form")


@pytest.mark.parametrize("key", ["access.manage", "delegation.approve", "audit.search", "no.such.function"])
def test_security_64_authority_and_insurer_functions_cannot_be_given_by_any_manager(world: World, key: str) -> None:
    with pytest.raises(Invalid):
        change(world, world.wes, world.ana, functions=[key])
    assert held(world, world.ana) == set()


@pytest.mark.parametrize("bundle", ["wam", "delegated_vendor", "tpa_analyst", "nothing"])
def test_security_64_bundles_of_authority_or_of_outsiders_cannot_be_chosen(world: World, bundle: str) -> None:
    with pytest.raises(Invalid):
        change(world, world.wes, world.ana, bundle=bundle)


@pytest.mark.parametrize("function", ["eft.manage", "remit.view"])
def test_security_64_nobody_gives_themselves_any_function(world: World, function: str) -> None:
    with pytest.raises(NotEntitled, match="Nobody gives themselves"):
        change(world, world.wes, world.wes, functions=[function])
    assert held(world, world.wes) == set()


def test_w4_duties_that_do_not_go_together_are_shown_and_refused(world: World) -> None:
    with transaction(world.database) as db:
        wish, _ = granting.wish(
            db,
            world.lakeside,
            LINE,
            functions=["eft.manage", "demographics.update"],
            bundle=None,
            starts_at=None,
            ends_at=END,
        )
        made = granting.preview(
            db, by=world.wes, provider_id=world.lakeside, account_id=world.finn, line=LINE, wish=wish
        ).difference
    assert [(c.first, c.second) for c in made.conflicts] == [("demographics.update", "eft.manage")]
    with pytest.raises(Invalid, match="may not be held by one person"):
        change(world, world.wes, world.finn, functions=["eft.manage", "demographics.update"])


def test_security_62_a_manager_of_another_practice_finds_nobody(world: World) -> None:
    with pytest.raises(NotEntitled):
        change(world, world.otto, world.ana, functions=["remit.view"])
    with pytest.raises(NotFound):
        change(world, world.wes, world.hana, functions=["remit.view"])
    with pytest.raises(NotFound):
        change(world, world.wes, "acc_nobody", functions=["remit.view"])


def test_w4_another_line_of_business_needs_its_own_appointment(world: World) -> None:
    with transaction(world.database) as db:
        organisations.open_portal(db, world.lakeside, "dental", by="operator")
    with pytest.raises(NotEntitled):
        change(world, world.wes, world.ana, line="dental", functions=["remit.view"])


def test_security_62_authority_that_has_ended_gives_nothing_however_the_page_was_opened(world: World) -> None:
    with transaction(world.database) as db:
        wish, _ = granting.wish(
            db, world.lakeside, LINE, functions=["fee.view"], bundle=None, starts_at=None, ends_at=END
        )
        who = {"by": world.wes, "provider_id": world.lakeside, "account_id": world.ana, "line": LINE}
        seen = granting.preview(db, wish=wish, **who).seen
        mine = db.exec(select(Appointment).where(Appointment.account_id == world.wes)).one()
        appointments.end(db, mine, by="operator", reason="left")
    with pytest.raises(NotEntitled), transaction(world.database) as db:
        granting.apply(db, wish=wish, seen=seen, reason="new biller", form_id="ended-authority", **who)
    assert held(world, world.ana) == set()


def test_w4_a_reason_is_required_and_an_end_before_the_start_is_refused(world: World) -> None:
    with pytest.raises(Invalid, match="after the start"):
        change(world, world.wes, world.ana, functions=["fee.view"], ends_at=datetime(2020, 1, 1, tzinfo=UTC))
    with pytest.raises(Invalid, match="Say why"), transaction(world.database) as db:
        wish, _ = granting.wish(
            db, world.lakeside, LINE, functions=["fee.view"], bundle=None, starts_at=None, ends_at=END
        )
        granting.apply(
            db,
            by=world.wes,
            provider_id=world.lakeside,
            account_id=world.ana,
            line=LINE,
            wish=wish,
            seen="",
            reason=" ",
            form_id="without-reason",
        )


def test_w4_a_person_who_left_has_to_be_added_again_first(world: World) -> None:
    with transaction(world.database) as db:
        tie = affiliations.live(db, world.ana, world.lakeside)
        assert tie is not None
        affiliations.end(db, tie, by=world.wes, reason="left")
    with pytest.raises(Conflict, match="no longer works"):
        change(world, world.wes, world.ana, functions=["fee.view"])
