"""The security desk in a real browser: seen at both widths, accessible, used by keyboard and without script."""

import socket
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx2
import pytest
import uvicorn
from sqlalchemy import text

from idp import clock
from idp.accounts import sessions
from idp.app import create_app
from idp.audit import checkpoint, log, origin
from idp.audit.events import Event
from idp.audit.seal import Sealer
from idp.database import Database, transaction
from idp.sharing.live.tables import SharingDay, SharingScore
from idp.sharing.score import weights
from tests import engines
from tests.audit.staff import staff
from tests.decisions import world


class Desk:
    """The running service and Sam's session."""

    def __init__(self, settings: Any) -> None:
        self.settings, self.address = settings, settings.issuer

    def cookie(self, name: str) -> dict[str, Any]:
        """Return the cookie of a person who has just signed in."""
        return {"name": f"{self.settings.cookie_prefix}session", "value": f"secret-{name}", "url": self.address}


def scored(db: Any, account_id: str) -> None:
    """Give an account a score that rose over two weeks."""
    now, by = clock.now(), weights()
    seen = {"role_split": 3, "new_work": 4, "foreign_device": 1}
    evidence = {
        kind: {"amount": days * 0.8, "at": now.timestamp() - 3600, "days": days, "seen": f"a sign of {kind}"}
        for kind, days in seen.items()
    }
    high = by.lines["case"] + 1
    db.add(
        SharingScore(
            account_id=account_id, what="sharing", log_odds=high, band="case", at=now, version=by.version,
            evidence=evidence,
        )
    )  # fmt: skip
    for ago in range(14, -1, -2):
        day = f"{now - timedelta(days=ago):%Y-%m-%d}"
        parts = {"role_split": round(2 - ago / 10, 1), "new_work": 1.0}
        odds = high - ago * 0.4
        db.add(SharingDay(account_id=account_id, what="sharing", day=day, log_odds=odds, parts=parts))


@pytest.fixture(scope="module")
def site(_sqlite: engines.SqliteEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Serve the desk with some days' records."""
    home = tmp_path_factory.mktemp("desk")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with _sqlite.fresh(home) as url:
        settings = engines.settings_for(url, home, issuer=f"http://localhost:{port}", port=port)
        settings = settings.model_copy(update={"audit_copy": home / "copy.jsonl"})
        checkpoint.make_key(settings.audit_key_file)
        database = Database(settings)
        desk = staff()
        desk["grant"]["grt_case"] = {**desk["grant"]["grt_audit.search"], "entitlement": "security.case.work"}
        world.build(database, desk)
        with transaction(database) as db:
            scored(db, "acc_ana")
            values = {"h": sessions.hash_of("secret-sam")}
            db.execute(text("UPDATE session SET token_hash = :h WHERE id = 'ses_sam'"), values)
            facts: dict[str, Any] = {"account": "acc_ana", "provider": "prv_lake", "client": "claims"}
            for n in range(70):
                why = ("permit", None) if n % 3 else ("deny", "entitlement_not_granted")
                with origin.acting_as("acc_ana", address="203.0.113.9", user_agent="Firefox", session_id="ses_ana"):
                    log.record(
                        db,
                        Event(
                            "entitlements.decision.made",
                            outcome=why[0],
                            reason=why[1],
                            entitlement="claim.status.view",
                            decision=f"dec_{n:026}",
                            **facts,
                        ),
                    )
        Sealer(database).seal_all()
        server = uvicorn.Server(
            uvicorn.Config(create_app(settings), host="127.0.0.1", port=port, log_level="warning", lifespan="on")
        )
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        deadline = time.monotonic() + 30
        while not server.started:
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.02)
        yield Desk(settings)
        server.should_exit = True
        thread.join(10)
        database.dispose()


@pytest.mark.parametrize("script", [True, False])
def test_se1_sam_finds_anas_refusals_and_opens_one_with_its_proof(window: Any, site: Desk, script: bool) -> None:
    eyes = window("sam", script=script)
    page = eyes.page
    page.goto("/security/search")
    page.get_by_label("Person").fill("Ana Ruiz")
    page.get_by_label("Outcome").select_option("deny")
    page.get_by_role("button", name="Search").click()
    assert "person=acc_ana" in page.url
    assert "Ana" not in page.url.replace("acc_ana", "")
    assert page.get_by_role("heading", level=2).first.inner_text().startswith("24 records")
    if script:
        eyes.look("security-search")
    page.locator("tbody th a").first.click()
    assert "A decision was answered" in page.get_by_role("heading", level=1).inner_text()
    assert "203.0.113.9" in page.inner_text("main")
    if script:
        eyes.look("security-record")


def test_se5_sam_watches_the_log_as_it_grows(window: Any, site: Desk) -> None:
    eyes = window("sam")
    page = eyes.page
    page.goto("/security/tail?event=entitlements.grant.suspended")
    assert "Nothing yet." in page.inner_text("tbody")
    page.get_by_text("New records appear as they come.").wait_for()
    database = Database(site.settings)
    with transaction(database) as db:
        log.record(db, Event("entitlements.grant.suspended", account="acc_ana", provider="prv_lake", reason="<b>x</b>"))
    database.dispose()
    page.locator("tbody th a").wait_for()
    assert "<b>x</b>" in page.inner_text("tbody")
    eyes.look("security-tail")


def test_se2_sam_sees_whose_login_seems_shared_and_why(window: Any, site: Desk) -> None:
    eyes = window("sam")
    page = eyes.page
    page.goto("/security/search")
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Cases").click()
    page.get_by_role("navigation", name="Cases").get_by_role("link", name="Shared logins").click()
    text = page.inner_text("main")
    assert "New work on a new computer" in text
    assert "Where network addresses are is not known here" in text
    assert "IDP_" not in text, "nobody of the desk can set what the operator sets"
    assert "Whoever runs this service can name your practices' networks" in text
    eyes.look("security-sharing")
    page.get_by_role("link", name="Ana Ruiz").click()
    assert "of 100 that several people use this login" in page.inner_text("main")
    assert page.locator("table").first.locator("tbody tr").count() == 3
    assert page.get_by_role("img").count() == 2
    eyes.look("security-score")
    page.get_by_role("link", name="All shared logins").click()
    page.get_by_role("link", name="Taken-over logins").click()
    assert "No login stands at or above the lowest line now" in page.inner_text("main")
    assert page.request.get("/security/sharing/acc_sam").status == 404
    assert page.request.get("/security/sharing/acc_ana?what=moods").status in (400, 422)


def test_se5_sam_sees_that_the_log_is_whole(window: Any, site: Desk) -> None:
    eyes = window("sam")
    page = eyes.page
    page.goto("/security/search")
    page.get_by_role("link", name="Log proof").first.click()
    assert "The log is whole" in page.inner_text("main")
    eyes.look("security-log")
    page.goto("/security/search")
    page.get_by_label("Person").fill("nobody at all")
    page.get_by_role("button", name="Search").click()
    assert page.title().startswith("Error: ")
    assert page.evaluate("document.activeElement.id") == "problem"
    eyes.look("security-search-error")


def test_se6_sam_asks_who_could_on_a_day_why_and_what_if_it_had_ended(window: Any, site: Desk) -> None:
    eyes = window("sam")
    page = eyes.page
    page.goto("/security/search")
    page.get_by_role("link", name="Who could").first.click()
    page.get_by_role("button", name="Show").click()
    assert page.title().startswith("Error: ")
    page.get_by_label("Function").select_option("audit.search")
    page.get_by_label("Line of business").select_option("medical")
    page.get_by_label("Practice").fill("meridian heal")
    page.get_by_label("Day").fill(f"{clock.now() + timedelta(days=1):%m/%d/%Y}")
    page.get_by_role("button", name="Show").click()
    assert "provider=prv_insurer" in page.url
    assert "1 person" in page.inner_text("main")
    assert "by the service's operator" in page.inner_text("tbody")
    typed = f"{clock.now() + timedelta(days=1):%m/%d/%Y}"
    assert page.get_by_label("Practice").input_value() == "Meridian Health Plan"
    assert page.get_by_label("Day").input_value() == typed
    assert "Search the log for Meridian Health Plan, Medical, on " in page.inner_text("main")
    assert "as things stand now" in page.inner_text("main"), "tomorrow's answer says that it is a guess"
    eyes.look("security-who")
    csv = page.request.get(page.get_by_role("link", name="Export as CSV").get_attribute("href"))
    assert csv.text().splitlines()[1].startswith("acc_sam,Sam Ode,")
    page.get_by_role("link", name="Why Sam Ode could").click()
    page.get_by_role("heading", name="Ask otherwise").wait_for()
    assert "Search the log, given by the service's operator, from " in page.inner_text("main")
    assert page.locator("tbody").first.locator("tr").count() == 13
    eyes.look("security-why")
    page.get_by_label("This had ended").select_option("grt_audit.search")
    page.get_by_role("button", name="Show").click()
    assert "entitlement_not_granted, the answer" in page.inner_text("main")
    assert "Nothing was changed" in page.inner_text("main")


def test_se6_nobody_could_is_followed_by_who_held_it_and_why_they_could_not(window: Any, site: Desk) -> None:
    longer_ago = clock.now() - timedelta(days=10)  # Sam's grants are older, the terms were accepted today
    eyes = window("sam")
    page = eyes.page
    page.goto(f"/security/who?function=audit.search&provider=prv_insurer&line=medical&day={longer_ago:%Y-%m-%d}")
    text_of = page.inner_text("main")
    assert "Nobody could." in text_of
    held = page.get_by_role("table", name="Who held it")
    assert "The terms changed. Read and accept them to go on." in held.inner_text()
    assert "by the service's operator" in held.inner_text()
    assert "as things stand now" not in text_of
    eyes.look("security-who-held")
    page.get_by_role("link", name="Why not Sam Ode").first.click()
    assert "Sam Ode reads: The terms changed." in page.inner_text("main")
    shown = page.get_by_label("Day").input_value()
    assert shown == f"{longer_ago:%m/%d/%Y}"
    page.goto("/security/who?function=audit.search&provider=prv_lake&line=medical&day=2026-01-01")
    assert "And nobody held it." in page.inner_text("main")
    page.goto(f"/security/who?provider=prv_insurer&day={clock.now():%Y-%m-%d}")
    assert "Any function for Meridian Health Plan, any line of business, on " in page.inner_text("main")
    shown = page.get_by_role("table", name="Who could").inner_text()
    assert "Search the log" in shown
    assert shown.count("Sam Ode") > 1
    eyes.look("security-who-any")
    page.get_by_label("Practice").fill("i")
    page.get_by_role("button", name="Show").click()
    assert "No practice has this in its name." in page.inner_text("main")
    page.get_by_label("Practice").fill("la")
    page.get_by_role("button", name="Show").click()
    assert "Several practices fit" in page.inner_text("main")
    eyes.look("security-who-practices")
    page.get_by_role("heading", name="Practices that fit").wait_for()
    page.get_by_role("link", name="Lakeside Clinic").click()
    assert "any line of business, on " in page.inner_text("main")


@pytest.mark.parametrize(
    "address",
    [
        "/security/who?day=x&function=audit.search&provider=prv_insurer",
        "/security/who?day=2026-01-01&function=audit.search&provider=prv_insurer&line=moon",
        "/security/who?day=2026-01-01&day=2026-01-02",
        "/security/who.csv?day=2026-01-01",
        "/security/why?account=acc_sam",
        "/security/why?account=acc_sam&function=audit.search&provider=prv_insurer&at=never",
        "/security/why?account=acc_sam&function=audit.search&provider=prv_insurer&without=grt_of_somebody",
        "/security/why?account=acc_sam&function=audit.search&provider=prv_insurer&owner=partner",
    ],
)
def test_se6_what_cannot_be_asked_is_told_as_a_mistake(site: Desk, address: str) -> None:
    cookie = site.cookie("sam")
    with httpx2.Client(base_url=site.address, cookies={cookie["name"]: cookie["value"]}) as http:
        assert http.get(address).status_code in (400, 422)
    with httpx2.Client(base_url=site.address) as stranger:
        assert stranger.get(address).status_code in (302, 303, 401)


def test_security_leads_to_the_search_for_who_may_search(site: Desk) -> None:
    cookie = site.cookie("sam")
    with httpx2.Client(base_url=site.address, cookies={cookie["name"]: cookie["value"]}) as http:
        answer = http.get("/security", headers={"accept": "text/html"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/security/search")
    with httpx2.Client(base_url=site.address) as stranger:
        assert stranger.get("/security", headers={"accept": "text/html"}).headers["location"].startswith("/sign-in")
