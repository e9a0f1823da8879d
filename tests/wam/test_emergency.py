"""Emergency access: a reason, four hours at most, flagged, told, reviewed by somebody else the next business day."""

import re
import threading
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from freezegun import freeze_time

from idp import clock, configuration
from idp.audit import log
from idp.configuration import Configuration, ConfigurationRow
from idp.database import transaction
from idp.entitlements import asking, pauses, told
from idp.entitlements.grant_rows import Place
from idp.entitlements.question import OURSELVES, Question
from idp.errors import Conflict, Invalid, NotEntitled, NotFound, Refused
from idp.jobs import expiries
from idp.providers import affiliations, organisations
from idp.wam import emergency, emergency_done, emergency_open
from tests.engines import Filling
from tests.flows.managing import Managed, managed
from tests.wam.test_resting import reason
from tests.wam.world import FILLING, LINE

__all__ = ["managed"]
WHY = "Patient in the emergency room, on-call colleague unreachable"


@pytest.fixture
def filling() -> Filling:
    return FILLING


def start(managed: Managed, who: str = "finn", **more: Any) -> str:
    world = managed.world
    values = {"provider_id": world.lakeside, "line": LINE, "reason": WHY, **more}
    with transaction(world.database) as db:
        return emergency.start(db, account_id=world.people.get(who, who), **values).id


def test_emergency_access_is_taken_flagged_told_and_reviewed_by_the_pages(managed: Managed) -> None:
    assert reason(managed, key="message.send") == "step_up_required"  # held already
    assert reason(managed, key="precert.submit") == "entitlement_not_granted"
    finn = managed.as_("finn").get(f"/account/access/{managed.world.lakeside}").click("Emergency access")
    finn.submit("Start emergency access", reason="short")
    assert finn.status == 422
    finn.submit("Start emergency access", reason=WHY)
    assert "Emergency access is running" in finn.text
    assert re.search(r"Emergency access: (4 h 0|3 h 59) min left", finn.get("/account").text), "on every page"
    assert reason(managed, key="precert.submit") in ("step_up_required", "precondition_failed")
    assert managed.events("entitlements.emergency.started") == 1
    assert managed.mails("emergency_started") >= 1
    wes = managed.as_("wes").get(f"{managed.here}/reports").click("Uses of emergency access").click("Finn Oakes")
    assert WHY in wes.text
    wes.submit("Record the review", verdict="", note="")
    assert wes.status == 422
    wes.submit("Record the review", verdict="not_justified", note="No such patient")
    assert reason(managed, key="precert.submit") == "entitlement_not_granted", "not justified ends it"
    assert managed.one("SELECT verdict FROM emergency_use") == "not_justified"


def test_emergency_access_ends_after_four_hours_by_itself(managed: Managed) -> None:
    now = clock.now()
    with freeze_time(now):
        start(managed)
    with freeze_time(now + timedelta(hours=4) - timedelta(seconds=1)):
        assert reason(managed, key="referral.manage") != "entitlement_not_granted"
        with pytest.raises(Conflict):
            start(managed)
    with freeze_time(now + timedelta(hours=4)):
        assert reason(managed, key="referral.manage") == "grant_expired"
        expiries.run(managed.world.database)
        expiries.remind(managed.world.database)
        assert managed.one("SELECT ended_by FROM emergency_use") == "system"
        start(managed)  # again, with its own record


def test_emergency_access_touches_no_money_no_access_and_nothing_the_practice_lacks(managed: Managed) -> None:
    world = managed.world
    with transaction(world.database) as db:  # even where the insurer's list says so
        listed = {
            "functions": ["eft.manage", "access.view", "access.manage", "audit.search", "precert.view", "no.such"]
        }
        row = db.get(ConfigurationRow, 1) or ConfigurationRow(id=1)
        row.body = Configuration.model_validate({"emergency": listed}).model_dump_json(exclude_defaults=True)
        db.add(row)
        db.flush()
        configuration.changed(db)
        assert set(emergency.functions(db, world.ana, world.lakeside, LINE)) == {"precert.view"}
        assert emergency.functions(db, world.ana, world.lakeside, "dental") == {}
        organisations.close_portal(db, world.lakeside, LINE, by="operator", because="contract")
    with pytest.raises(NotEntitled):
        start(managed, "ana")


def test_emergency_access_is_not_for_strangers_outside_companies_the_paused_or_those_on_hold(managed: Managed) -> None:
    world = managed.world
    with pytest.raises(NotFound):
        start(managed, "hana")
    with pytest.raises(NotFound):
        start(managed, "acc_nobody")
    with pytest.raises(Invalid):
        start(managed, reason="x" * 400)
    with transaction(world.database) as db:
        pauses.suspend(db, Place(world.finn, world.lakeside, LINE), ["idcard.view"], by=world.wes, reason="review")
        tie = affiliations.live(db, world.ana, world.lakeside)
        assert tie is not None
        tie.partner_id = None
    with pytest.raises(NotEntitled, match="paused"):
        start(managed)
    assert managed.as_("finn").get(f"/account/access/{world.harbor}/emergency").status == 404


def test_emergency_access_is_reviewed_once_by_somebody_else_of_that_practice(managed: Managed) -> None:
    world, use_id = managed.world, start(managed, "wes")
    with transaction(world.database) as db:
        use = emergency.find(db, use_id)
        with pytest.raises(NotEntitled):
            emergency.review(db, use, by=world.wes, verdict="justified", note="mine")
    assert managed.as_("otto").get(f"/p/{world.harbor}/emergency/{use_id}").status == 404
    assert managed.as_("otto").get(f"{managed.here}/emergency").status == 404
    assert managed.as_("wes").get("/security/emergency").status == 404
    together, answers = threading.Barrier(2), []

    def go(verdict: str) -> None:
        together.wait()
        try:
            with transaction(world.database) as db:
                emergency.review(db, emergency.find(db, use_id), by=world.mia, verdict=verdict, note="looked")
            answers.append("done")
        except Refused as problem:
            answers.append(problem.code)

    threads = [threading.Thread(target=go, args=(verdict,)) for verdict in emergency.VERDICTS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == ["conflict", "done"]


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_emergency_access_is_due_by_the_end_of_the_next_business_day_and_reminded_once(managed: Managed) -> None:
    friday, saturday = datetime(2026, 11, 20, 15, tzinfo=UTC), datetime(2026, 11, 21, 15, tzinfo=UTC)
    tuesday = datetime(2026, 11, 24, 6, tzinfo=UTC)
    zone = "America/Chicago"
    assert clock.next_business_day(friday, zone) == clock.next_business_day(saturday, zone) == tuesday
    assert clock.next_business_day(friday, zone, {date(2026, 11, 23)}) == tuesday + timedelta(days=1)
    start(managed)
    due = clock.next_business_day(clock.now(), managed.settings.time_zone)
    for moment, mails in ((due - timedelta(seconds=1), 0), (due, 1), (due + timedelta(days=1), 1)):
        with freeze_time(moment):
            expiries.run(managed.world.database)
            expiries.remind(managed.world.database)
            assert managed.events("entitlements.emergency.overdue") == mails
    closed = [str((clock.now() + timedelta(days=n)).date()) for n in range(9)]
    with transaction(managed.world.database) as db:
        row = db.get(ConfigurationRow, 1) or ConfigurationRow(id=1)
        row.body = Configuration.model_validate({"insurer": {"holidays": closed}}).model_dump_json(
            exclude_defaults=True
        )
        db.add(row)
    start(managed, "ana")
    assert managed.one("SELECT max(due_at) FROM emergency_use") > clock.micros(clock.now() + timedelta(days=9))
    assert managed.mails("emergency_overdue") >= 1


def test_emergency_access_two_clicks_take_it_once_and_giving_back_ends_it(managed: Managed) -> None:
    together, answers = threading.Barrier(2), []

    def go() -> None:
        together.wait()
        try:
            start(managed)
            answers.append("taken")
        except Refused as problem:
            answers.append(problem.code)

    threads = [threading.Thread(target=go) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) in (["conflict", "taken"], ["may_not_give", "taken"])
    finn = managed.as_("finn").get(f"/account/access/{managed.world.lakeside}/emergency")
    finn.submit("I don't need it any more")
    assert reason(managed, key="referral.manage") == "entitlement_not_granted"


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_se_4_a_use_stands_in_the_inbox_while_it_runs_and_until_it_is_judged_and_never_for_who_took_it(
    managed: Managed,
) -> None:
    world = managed.world
    use = start(managed)

    def waits(by: str, *lines: str) -> list[str]:
        with transaction(world.database) as db:
            found = emergency_open.waiting(db, world.lakeside, lines or (LINE,), by=world.people.get(by, by))
            return [one.id for one in found]

    assert waits("wes") == [use]
    assert waits("finn") == []  # somebody else judges one's own
    assert waits("wes", "dental") == []
    home = managed.as_("wes").get("/account").text
    assert "Finn Oakes used emergency access at Lakeside Clinic, since " in home
    with transaction(world.database) as db:
        by = world.people["wes"]
        emergency.review(db, emergency.find(db, use), by=by, verdict="justified", note="Saw the call log")
    assert waits("wes") == [use]  # it runs
    assert "Justified, until " in managed.as_("wes").get(f"{managed.here}/inbox").text
    with freeze_time(clock.now() + timedelta(hours=5)):
        assert waits("wes") == []
    with transaction(world.database) as db:
        assert emergency.end(db, emergency.find(db, use), by=world.people["wes"])
    assert waits("wes") == []
    assert "Nothing waits" in managed.as_("wes").get(f"{managed.here}/inbox").text


def asked(managed: Managed, key: str, *, sid: str | None, line: str = LINE, **more: Any) -> str:
    """An app asks for Finn and the answer is recorded, as it always is; return the outcome."""
    with transaction(managed.world.database) as db:
        question = Question(
            managed.world.finn, key, managed.world.lakeside, OURSELVES, line=line, sid=sid, **more
        )  # fmt: skip
        decision = asking.decide_in_session(db, question)
        log.record(db, told.event(question, decision))
        return decision.outcome


def test_se4_who_judges_sees_what_was_done_in_those_hours_by_function_with_times_and_counts(managed: Managed) -> None:
    managed.world.sign_in("finn")
    sid = str(managed.one("SELECT id FROM session ORDER BY created_at DESC LIMIT 1"))
    assert asked(managed, "message.send", sid=sid) == "permit"  # before, and held already
    use = start(managed)
    wes = managed.as_("wes").get(f"{managed.here}/emergency/{use}")
    assert "no app asked for what was taken" in wes.text
    with transaction(managed.world.database) as db:
        taken = [str(one) for one in emergency.find(db, use).functions]
    first, second = (key for key in taken if key in ("precert.submit", "referral.manage"))
    for _ in range(3):
        assert asked(managed, first, sid=sid) == "permit"
    assert asked(managed, second, sid=None) in ("step_up", "deny")
    assert asked(managed, "message.send", sid=sid) == "permit"
    asked(managed, first, sid=sid, at=clock.now())  # only looked at, for a day: nobody acts on it
    said = wes.get(f"{managed.here}/emergency/{use}").text
    assert "3 answers of yes rest on it, from 1 sign-in" in said
    assert re.search(r"Request precertification 3 0 \w+ \d+", said)
    assert "Taken and not used" in said
    assert "1 more answer rests on their ordinary access" in said
    assert managed.events("entitlements.emergency.viewed") == 2
    with transaction(managed.world.database) as db:
        found = emergency_done.done(db, emergency.find(db, use))
    assert [(one.function, one.opened, one.refused) for one in found.used] == [(first, 3, 0), (second, 0, 1)]
    with freeze_time(clock.now() + timedelta(hours=5)):
        asked(managed, first, sid=sid)
        with transaction(managed.world.database) as db:
            assert emergency_done.done(db, emergency.find(db, use)).opened == 3  # the four hours are over
    wes.get(f"{managed.here}/emergency/{use}").click("The records in the log")
    assert wes.status == 200
    assert "A decision was answered" in wes.text
