"""People who are away or not seen for long: their access rests, and goes on or ends (domain.md 7)."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from freezegun import freeze_time

from idp import clock
from idp.database import transaction
from idp.entitlements import asking
from idp.entitlements.question import OURSELVES, Question
from idp.errors import Conflict, Invalid, NotEntitled, NotFound
from idp.jobs import expiries, silence
from idp.wam import inactivity, leave
from tests.engines import Filling
from tests.flows.managing import Managed, managed
from tests.wam.world import FILLING, LINE

__all__ = ["managed"]
DAY = timedelta(days=1)


@pytest.fixture
def filling() -> Filling:
    return FILLING


def begin(managed: Managed, who: str = "finn", by: str = "wes", **more: Any) -> None:
    world = managed.world
    values = {"provider_id": world.lakeside, "lines": [LINE], "starts_at": None, "ends_at": None, **more}
    with transaction(world.database) as db:
        leave.begin(db, by=world.people[by], account_id=world.people[who], **values)


def reason(managed: Managed, who: str = "finn", key: str = "eligibility.view") -> str | None:
    world = managed.world
    with transaction(world.database) as db:
        asked = Question(
            account_id=world.people[who], entitlement=key, provider_id=world.lakeside, line=LINE, app=OURSELVES
        )
        return asking.decide_in_session(db, asked).reason


def test_domain_7_away_rests_everything_what_is_given_meanwhile_too_and_ends_by_itself(managed: Managed) -> None:
    now = clock.now()
    begin(managed, starts_at=now + DAY, ends_at=now + 3 * DAY)
    assert reason(managed) == "step_up_required", "not begun"
    with freeze_time(now + DAY):
        assert reason(managed) == "grant_suspended"
        managed.give("finn", "remit.view")
        assert reason(managed, key="remit.view") == "grant_suspended"
    with freeze_time(now + 3 * DAY):
        assert reason(managed) == "step_up_required"
        assert reason(managed, key="remit.view") == "step_up_required"
        expiries.run(managed.world.database)
        assert managed.one("SELECT count(*) FROM absence WHERE ended_at IS NULL") == 0
    assert managed.mails("leave_set") == 0  # Finn has no address; nothing fails for that
    assert managed.events("wam.absence.ended") == 1


def test_domain_7_back_early_goes_on_at_once_by_the_pages(managed: Managed) -> None:
    wes = managed.as_("wes").get(f"{managed.here}/people/{managed.world.finn}")
    wes.click("Away for a time").submit("Record it", until="01/02/2020")
    assert wes.status == 422
    wes.submit("Record it", until="")
    assert "Away, Medical" in wes.text
    assert reason(managed) == "grant_suspended"
    wes.click("Away, Medical").submit("Back at work")
    assert reason(managed) == "step_up_required"
    assert managed.events("wam.absence.set") == 1


def test_security_64_nobody_rests_strangers_themselves_or_twice(managed: Managed) -> None:
    world = managed.world
    for by, who, refusal in (
        ("wes", "wes", NotEntitled),
        ("wes", "hana", NotFound),
        ("otto", "finn", NotEntitled),
        ("finn", "ana", NotEntitled),
    ):
        with pytest.raises(refusal):
            begin(managed, who, by)
    with pytest.raises(Invalid):
        begin(managed, ends_at=clock.now() - DAY)
    begin(managed)
    with pytest.raises(Conflict, match="already"):
        begin(managed, starts_at=clock.now() + DAY)
    with transaction(world.database) as db, pytest.raises(NotFound):
        leave.back(db, by=world.otto, provider_id=world.lakeside, account_id=world.finn)
    assert managed.as_("otto").get(f"{managed.here}/people/{world.finn}/leave").status == 404


def days(managed: Managed, number: int) -> Any:
    return freeze_time(START + number * DAY)


START = clock.now() + DAY


@pytest.fixture
def silent(managed: Managed) -> Iterator[Managed]:
    """Finn, attested for years, is given something on day 0 and not seen again."""
    with freeze_time(START):
        managed.give("finn", "remit.view")
        with transaction(managed.world.database) as db:
            db.connection().exec_driver_sql("UPDATE attestation SET expires_at = 4000000000000000")
        yield managed


def test_domain_7_not_seen_for_60_days_warned_90_paused_180_ended(silent: Managed) -> None:
    stage = "SELECT stage FROM inactivity WHERE account_id = :a"
    finn, run = silent.world.finn, lambda: silence.run(silent.world.database)
    for number, expected in ((59, None), (60, "warned"), (89, "warned"), (90, "paused"), (179, "paused"), (180, None)):
        with days(silent, number):
            run()
            assert silent.one(stage, a=finn) == expected, number
            assert (
                reason(silent, key="remit.view")
                == {
                    None: "step_up_required" if number < 90 else "entitlement_not_granted",
                    "warned": "step_up_required",
                    "paused": "grant_suspended",
                }[expected]
            )
    assert silent.events("wam.inactivity.warned") >= 1
    assert silent.one(
        "SELECT end_reason FROM \"grant\" WHERE account_id = :a AND entitlement = 'remit.view'", a=finn
    ) == ("inactive")


def test_domain_7_who_is_seen_again_is_forgotten_and_who_was_paused_is_lifted_by_a_manager(silent: Managed) -> None:
    world = silent.world
    with days(silent, 60):
        silence.run(world.database)
    with days(silent, 80):
        world.sign_in("finn")
        silence.run(world.database)
        assert silent.one("SELECT count(*) FROM inactivity WHERE account_id = :a", a=world.finn) == 0
    with days(silent, 141):
        silence.run(world.database)
    with days(silent, 171):
        silence.run(world.database)
        assert reason(silent, key="remit.view") == "grant_suspended"
        with transaction(world.database) as db:
            for by, refusal in ((world.finn, NotEntitled), (world.otto, NotFound)):
                with pytest.raises(refusal):
                    inactivity.lift(db, by=by, provider_id=world.lakeside, account_id=world.finn)
        wes = silent.as_("wes").get(f"{silent.here}/people/{world.finn}")
        assert "Paused: not seen for long" in wes.text
        wes.submit("Let Finn Oakes go on")
        assert reason(silent, key="remit.view") == "step_up_required"


def test_domain_7_nobody_is_paused_without_a_warning_nor_soon_after_being_given_something(silent: Managed) -> None:
    with days(silent, 400):
        silent.give("finn", "report.quality")
        silence.run(silent.world.database)
        assert silent.one("SELECT count(*) FROM inactivity WHERE account_id = :a", a=silent.world.finn) == 0
    with days(silent, 460):
        silence.run(silent.world.database)
        assert silent.one("SELECT stage FROM inactivity WHERE account_id = :a", a=silent.world.finn) == "warned"
