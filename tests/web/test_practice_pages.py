"""A practice as the insurer knows it: looked up by staff, read by its own access managers, by nobody else."""

from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import col, select

from idp import clock
from idp.audit.tables import AuditRecord
from idp.database import reading, transaction
from idp.entitlements import grants
from idp.providers import continuity, organisations, places, practitioners
from idp.providers.tables import Provider
from tests.wam.world import LINE, person
from tests.web.conftest import Site

DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def staffed(site: Site) -> Site:
    """Sam works for the insurer; Lakeside has clinicians, facts with dates and two places."""
    world, now = site.world, clock.now()
    with transaction(world.database) as db:
        insurer = organisations.register(db, name="Meridian Health Plan", kind="insurer").id
        organisations.open_portal(db, insurer, LINE, by="operator")
        sam = person(db, world, "sam", "Sam Ortiz", insurer, ial=2)
        grants.grant(
            db, account_id=sam, provider_id=insurer, line=LINE, entitlement="audit.search", by="operator", reason="desk"
        )
        lakeside = db.get_one(Provider, world.lakeside)
        organisations.change(db, lakeside, payment_arrangement="capitation")
        continuity.allow(
            db, lakeside.id, "dental", by="operator", reference="CC-17", starts_at=now - DAY, ends_at=now + 60 * DAY
        )
        organisations.agree(db, lakeside.id, LINE, starts_at=now - 900 * DAY, ends_at=now - 400 * DAY)
        places.add_npi(db, lakeside.id, "1000000004")
        places.add_location(db, lakeside.id, name="Main house", line1="1 Lake Road", city="Springfield", state="IL")
        ana = practitioners.record(db, npi="2000000002", name="Dr. Ana Ruiz")
        practitioners.join(db, ana, lakeside.id, starts_at=now - 300 * DAY)
        for kind, start, end in (("licence", 300, 30), ("credentialing", 200, 500), ("board", 900, -100)):
            practitioners.credential(
                db,
                ana,
                kind,
                number="A1",
                state="IL",
                source="State board",
                verified_at=now - 200 * DAY,
                starts_at=now - start * DAY,
                ends_at=now + end * DAY,
            )
    return site


def test_o_01_staff_look_a_practice_up_and_see_its_dates_drawn(window: Any, staffed: Site) -> None:
    eyes = window("sam")
    page = eyes.page
    page.goto("/insurer/organizations")
    page.get_by_label("TIN, NPI or name").fill("12345")
    page.get_by_role("button", name="Look up").click()
    assert "No practice has this in its name" in page.inner_text("main")
    page.get_by_label("TIN, NPI or name").fill("1234567890")
    page.get_by_role("button", name="Look up").click()
    assert "wrong check digit" in page.inner_text("main")
    page.get_by_label("TIN, NPI or name").fill("a")
    page.get_by_role("button", name="Look up").click()
    assert "at least two letters" in page.inner_text("main")
    page.get_by_label("TIN, NPI or name").fill("in")
    page.get_by_role("button", name="Look up").click()
    eyes.look("practices-found")
    for words in ("12-3456789", "2000000002", "1000000004", "lakeside"):
        page.goto("/insurer/organizations")
        page.get_by_label("TIN, NPI or name").fill(words)
        page.get_by_role("button", name="Look up").click()
        assert page.get_by_role("heading", level=1).inner_text() == "Lakeside Clinic"
        assert words not in page.url
    text = page.inner_text("main")
    assert "ending 6789" in text
    assert "3456789" not in page.content()
    assert "Dr. Ana Ruiz: State license ends within 90 days" in text
    assert page.locator("svg[role=img] rect").count() > 6
    eyes.look("practice-standing")
    with reading(staffed.world.database) as db:
        events = db.exec(select(AuditRecord.event).where(col(AuditRecord.actor_id) == staffed.world.sam)).all()
        assert {"providers.organizations.searched", "providers.organization.viewed"} <= set(events)


def test_o_06_an_access_manager_reads_the_own_profile_and_no_other(window: Any, staffed: Site) -> None:
    eyes = window("wes")
    page = eyes.page
    page.goto(f"/p/{staffed.world.lakeside}/people")
    page.get_by_role("link", name="Practice profile").first.click()
    assert "Capitation" in page.inner_text("main")
    eyes.look("practice-profile")
    assert page.goto(f"/p/{staffed.world.harbor}/profile").status == 404
    assert page.goto("/insurer/organizations").status == 404
    assert page.goto(f"/insurer/organizations/{staffed.world.lakeside}").status == 404


def test_o_01_a_person_without_that_access_reads_no_profile(window: Any, staffed: Site) -> None:
    page = window("finn").page
    assert page.goto(f"/p/{staffed.world.lakeside}/profile").status == 403
