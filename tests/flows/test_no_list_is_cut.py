"""No page, answer or export leaves something out without saying so, and where the rest is (issue 4: never cut)."""

import pytest

from idp import clock
from idp.database import transaction
from idp.partners.tables import Partner, PartnerMember
from idp.wam import happened, reports, requests
from idp.web import frame
from idp.web.manager import happened as log_pages
from idp.web.manager import reports as report_pages
from idp.web.me import requests as own_requests
from tests.flows.managing import Managed, filling, managed
from tests.wam import acts
from tests.wam.world import LINE

__all__ = ["filling", "managed"]
pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


def test_exports_hold_everything_or_say_in_their_last_line_what_is_missing(
    managed: Managed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_pages, "MOST", 2)
    monkeypatch.setattr(log_pages, "MOST", 2)
    monkeypatch.setattr(reports, "IDLE_SHOWN", 1)
    wes = managed.as_("wes")
    access = wes.get(f"{managed.here}/reports/access.csv").response.text.splitlines()
    assert len(access) > 5, "all of it, whatever the page's limit"
    assert "Not all: the newest 2" in wes.get(f"{managed.here}/reports/history.csv").response.text.splitlines()[-1]
    assert "Not all: the newest 2" in wes.get(f"{managed.here}/log.csv").response.text.splitlines()[-1]
    with transaction(managed.world.database) as db:
        db.connection().exec_driver_sql("UPDATE affiliation SET starts_at = 1")
    idle = wes.get(f"{managed.here}/reports/idle.csv").response.text.splitlines()
    assert len(idle) > 2
    assert "Export all of them" in wes.get(f"{managed.here}/reports").text
    monkeypatch.setattr(happened, "PEOPLE", 1)
    page = wes.get(f"{managed.here}/people/{managed.world.wes}").click("What happened")
    assert "The first 2 people by name" in page.text
    assert '<option value="' + managed.world.wes + '" selected>' in page.response.text


def test_answers_and_areas_say_when_there_are_more(managed: Managed, monkeypatch: pytest.MonkeyPatch) -> None:
    world = managed.world
    with transaction(world.database) as db:
        for _ in range(3):
            made = requests.ask(
                db, account_id=world.ana, provider_id=world.lakeside, line=LINE, entitlement="fee.view", note="x"
            )
            requests.withdraw(db, made.id, world.ana)
        assert len(requests.of_person(db, world.ana, world.lakeside, waiting=True)) == 0
        acts.open_dental(db, world)
    monkeypatch.setattr(own_requests, "ANSWERS", 2)
    page = managed.as_("ana").get(f"/account/access/{world.lakeside}")
    assert "The newest 2." in page.text
    monkeypatch.setattr(frame, "MANAGED", 0)
    with transaction(world.database) as db:
        now = clock.now()
        firm = Partner(name="Summit Billing", kind="third_party", status="active")
        db.add(firm)
        db.flush()
        db.add(
            PartnerMember(partner_id=firm.id, account_id=world.wes, administrator=True, named_by="op", starts_at=now)
        )
    wes = managed.as_("wes").get("/account").click("All that I manage")
    wes.click("Summit Billing")
    assert wes.status == 200
    wes.get("/account").click("Manage access at Lakeside Clinic")
    assert wes.status == 200
