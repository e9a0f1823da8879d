"""W-10 and SE-2, SE-3 by the pages: from a notice to a decided case, as each of those concerned walks it."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest
from starlette.testclient import TestClient

from idp.app import create_app
from idp.cases import file
from idp.casework import listing
from idp.database import Database, transaction
from idp.settings import Settings
from tests.browser import Browser
from tests.cases.test_asking import ask, suspected
from tests.cases.test_opening import opened
from tests.cases.world import FILLING
from tests.engines import Filling
from tests.flows.managing import Managed
from tests.wam.world import World

WHY = "Two desks were in use at once, and the practice says so."
CASES = "/security/cases"


@pytest.fixture
def filling(request: pytest.FixtureRequest) -> Filling | None:
    return FILLING if "desk" in request.fixturenames else None


@pytest.fixture
def desk(database: Database, settings: Settings, facts: dict[str, Any]) -> Iterator[Managed]:
    """Two practices, and the insurer's security desk: Sam, Sue, Kim."""
    with TestClient(create_app(settings), base_url=settings.issuer) as client:
        yield Managed(World(database, **facts), settings, {settings.issuer: client})


def send(browser: Browser, address: str, **fields: str) -> int:
    """Send a form that no page of this browser offers."""
    browser._go("POST", browser.home + address, list(fields.items()), {"origin": browser.home})
    return browser.status


def only_case(desk: Managed) -> str:
    return str(desk.one("SELECT id FROM security_case"))


def test_se_2_and_w10_from_a_finding_to_a_decided_case(desk: Managed) -> None:
    case_id = suspected(desk.world)
    assert "1 case at the security desk" in desk.as_("sam").get("/account").text
    sam = desk.as_("sam").get("/security/search").click("Cases").click("SC-")
    assert "Next step 1 of 3: take it up" in sam.text
    assert "may be shared" in sam.text
    sam.submit("Take this case")
    assert "2 of 3: ask" in sam.text
    sam.submit("Send the question", whom=desk.world.lakeside)
    assert "2 of 3: wait" in sam.text
    sam.submit("Send the question", whom="person")

    wes = desk.as_("wes").get("/account").click("1 thing in Lakeside").click("Ana Ruiz")
    assert "Security asks about Ana Ruiz" in wes.text
    assert "dev_here" in wes.text
    for foreign in ("dev_there", "203.0.113.9", "Finn", "Harbor"):
        assert foreign not in wes.text
    wes.submit("Check the answer", answer="other", said="")
    assert wes.status == 422
    wes.submit("Check the answer", answer="roles", said="Two jobs")
    assert "Check your answer" in wes.text
    assert "Two jobs" in wes.text
    assert desk.one("SELECT count(*) FROM case_question WHERE answered_at IS NOT NULL") == 0, (
        "nothing is sent by looking"
    )
    wes.submit("Change it")
    wes.submit("Check the answer", answer="pool", said="Two seats at the front desk")
    wes.submit("Send the answer")
    assert "Wes Kane answered" in wes.text
    mia = desk.as_("mia").get(wes.url)
    assert "The first answer stands" in mia.text
    assert "thing in Lakeside" not in mia.get("/account").text

    ana = desk.as_("ana").get("/account").click("Answer a question about your sign-ins")
    assert "203.0.113.9" not in ana.text
    ana.submit("Check the answer", answer="mine").submit("Send the answer")
    assert "Answered" in ana.text

    sam.get(f"{CASES}/{case_id}")
    assert "3 of 3: decide" in sam.text
    assert "Two seats at the front desk" in sam.text
    sam.submit("Go on to the reason")
    assert sam.status == 422
    assert "Choose what you found" in sam.text
    sam.submit("Go on to the reason", found="innocent")
    assert "How was it shared" not in sam.text, "only what was found is asked about"
    sam.submit("Show who is affected", reason="short")
    assert sam.status == 422
    sam.submit("Show who is affected", cause="pool", reason=WHY)
    assert "Who is affected" in sam.text
    sam.submit("Change something")
    assert WHY in sam.response.text, "what was typed is kept"
    sam.submit("Show who is affected", cause="pool", reason=WHY)
    sam.submit("Decide")
    assert "Innocent" in sam.text
    sam.submit("Tell them now")
    assert desk.mails("case_told") == 1
    assert desk.mails("case_told_manager") == 0, "nothing was done at the practices"
    sam.submit("Verify the file")
    assert "The file is whole" in sam.text
    assert desk.one("SELECT label FROM case_label") == "none"
    assert desk.events("security.case.viewed") > 3, "every view is recorded"


def test_se_3_two_people_end_a_manager_and_the_practice_keeps_one(desk: Managed) -> None:
    case_id = opened(desk.world, "wes")
    sam = desk.as_("sam").get(f"{CASES}/{case_id}")
    target = str(desk.one("SELECT id FROM appointment WHERE account_id = :a", a=desk.world.wes))
    sam.submit("Go on to the reason", found="none")
    sam.submit("Show who is affected", reason=WHY)
    assert "Choose what is done" in sam.text
    sam.submit("Show who is affected", reason=WHY, action=f"end_manager:{target}")
    assert "Waits for a second person" in sam.text
    sam.submit("Do it")
    assert "Waits for a second person" in sam.text
    assert "Confirm: end the role" not in sam.response.text
    which = str(desk.one("SELECT id FROM case_action"))
    other = opened(desk.world, "ana")
    for browser, address, expected in (
        (desk.as_("sam"), case_id, 403),  # the same person
        (desk.as_("sue"), other, 404),  # an action of another case
        (desk.as_("wes"), case_id, 404),  # no member of the desk
    ):
        key = browser.get("/account/notices/add").form_key()
        sent = send(browser, f"{CASES}/{address}/second", form_key=key, which=which, answer="confirm")
        assert sent == expected
    assert "waits for a second person" not in desk.as_("sam").get("/account").text
    sue = desk.as_("sue").get("/account").click("A case waits for a second person")
    sue.submit("Confirm: end the role of access manager")
    assert "Sam Adeyemi and Sue Lind" in sue.text
    assert desk.one("SELECT count(*) FROM appointment WHERE ended_at IS NULL") == 2


def test_domain_10_a_case_about_oneself_is_not_there(desk: Managed) -> None:
    case_id = opened(desk.world, "sam")
    sam = desk.as_("sam").get(CASES)
    assert "No case is open" in sam.text
    assert sam.get(f"{CASES}/{case_id}").status == 404
    key = sam.get(f"{CASES}/new").form_key()
    for act, more in (
        ("take", {}),
        ("note", {"said": "all fine"}),
        ("decide", {"decision": "innocent"}),
        ("verify", {}),
    ):
        assert send(sam, f"{CASES}/{case_id}/{act}", form_key=key, **more) == 404
    assert desk.one("SELECT status FROM security_case") == "new"


def test_w10_questions_of_others_are_not_there(desk: Managed) -> None:
    question = ask(desk.world, suspected(desk.world), desk.world.lakeside)
    private = ask(desk.world, only_case(desk))
    for name, address in (
        ("otto", f"/p/{desk.world.harbor}/questions/{question}"),
        ("otto", f"{desk.here}/questions/{question}"),
        ("wes", f"{desk.here}/questions/{private}"),
        ("wes", f"/account/questions/{private}"),
        ("ana", f"{desk.here}/questions/{question}"),
        ("finn", f"/account/questions/{private}"),
    ):
        expected = 403 if name == "ana" else 404  # she works there, and manages nothing
        assert desk.as_(name).get(address).status == expected, (name, address)


def test_ru_7_a_report_opens_a_case_and_closes_with_it(desk: Managed) -> None:
    ana = desk.as_("ana").get("/report")
    ana.submit("Send report", words="Somebody used my login at night")
    case_id = only_case(desk)
    sam = desk.as_("sam").get("/security/reports").click("MR-").click("Open the case")
    assert "Somebody used my login at night" in sam.text
    sam.submit("Go on to the reason", found="compromised")
    sam.submit("Show who is affected", reason=WHY, action=["end_sessions", "new_credentials"])
    assert "sign-ins" in sam.text
    sam.submit("Decide and do it")
    assert desk.one("SELECT status FROM security_report") == "closed"
    assert desk.one("SELECT label FROM case_label") == "takeover"
    with transaction(desk.world.database) as db:
        assert file.check(db, file.hold(db, case_id)).whole


def test_ru_7_a_report_about_an_unknown_person_opens_a_case_without_one(desk: Managed) -> None:
    anybody = desk.as_("sam")
    anybody.cookies.clear()
    anybody.get("/report").submit("Send report", words="A sticky note with a password", about="the red one")
    case_id = only_case(desk)
    sam = desk.as_("sam").get(f"{CASES}/{case_id}")
    assert "nobody we know yet" in sam.text
    sam.submit("Name the person", account="acc_nobody")
    assert sam.status == 422
    sam.submit("Name the person", account=desk.world.ana)
    assert "Ana Ruiz" in sam.text


def test_se_2_a_case_is_opened_from_a_record_of_the_log(desk: Managed) -> None:
    desk.as_("ana").get("/report").submit("Send report", words="Odd mails")
    record = desk.one("SELECT max(seq) FROM audit_record WHERE event = 'security.report.made'")
    sam = desk.as_("sam").get(f"/security/records/{record}").click("Open a case with this record")
    sam.submit("Open the case", kind="takeover", why="short")
    assert sam.status == 422
    sam.submit("Open the case", kind="takeover", why="Signed in from two towns within minutes.")
    assert f"Record {record}" in sam.text


def test_se_3_the_appeal_link_works_signed_out_and_for_a_locked_account(desk: Managed) -> None:
    case_id = opened(desk.world, "finn")
    sam = desk.as_("sam").get(f"{CASES}/{case_id}")
    sam.submit("Go on to the reason", found="substantiated")
    sam.submit("Show who is affected", pattern="at_once", reason=WHY, action="suspend")
    sam.submit("Decide and do it")
    sam.submit("Record why they wait", why="no")
    assert sam.status == 422
    sam.submit("Tell them now")
    facts = orjson.loads(desk.one("SELECT facts FROM outbox WHERE template = 'case_told'"))
    link = facts["appeal"].removeprefix(desk.settings.issuer)
    finn = desk.as_("sam")
    finn.cookies.clear()
    assert finn.get(link[:-2] + "zz").status == 404
    finn.get(link).submit("Check the appeal", said="")
    assert finn.status == 422
    finn.submit("Check the appeal", said="I was on call and used both.")
    assert "Check your appeal" in finn.text
    assert desk.one("SELECT count(*) FROM case_appeal") == 0, "nothing is sent by looking"
    finn.submit("Send the appeal")
    assert "We have your appeal" in finn.text
    assert "You appealed already" in finn.get(link).text
    assert "You had no part" not in desk.as_("sam").get(f"{CASES}/{case_id}").response.text
    sue = desk.as_("sue").get("/account").click("1 appeal at the security desk")
    assert "Appeal waits" in sue.text
    sue.get(f"{CASES}/{case_id}")
    appealed = sue.text[sue.text.index("which works without signing in") :]
    assert appealed.index("I was on call and used both.") < appealed.index("What do you find?"), "where it is decided"
    sue.submit("Check the answer", outcome="overturned", appeal_reason="short")
    assert sue.status == 422
    sue.submit("Check the answer", outcome="overturned", appeal_reason=WHY)
    assert "I was on call and used both." in sue.text
    assert desk.one("SELECT count(*) FROM case_appeal WHERE decided_at IS NOT NULL") == 0, (
        "nothing is decided by looking"
    )
    sue.submit("Decide the appeal")
    assert desk.mails("case_appeal_decided") == 1


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_security_26_a_form_shown_to_one_person_is_not_taken_from_the_next_on_the_same_browser(desk: Managed) -> None:
    case_id = opened(desk.world, "finn")
    one = desk.as_("sam").get(f"{CASES}/{case_id}")
    key, jar = one.form_key(), one.cookies[urlsplit(one.home).netloc]
    jar[f"{desk.settings.cookie_prefix}session"] = desk.world.sign_in("sue")  # Sam went, Sue sat down
    assert send(one, f"{CASES}/{case_id}/note", form_key=key, said="Typed by Sam") == 403
    assert "Somebody else is signed in now" in one.text
    assert "Sue Lind is signed in now, so nothing was done" in one.text
    assert desk.one("SELECT count(*) FROM case_entry WHERE kind = 'noted'") == 0
    assert send(one, f"{CASES}/{case_id}/note", form_key=key[:64], said="Cut off") == 403
    assert send(one, f"{CASES}/{case_id}/note", form_key=one.get("/account").form_key(), said="Typed by Sue") < 400
    assert desk.one("SELECT count(*) FROM case_entry WHERE kind = 'noted'") == 1
    key = one.get(f"{CASES}/{case_id}").form_key()
    jar[f"{desk.settings.cookie_prefix}session"] = desk.world.sign_in("sue")  # again, after a while
    assert send(one, f"{CASES}/{case_id}/note", form_key=key, said="Still Sue") < 400


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_security_81_a_request_with_two_host_fields_is_refused(desk: Managed) -> None:
    http, ours = desk.sites[desk.settings.issuer], desk.settings.origin_host
    for named in (("evil.example", ours), (ours, "evil.example"), (ours, ours)):
        twice = [*(("host", name) for name in named), ("accept", "text/html")]
        answer = http.request("GET", "/sign-in", headers=twice)
        assert answer.status_code == 400, named
        assert "evil" not in answer.text


def test_se_2_cases_are_found_by_state_person_practice_and_number_and_paged(
    desk: Managed, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = desk.world
    ids = {who: opened(world, who) for who in ("ana", "finn", "hana", "sam")}
    numbers = {
        who: str(desk.one("SELECT reference FROM security_case WHERE id = :i", i=one)) for who, one in ids.items()
    }
    sam = desk.as_("sam").get(CASES)
    sam.submit("Find cases", number=numbers["ana"].lower())
    assert sam.path == f"{CASES}/{ids['ana']}"
    for number in ("SC-NONE-NONE", numbers["sam"]):  # a case about oneself is not there either
        assert sam.get(CASES).submit("Find cases", number=number).status == 422
    sam.get(CASES).submit("Find cases", person="Finn Oakes")
    assert "Finn" not in sam.url
    assert numbers["finn"] in sam.text
    assert numbers["ana"] not in sam.text
    assert desk.events("security.cases.searched") == 1
    sam.get(CASES).submit("Find cases", person="an")
    assert sam.status == 422
    assert "People who fit" in sam.text
    sam.get(CASES).submit("Find cases", practice="Harbor Imaging")
    assert (numbers["hana"] in sam.text, numbers["finn"] in sam.text) == (True, False)
    assert sam.get(f"{CASES}?state=guilty").status == 422
    monkeypatch.setattr(listing, "PAGE", 2)
    sam.get(CASES)
    first = {who for who, number in numbers.items() if number in sam.text}
    onward = next(href for words, href in sam.page.links if words == "More")
    sam.click("More")
    rest = {who for who, number in numbers.items() if number in sam.text}
    assert first | rest == {"ana", "finn", "hana"}
    assert not first & rest
    assert sam.get(onward.replace("state=open", "state=decided")).status == 400, "a place of another list"
    sam.get(f"{CASES}/{ids['finn']}").submit("Go on to the reason", found="inconclusive")
    sam.submit("Show who is affected", reason=WHY).submit("Decide")
    sam.get(CASES).click("Decided")
    assert numbers["finn"] in sam.text
    assert numbers["ana"] not in sam.text


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_se_3_who_wins_an_appeal_reads_it_at_home_and_the_case_says_who_decided_what(desk: Managed) -> None:
    case_id = opened(desk.world, "finn")
    sam = desk.as_("sam").get(f"{CASES}/{case_id}").submit("Send the question", whom="person")
    sam.submit("Send the question")
    assert sam.status == 422
    assert "Choose whom to ask" in sam.text
    sam.submit("Go on to the reason", found="innocent")
    assert "Pause access" not in sam.text, "nothing is taken from somebody innocent"
    assert "Pause access" in sam.get(f"{CASES}/{case_id}/decide?found=substantiated").text
    assert "Finn Oakes: until" in sam.text
    assert "Deciding closes the question" in sam.text
    pause = f"pause_access:{desk.world.lakeside}"
    sam.submit("Show who is affected", pattern="at_once", reason=WHY, action=pause)
    assert "Deciding closes the question" in sam.text
    sam.submit("Decide and do it")
    assert "closed by the decision" in sam.text
    assert "no answer in time" not in sam.text
    finn = desk.as_("finn").get("/account")
    assert "paused by Meridian Health Plan's security desk" in finn.text
    assert "appeal against it" not in finn.text, "not before the notices go out"
    desk.as_("sam").get(f"{CASES}/{case_id}").submit("Tell them now")
    finn = desk.as_("finn").get("/account")
    assert "We found that somebody else used the login" in finn.text
    finn.click("appeal against it").submit("Check the appeal", said="I was on call and used both.")
    finn.submit("Send the appeal")
    assert "You appealed. Somebody" in desk.as_("finn").get("/account").text
    sue = desk.as_("sue").get(f"{CASES}/{case_id}")
    sue.submit("Check the answer", outcome="overturned", appeal_reason="It was a shared workstation.")
    sue.submit("Decide the appeal")
    assert "Decided: Shared: somebody else used the login" in sue.text, "what Sam decided stays"
    assert "Overturned on appeal" in sue.text
    assert "by Sam Adeyemi: Shared" in sue.text
    assert "by Sue Lind: The decision was wrong. It was a shared workstation." in sue.text
    assert "Innocent: there is another cause" not in sue.text
    facts = orjson.loads(desk.one("SELECT facts FROM outbox WHERE template = 'case_told'"))
    again = desk.as_("finn").get(facts["appeal"].removeprefix(desk.settings.issuer))
    assert "Your appeal was decided" in again.text
    assert "the decision was wrong" in again.text
    finn = desk.as_("finn").get("/account")
    assert "security desk" not in finn.text, "nothing is paused any more"
    assert "looked again: the decision was wrong" in finn.text
    assert desk.mails("case_appeal_won_manager") == 2


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_se_3_innocent_and_a_measure_that_takes_something_is_refused_with_a_sentence(desk: Managed) -> None:
    case_id = opened(desk.world, "finn")
    sam = desk.as_("sam").get(f"{CASES}/{case_id}")
    sam.submit("Go on to the reason", found="substantiated")
    typed = {"decision": "innocent", "cause": "pool", "reason": WHY, "form_key": sam.form_key()}
    status = send(sam, f"{CASES}/{case_id}/check", **typed, action=f"pause_access:{desk.world.lakeside}")
    assert status == 422
    assert "Nothing is taken from somebody who is innocent" in sam.text
    assert desk.one("SELECT decision FROM security_case") is None
