"""An invitation brings no more than its practice holds and its person may have on that day (security.md 64)."""

from datetime import timedelta

import pytest
from freezegun import freeze_time
from sqlmodel import col, select

from idp import clock
from idp.catalogue import gate
from idp.database import transaction
from idp.entitlements.tables import Entitlement, Grant
from idp.leaving import people as leaving
from idp.providers import affiliations
from idp.registration import accepting, invitations
from idp.wam import appointments
from tests.wam.world import LINE, World, practice

pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


def invited(world: World, by: str, provider_id: str, bundle: str | None = None, who: str | None = None) -> str:
    with transaction(world.database) as db:
        made, _ = invitations.invite(
            db,
            invited_by=world.people[by],
            display_name="Ned Low",
            provider_id=provider_id,
            line=LINE,
            bundle=bundle,
            account_id=who,
        )
        return made.id


def given_by(world: World, invitation: str, provider_id: str) -> set[str]:
    """Let somebody new accept an invitation; return what they hold then."""
    with transaction(world.database) as db:
        account = accepting.accept(db, invitation)
        rows = db.exec(
            select(Grant.entitlement).where(
                col(Grant.account_id) == account.id,
                col(Grant.provider_id) == provider_id,
                col(Grant.ended_at).is_(None),
            )
        )
        return set(rows)


def test_security_64_an_invitation_gives_nothing_the_practice_does_not_hold_when_it_is_accepted(world: World) -> None:
    invitation = invited(world, "wes", world.lakeside, "practice_manager")
    with transaction(world.database) as db:
        gate.withhold(db, world.lakeside, LINE, "fee.view", by="acc_staff", reason="no contract")
    held = given_by(world, invitation, world.lakeside)
    assert "claim.status.view" in held
    assert "fee.view" not in held


def test_domain_5_an_invitation_is_accepted_though_a_function_of_its_job_asks_for_more_by_now(world: World) -> None:
    invitation = invited(world, "wes", world.lakeside, "front_desk")
    with transaction(world.database) as db:
        function = db.get_one(Entitlement, "idcard.view")
        function.ial = 2
        db.add(function)
    held = given_by(world, invitation, world.lakeside)
    assert "eligibility.view" in held
    assert "idcard.view" not in held


def test_security_64_who_is_on_hold_brings_nobody_in_by_an_invitation_sent_before(world: World) -> None:
    invitation = invited(world, "wes", world.lakeside, "front_desk")
    with transaction(world.database) as db:
        leaving.suspend(db, world.wes, because="case", by="operator")
    with transaction(world.database) as db, pytest.raises(invitations.InvitationLost, match="no longer manages"):
        accepting.accept(db, invitation)


def test_t_10_who_represented_the_practice_until_yesterday_is_brought_back_by_an_invitation(world: World) -> None:
    with transaction(world.database) as db:
        tie = affiliations.live(db, world.hana, world.harbor)
        assert tie is not None
        affiliations.set_end(db, tie, clock.now() + timedelta(hours=1), by="operator")
    with freeze_time(clock.now() + timedelta(hours=2)):
        invitation = invited(world, "otto", world.harbor, "front_desk", who=world.hana)
        with transaction(world.database) as db:
            accepting.accept(db, invitation, account_id=world.hana)
            tie = affiliations.live(db, world.hana, world.harbor)
            assert tie is not None
            assert tie.ends_at is None


def test_security_64_practices_that_do_not_participate_give_no_more_by_an_invitation(world: World) -> None:
    with transaction(world.database) as db:
        small = practice(db, "Small Office", "11-1111111", participates=False)
        affiliations.approve(db, account_id=world.finn, provider_id=small, by="operator")
        appointments.appoint(db, account_id=world.finn, provider_id=small, by="operator", verified_by="claim")
    invitation = invited(world, "finn", small, "practice_manager")
    held = given_by(world, invitation, small)
    assert "claim.status.view" in held
    assert "fee.view" not in held
