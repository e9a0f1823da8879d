"""T-18, W-2: a person asked for a function; an access manager decides, once (RU-5 has a file of its own)."""

from datetime import timedelta

import pytest
from freezegun import freeze_time

from idp import clock
from idp.database import transaction
from idp.errors import Invalid, NotEntitled, NotFound
from idp.jobs import expiries
from idp.wam import requests
from tests.flows.managing import Managed, filling, managed
from tests.wam.world import LINE

__all__ = ["filling", "managed"]


def asked(managed: Managed, who: str = "ana", function: str = "remit.view") -> str:
    world = managed.world
    with transaction(world.database) as db:
        return requests.ask(
            db,
            account_id=world.people[who],
            provider_id=world.lakeside,
            line=LINE,
            entitlement=function,
            note="I post payments",
        ).id


def test_w2_the_first_decision_wins_and_the_second_sees_the_outcome(managed: Managed) -> None:
    request = asked(managed)
    mia = managed.as_("mia").get(f"{managed.here}/requests/{request}")
    managed.as_("wes").get(f"{managed.here}/requests/{request}").submit("Deny", reason="not her work")
    mia.submit("Approve")
    assert mia.status == 409
    assert "Wes Kane denied this" in mia.text
    assert managed.held("ana") == set()
    ana = managed.as_("ana").get(f"/account/access/{managed.world.lakeside}")
    assert "denied" in ana.text
    assert "not her work" in ana.text


def test_w2_strangers_other_lines_and_the_asker_decide_nothing(managed: Managed) -> None:
    world, request = managed.world, asked(managed)
    assert managed.as_("otto").get(f"{managed.here}/requests/{request}").status == 404
    assert managed.as_("otto").get(f"/p/{world.harbor}/requests/{request}").status == 404
    own = asked(managed, "wes", "fee.view")
    with pytest.raises(NotEntitled), transaction(world.database) as db:
        found = requests.find(db, own, world.lakeside, [LINE])
        requests.approve(db, found, by=world.wes, ends_at=None, form_id="own-request")
    with pytest.raises(NotEntitled), transaction(world.database) as db:
        found = requests.find(db, request, world.lakeside, [LINE])
        requests.approve(db, found, by=world.otto, ends_at=None, form_id="stranger")
    with pytest.raises(NotFound), transaction(world.database) as db:
        requests.give_up(db, account_id=world.ana, provider_id=world.harbor, line=LINE, entitlement="message.send")
    assert not managed.one("SELECT count(*) FROM access_request WHERE status <> 'submitted'")


@pytest.mark.parametrize("function", ["access.manage", "audit.search", "no.such", ""])
def test_security_64_only_what_the_practice_holds_can_be_asked_for(managed: Managed, function: str) -> None:
    with pytest.raises(Invalid):
        asked(managed, function=function)
    with pytest.raises(NotFound), transaction(managed.world.database) as db:
        requests.ask(
            db,
            account_id=managed.world.hana,
            provider_id=managed.world.lakeside,
            line=LINE,
            entitlement="remit.view",
            note="x",
        )


def test_w2_reminders_escalation_and_expiry_come_by_the_clock_once(managed: Managed) -> None:
    asked(managed)
    start = clock.now()
    for day in (3, 3, 7, 14, 14):
        with freeze_time(start + timedelta(days=day, seconds=1)):
            expiries.run(managed.world.database)
            expiries.remind(managed.world.database)
    assert managed.one("SELECT reminded FROM access_request") == 3
    assert managed.events("wam.request.escalated") == 1
    with freeze_time(start + timedelta(days=30, seconds=1)):
        expiries.run(managed.world.database)
        expiries.remind(managed.world.database)
    assert managed.one("SELECT status FROM access_request") == "expired"
