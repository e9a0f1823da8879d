"""W-1, leave and emergency access in a real browser: the pages fit, are accessible, and lead from one to the next."""

from sqlalchemy import text

from idp.audit import log
from idp.database import transaction
from idp.entitlements import asking, grants, told
from idp.entitlements.question import OURSELVES, Question
from tests.first_managers.world import extend
from tests.wam.world import LINE
from tests.web.conftest import Open, Site


def test_w1_in_a_browser_proves_is_confirmed_takes_on_the_duties_and_manages(site: Site, open_as: Open) -> None:
    shore, claim = extend(site.world)
    nina, hers = open_as("nina")
    nina.goto("/register/waiting")
    nina.get_by_role("link", name="Prove it").click()
    hers.look("first-manager")
    nina.get_by_role("button", name="Ask for a call back").click()
    hers.look("first-manager-call")
    nina.get_by_label("Claim number").fill("CL-2026-0001")
    nina.get_by_label("Amount charged").fill("1,250.00")
    nina.get_by_role("button", name="Check it").click()
    nina.wait_for_selector("text=Proven. We confirm it next")
    una, theirs = open_as("una")
    una.goto("/insurer/first-managers")
    theirs.look("first-managers")
    una.get_by_role("link", name="Nina Frost").click()
    theirs.look("first-manager-desk")
    una.get_by_label("How did you see who this person is?").fill("driver's license by video")
    una.get_by_role("button", name="Confirm", exact=True).click()
    una.wait_for_selector("text=Confirmed by Una Roe")
    nina.goto(f"/register/first-manager/{claim}")
    hers.look("first-manager-duties")
    nina.get_by_text("I have read this and take it on").click()
    nina.get_by_role("button", name="Become access manager").click()
    nina.wait_for_url(f"**/p/{shore}/people")


def test_leave_and_emergency_access_in_a_browser(site: Site, open_as: Open) -> None:
    world = site.world
    with transaction(world.database) as db:
        grants.grant(
            db,
            account_id=world.ana,
            provider_id=world.lakeside,
            line=LINE,
            entitlement="remit.view",
            by="operator",
            reason="work",
        )
    finn, his = open_as("finn")
    finn.goto(f"/account/access/{world.lakeside}")
    finn.get_by_role("link", name="Emergency access").click()
    his.look("emergency-start")
    finn.get_by_label("What is the emergency?").fill("Patient in the emergency room, nobody can be reached")
    finn.get_by_role("button", name="Start emergency access").click()
    finn.wait_for_selector("text=Emergency access is running")
    his.look("emergency-running")
    with transaction(world.database) as db:
        opened = text("SELECT id FROM session WHERE account_id = :a ORDER BY id LIMIT 1")
        sid = db.execute(opened, {"a": world.finn}).scalar()
        for function in ("precert.submit", "precert.submit", "referral.manage"):
            question = Question(world.finn, function, world.lakeside, OURSELVES, line=LINE, sid=sid)
            log.record(db, told.event(question, asking.decide_in_session(db, question)))
    wes, eyes = open_as("wes")
    wes.goto("/account")
    named = wes.get_by_role("link", name="Finn Oakes used emergency access at Lakeside Clinic, since ")
    assert "look at it by " in named.inner_text()
    assert wes.get_by_role("link", name="1 thing in Lakeside Clinic's inbox").is_visible()
    eyes.look("home-emergency")
    wes.goto(f"/p/{world.lakeside}/inbox")
    assert "Patient in the emergency room" in wes.inner_text("main")
    assert "Nothing waits" not in wes.inner_text("main")
    eyes.look("inbox-emergency")
    wes.goto(f"/p/{world.lakeside}/people")
    assert "Emergency access" in wes.get_by_role("row", name="Finn Oakes").inner_text()
    wes.get_by_role("link", name="Finn Oakes").click()
    assert "The reason given: Patient in the emergency room" in wes.inner_text("main")
    assert "taken in an emergency" in wes.get_by_role("row", name="emergency access").first.inner_text()
    eyes.look("person-emergency")
    wes.get_by_role("link", name="Look at it by ").click()
    wes.wait_for_url("**/emergency/emu_*")
    wes.goto(f"/p/{world.lakeside}/emergency")
    eyes.look("emergency-list")
    wes.get_by_role("link", name="Finn Oakes").click()
    assert "2 answers of yes rest on it" in wes.inner_text("main")
    eyes.look("emergency-review")
    wes.goto(f"/p/{world.lakeside}/people/{world.ana}/leave")
    eyes.look("leave")
    wes.get_by_role("button", name="Record it").click()
    wes.wait_for_selector("text=Paused")
    eyes.look("person-away")
