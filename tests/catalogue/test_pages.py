"""The pages of the insurer's staff: changes are previewed; support looks, explains, and gives nothing."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from idp import clock
from idp.accounts.tables import Contact
from idp.app import create_app
from idp.audit import log
from idp.catalogue import bundles as versions
from idp.catalogue import functions
from idp.database import Database, transaction
from idp.entitlements import asking, bundles, grants, told
from idp.entitlements.decision import OURSELVES, Question, decide
from idp.jobs import catalogue as job
from idp.providers import organisations
from idp.settings import Settings
from tests.engines import Filling
from tests.flows.managing import Managed
from tests.wam.world import LINE, World, _fill, person

pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
"""What the pages call is tested on both databases beside this file."""
STAFF = {
    "cat": ("Cat Lowe", ("catalogue.manage", "duty.except")),
    "dee": ("Dee Hall", ("duty.except",)),
    "sam": ("Sam Ortiz", ("support.view",)),
}


def _with_staff(database: Database) -> dict[str, Any]:
    facts = _fill(database)
    world = World(database, **facts)
    with transaction(database) as db:
        insurer = organisations.register(db, name="Meridian Health Plan", kind="insurer").id
        organisations.open_portal(db, insurer, LINE, by="operator")
        for name, (shown, keys) in STAFF.items():
            who = person(db, world, name, shown, insurer, ial=2)
            for key in keys:
                grants.grant(
                    db, account_id=who, provider_id=insurer, line=LINE, entitlement=key, by="operator", reason="staff"
                )
    return facts | {"people": world.people, "logins": world.logins}


FILLING = Filling("catalogue_pages", _with_staff)


@pytest.fixture
def filling() -> Filling:
    return FILLING


@pytest.fixture
def desk(database: Database, settings: Settings, facts: dict[str, Any]) -> Iterator[Managed]:
    with TestClient(create_app(settings), base_url=settings.issuer) as client:
        yield Managed(World(database, **facts), settings, {settings.issuer: client})


def day(days: int) -> str:
    return f"{clock.now() + timedelta(days=days):%m/%d/%Y}"


def test_domain_6_a_job_is_changed_in_three_steps_and_the_people_it_touches_are_named_before(desk: Managed) -> None:
    cat = desk.as_("cat").get("/insurer/jobs").click("Front desk")
    cat.submit("Check who is affected", f=["idcard.view", "claim.attach"], effective=day(9))
    assert "2 people gain, 2 people lose" in cat.text
    assert "Finn Oakes" in cat.text
    assert "Harbor Imaging" in cat.text
    cat.submit("Publish this version")
    assert cat.status == 422
    cat.get("/insurer/jobs/front_desk").submit("Check who is affected", f=["idcard.view"], effective=day(9))
    cat.submit("Publish this version", reason="smaller")
    assert "Version 2 waits for its day" in cat.text
    cat.get("/insurer/jobs/front_desk").submit("Take back version 2")
    assert "Taken back" in cat.text
    assert desk.events("entitlements.bundle.published") == desk.events("entitlements.bundle.withdrawn") == 1


def test_domain_5_a_function_is_changed_in_three_steps(desk: Managed) -> None:
    cat = desk.as_("cat").get("/insurer/catalogue").click("Member ID card")
    cat.submit("Check who is affected", effective=day(3), fresh="yes", shared="permit")
    assert "confirms it's them more often" in cat.text
    cat.submit("Publish this version", reason="cards are copied")
    assert "cards are copied" in cat.text
    assert "Version 2 waits" in cat.text
    cat.get("/insurer/catalogue/eft.manage").submit(
        "Check who is affected", sensitivity="2", effective=day(3), shared="TPA"
    )
    assert cat.status == 422
    assert "keeps its guard" in cat.text


def test_t_07_a_function_is_kept_from_a_practice_after_its_holders_were_shown(desk: Managed) -> None:
    path = f"/insurer/organizations/{desk.world.lakeside}/functions"
    cat = desk.as_("cat").get(path)
    cat.submit("Check who loses it", function="idcard.view", line=LINE, reason="under review")
    assert "0 people gain, 1 person loses" in cat.text
    assert "Finn Oakes" in cat.text
    cat.submit("Keep Member ID card from it")
    assert "under review" in cat.text
    cat.submit("Open Member ID card again")
    assert "Nothing is kept from it" in cat.text
    assert cat.get("/insurer/organizations/prv_nobody/functions").status == 404


def test_domain_6_an_exception_needs_a_colleague_and_the_page_offers_it_to_nobody_else(desk: Managed) -> None:
    facts = {"account": desk.world.finn, "provider": desk.world.lakeside, "line": LINE, "reason": "ill"}
    cat = desk.as_("cat").get("/insurer/duties")
    pair = desk.one("SELECT id FROM duty_conflict WHERE first = 'demographics.update'")
    cat.submit("Ask for this exception", pair=pair, until=day(20), **facts)
    assert "Waits for a second person" in cat.text
    assert "Confirm for" not in cat.text
    made = desk.one("SELECT id FROM duty_exception")
    cat.post("/insurer/duties", {"form_key": cat.form_key(), "confirm": made})
    assert cat.status == 403
    dee = desk.as_("dee").get("/insurer/duties").submit("Confirm for Finn Oakes")
    assert "Waits for a second person" not in dee.text
    assert "Dee Hall" in dee.text
    pair_of = {"first": "fee.view", "second": "remit.view", "why": "x", "form_key": dee.form_key()}
    dee.post("/insurer/duties/pairs", pair_of)
    assert dee.status == 403
    wes = desk.as_("wes").get(f"{desk.here}/people/{desk.world.finn}/change/check")
    until = day(15)
    wes.get(
        f"{desk.here}/people/{desk.world.finn}/change/check?f=eft.manage&f=demographics.update&end=date&until={until}"
    )
    assert "Allowed as an exception" in wes.text


def test_the_support_desk_looks_and_explains_each_look_is_recorded_and_it_gives_nothing(desk: Managed) -> None:
    sam = desk.as_("sam").get("/support")
    sam.submit("Look up", words="finn")
    assert "Finn Oakes" in sam.text
    assert "Wes Kane" in sam.text
    assert "Member ID card" in sam.text
    sam.get(f"/support/people/{desk.world.finn}?p={desk.world.lakeside}&f=fee.view&line={LINE}")
    assert "The person was given this" in sam.text
    assert "entitlement_not_granted" in sam.text
    assert desk.events("support.person.viewed") == 2
    assert desk.events("support.people.searched") == 1
    for path in ("/insurer/catalogue", "/insurer/jobs", "/insurer/duties", "/security/search", "/security/who"):
        assert sam.get(path).status == 403, path
    for path in (f"{desk.here}/people", f"{desk.here}/people/{desk.world.finn}/change", f"{desk.here}/inbox"):
        assert sam.get(path).status == 404, path
    before = desk.held("finn")
    key = sam.get("/support").form_key()
    for path, form in (
        (f"{desk.here}/people/{desk.world.finn}/change/check?f=fee.view", {"reason": "x", "form_id": "f" * 20}),
        (f"{desk.here}/people/{desk.world.finn}/remove", {"reason": "left", "form_id": "f" * 20}),
        ("/insurer/jobs/front_desk", {"f": "fee.view", "seen": "1", "effective": day(3), "reason": "x"}),
        (f"/insurer/organizations/{desk.world.lakeside}/functions", {"function": "fee.view", "line": LINE}),
        ("/insurer/duties", {"confirm": "dex_x"}),
    ):
        assert sam.post(path, form | {"form_key": key}).status in (403, 404), path
    assert desk.held("finn") == before


def test_se_6_support_finds_a_person_by_part_of_a_name_by_mail_or_by_the_number_an_app_showed(desk: Managed) -> None:
    with transaction(desk.world.database) as db:
        db.add(Contact(account_id=desk.world.finn, email="finn@lakeside.example"))
        question = Question(desk.world.finn, "eft.manage", desk.world.lakeside, OURSELVES, line=LINE)
        decision = decide(asking.look_in_session(db, question))
        log.record(db, told.event(question, decision))
    sam = desk.as_("sam")
    for words in ("oak", "Oakes fin", "FINN@lakeside.example", desk.world.finn):
        assert "This look is recorded" in sam.get("/support").submit("Look up", words=words).text, words
        assert "Finn Oakes" in sam.text
    for words in ("finn@lakeside", "dec_" + "0" * 26, "acc_nobody"):
        assert "Finn Oakes" not in sam.get("/support").submit("Look up", words=words).text, words
    sam.get("/support").submit("Look up", words=decision.id)
    assert "Finn Oakes: " in sam.text
    assert decision.reason in ("entitlement_not_granted", "precondition_failed")
    assert decision.reason in sam.text
    assert "What would change it" in sam.text or "What if" in sam.text


@pytest.mark.parametrize("name", ["wes", "ana"])
def test_security_61_nobody_of_a_practice_sees_the_staff_s_pages(desk: Managed, name: str) -> None:
    browser = desk.as_(name)
    for path in ("/insurer/catalogue", "/insurer/jobs", "/insurer/duties", "/support", "/support/people/acc_x"):
        assert browser.get(path).status == 404, path


def test_domain_6_managers_are_written_to_once_before_a_version_and_see_what_it_does_to_their_people(
    desk: Managed,
) -> None:
    world = desk.world
    with transaction(world.database) as db:
        for name in ("wes", "mia", "otto"):
            db.add(Contact(account_id=world.people[name], email=f"{name}@practice.example", verified_at=clock.now()))
        wanted = [*bundles.items(db, bundles.find(db, "front_desk"))[1:], "claim.attach"]
        soon = clock.now() + timedelta(days=9)
        versions.publish(db, "front_desk", wanted, seen=1, effective_at=soon, reason="new work", by="acc_staff")
        present = functions.facts(functions.find(db, "precert.view"))
        functions.publish(
            db, "precert.view", present | {"fresh": True}, effective_at=soon, reason="stronger", by="acc_staff"
        )
    for _ in range(4):
        job.run(world.database)
    assert desk.mails("version_coming") == 6, "both versions, to both managers of Lakeside and the one of Harbor"
    page = desk.as_("wes").get(f"{desk.here}/jobs")
    assert "Front desk changes on" in page.text
    assert "new work" in page.text
    row = page.text[page.text.index("People of yours: 1") :]
    assert "Finn Oakes" in row
    assert "Claim attachments" in row
    assert "Hana Cho" not in page.text
