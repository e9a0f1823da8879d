"""W-10 and SE-2, SE-3 as people walk them in Chromium: a notice, its answer, the decided case; each page looked at."""

from typing import Any

import pytest

from idp.audit import checkpoint
from idp.cases import file, questions, telling
from idp.cases.tables import SecurityCase
from idp.casework.acting import Wish
from idp.database import reading, transaction
from idp.entitlements import grants
from idp.providers import organisations
from tests.cases.test_asking import suspected
from tests.cases.test_deciding import SHARED, decide, tell
from tests.cases.test_opening import opened
from tests.cases.world import STAFF
from tests.wam.world import LINE, person
from tests.web.conftest import Site
from tests.web.test_w_journeys import follow, press

WHY = "The practice says that both desks are shared workstations."


@pytest.fixture(scope="module")
def suspicious(site: Site) -> str:
    """The insurer's desk, and a case about Ana, whose login two practices know; its id."""
    world = site.world
    checkpoint.make_key(site.settings.audit_key_file)
    with transaction(world.database) as db:
        insurer = organisations.register(db, name="Meridian Health Plan", kind="insurer").id
        organisations.open_portal(db, insurer, LINE, by="operator")
        for name, shown in (("sam", "Sam Adeyemi"), ("sue", "Sue Lind")):
            who = person(db, world, name, shown, insurer, ial=2)
            for key in STAFF:
                grants.grant(
                    db, account_id=who, provider_id=insurer, line=LINE, entitlement=key, by="operator", reason="staff"
                )
    world.sign_in("ana")
    return suspected(world)


def test_w10_and_se_3_from_a_notice_to_a_decided_case(window: Any, site: Site, suspicious: str) -> None:
    sam = window("sam")
    page = sam.page
    page.goto("/security/search")
    follow(page, "Cases")
    sam.look("cases")
    follow(page, "SC-")
    sam.look("case-new")
    press(page, "Take this case")
    page.get_by_text("The access managers of Lakeside Clinic").click()
    press(page, "Send the question")
    sam.look("case-waiting")

    wes = window("wes")
    wes.page.goto(f"/p/{site.world.lakeside}/inbox")
    wes.look("w10-inbox")
    follow(wes.page, "Ana Ruiz")
    wes.look("w10-question")
    press(wes.page, "Check the answer")
    wes.look("w10-question-error")
    wes.page.get_by_text("These are workstations that several people share").click()
    wes.page.locator("textarea").fill("Two seats at the front desk")
    press(wes.page, "Check the answer")
    wes.look("w10-check-the-answer")
    press(wes.page, "Send the answer")
    assert "Wes Kane answered" in wes.page.inner_text("main")
    wes.look("w10-answered")

    page.reload()
    assert "Two seats at the front desk" in page.inner_text("main")
    sam.look("case-answered")
    page.get_by_text("Innocent: there is another cause").click()
    press(page, "Go on to the reason")
    page.get_by_label("Reason").fill(WHY)
    page.get_by_text("Explain: one login for one person").click()
    press(page, "Show who is affected")
    sam.look("decide-error")
    page.locator("label[for=cause-pool]").click()
    press(page, "Show who is affected")
    assert "Nothing is done yet" in page.inner_text("main")
    sam.look("case-affected")
    press(page, "Decide")
    press(page, "Tell them now")
    press(page, "Verify the file")
    assert "The file is whole" in page.inner_text("main")
    sam.look("case-decided")
    page.goto("/security/cases?state=decided")
    sam.look("cases-decided")


def _decided(site: Site, case_id: str) -> None:
    """Have the case decided and told, where the test before, which does it by the pages, runs somewhere else."""
    with reading(site.world.database) as db:
        open_still = db.get_one(SecurityCase, case_id).decided_at is None
    if open_still:
        decide(site.world, case_id, SHARED)
        tell(site.world, case_id)


def test_se_3_an_appeal_is_sent_without_signing_in_or_a_script(window: Any, site: Site, suspicious: str) -> None:
    _decided(site, suspicious)
    with reading(site.world.database) as db:
        link = f"/report/appeal/{telling.appeal_token(db, db.get_one(SecurityCase, suspicious))}"
    eyes = window(script=False)
    eyes.page.goto(link)
    eyes.page.locator("textarea").fill("It was me at both desks.")
    eyes.page.get_by_role("button", name="Check the appeal").click()
    assert "It was me at both desks." in eyes.page.inner_text("main")
    eyes.page.get_by_role("button", name="Send the appeal").click()
    assert "We have your appeal" in eyes.page.inner_text("main")
    with_script = window("sue")
    with_script.page.goto(link)
    with_script.look("appeal")
    with_script.page.goto(f"/security/cases/{suspicious}#appeal")
    with_script.look("case-appealed")


def test_domain_10_the_private_question_is_answered_by_the_person(window: Any, site: Site) -> None:
    suspected(site.world, "finn", "notice")
    eyes = window("finn")
    eyes.page.goto("/account")
    follow(eyes.page, "Answer a question about your sign-ins")
    eyes.look("private-question")
    eyes.page.get_by_text("All of this was me").click()
    press(eyes.page, "Check the answer")
    press(eyes.page, "Send the answer")
    assert "Answered" in eyes.page.inner_text("main")


def test_se_3_what_security_found_and_paused_stands_on_the_persons_home(
    window: Any, site: Site, suspicious: str
) -> None:
    case_id = opened(site.world, "finn")
    with transaction(site.world.database) as db:
        questions.ask_person(db, file.hold(db, case_id), by=site.world.sam)
    sam = window("sam")
    sam.page.goto(f"/security/cases/{case_id}/decide?found=substantiated")
    assert "Deciding closes the question" in sam.page.inner_text("main")
    sam.look("decide-still-asked")
    decide(site.world, case_id, SHARED, Wish("pause_access", site.world.lakeside))
    tell(site.world, case_id)
    finn = window("finn")
    finn.page.goto("/account")
    finn.look("home-found-and-paused")
    follow(finn.page, "appeal against it")
    assert "Is our decision wrong?" in finn.page.inner_text("main")
