"""W-2: a manager decides about an application: sees who asks; approves, alters or denies with a reason.

Accept: only managers of that TIN and line see it; concurrent decisions: first wins, second sees outcome.
"""

from datetime import timedelta

from freezegun import freeze_time
from sqlalchemy import text

from idp import clock
from idp.database import reading, transaction
from idp.providers import organisations
from idp.registration import waiting
from tests.flows.registering import (
    HARBOR,
    TIN,
    account_of,
    harbor,
    mails_to,
    manager,
    open_application,
    registered,
    second_manager,
    world,
)
from tests.sign_in_world import World, sign_in

__all__ = ["harbor", "world"]


def test_w2_the_first_decision_wins_and_the_second_sees_the_outcome(harbor: World) -> None:
    registered(harbor)
    second_manager(harbor)
    wes, mia = open_application(manager(harbor)), open_application(manager(harbor, "mia.lund"))
    mia.submit("Deny", reason="We don't know you")
    assert "Mia Lund denied this" in mia.text
    wes.submit("Approve Nina Frost")
    assert wes.status == 409
    assert "Mia Lund denied this application. What you chose was not done." in wes.text
    assert account_of(harbor)[1] == "verified"
    assert harbor.count("affiliation", f"provider_id = '{HARBOR}' AND account_id = '{account_of(harbor)[0]}'") == 0
    template, facts = mails_to(harbor, "nina@example.com")[-1]
    assert (template, facts["reason"]) == ("application_denied", "We don't know you")
    waits = sign_in(harbor.browser(), "nina.frost")
    assert waits.path == "/sign-in/confirm"


def test_w2_managers_of_another_practice_or_line_see_nothing(harbor: World) -> None:
    registered(harbor)
    with reading(harbor.database) as db:
        application = str(db.execute(text("SELECT id FROM application")).scalar_one())
    second_manager(harbor, line="dental")
    with transaction(harbor.database) as db:
        organisations.open_portal(db, HARBOR, "dental", by="operator")
        organisations.agree(db, HARBOR, "dental")
    mia = manager(harbor, "mia.lund")
    assert "Nothing waits" in mia.get(f"/p/{HARBOR}/inbox").text
    for path in (f"/p/{HARBOR}/applications/{application}", f"/p/prv_lakeside/applications/{application}"):
        assert mia.get(path).status == 404
    wes = manager(harbor, steps=1)
    assert wes.get(f"/p/{HARBOR}/applications/{application}").status == 200
    key = wes.form_key()
    # a manager of another practice, too, decides nothing there by naming it in the address
    wes.post(
        f"/p/prv_lakeside/applications/{application}", {"form_key": key, "answer": "approve", "capacity": "employee"}
    )
    assert wes.status in (403, 404)
    assert account_of(harbor)[1] == "verified"


def test_w2_a_manager_may_alter_what_was_asked(harbor: World) -> None:
    registered(harbor)
    wes = open_application(manager(harbor))
    wes.submit("Approve Nina Frost", capacity="agent", bundle="front_desk", ends="11/30/2020")
    assert wes.status == 422
    day = clock.now() + timedelta(days=40)
    wes.submit("Approve Nina Frost", capacity="agent", bundle="front_desk", ends=f"{day:%m/%d/%Y}")
    account_id, _ = account_of(harbor)
    with reading(harbor.database) as db:
        row = db.execute(
            text("SELECT capacity, ends_at FROM affiliation WHERE account_id = :a"), {"a": account_id}
        ).one()
        keys = {
            str(r[0])
            for r in db.execute(text('SELECT entitlement FROM "grant" WHERE account_id = :a'), {"a": account_id})
        }
    assert row[0] == "agent"
    assert clock.from_micros(row[1]).date() >= day.date()
    assert "precert.view" in keys
    assert "claim.detail.view" not in keys


def test_w2_nobody_decides_about_their_own_application(harbor: World) -> None:
    ana = sign_in(harbor.browser())
    ana.get("/register").submit("Continue")
    ana.submit("Continue", tins=TIN).submit("Continue", capacity="employee", clinician="no")
    assert ana.path in ("/sign-in/enroll", "/register/send")
    # Wes is affiliated with Harbor already: his own registration has nothing to send
    wes = manager(harbor)
    wes.get("/register").submit("Continue")
    wes.submit("Continue", tins=TIN).submit("Continue", capacity="employee", clinician="no")
    assert "You work for this practice already" in wes.text
    wes.submit("Send to my access manager")
    assert wes.status == 409
    assert harbor.count("application") == 0


def test_domain_7_managers_are_reminded_then_the_insurer_then_it_ends(harbor: World) -> None:
    registered(harbor)
    begun = clock.now()
    seen = []
    for days in (2, 3, 3, 7, 14, 30, 31):
        with freeze_time(begun + timedelta(days=days, minutes=5)), transaction(harbor.database) as db:
            seen.append(waiting.tend(db))
    assert seen == [0, 1, 0, 1, 1, 1, 0]
    mails = harbor.mails()
    assert mails.count("application_reminder") == 2
    assert mails.count("application_escalated") == 1
    assert mails.count("application_expired") == 1
    assert harbor.count("application", "status = 'expired'") == 1


def test_a_person_takes_an_application_back_and_nobody_else_can(harbor: World) -> None:
    nina = registered(harbor)
    with reading(harbor.database) as db:
        application = str(db.execute(text("SELECT id FROM application")).scalar_one())
    ana = sign_in(harbor.browser())
    key = ana.form_key()
    assert ana.post(f"/register/waiting/{application}/withdraw", {"form_key": key}).status == 404
    nina.submit("Take back the application")
    assert "You took it back" in nina.text
    wes = manager(harbor)
    assert "Nothing waits" in wes.get(f"/p/{HARBOR}/inbox").text
