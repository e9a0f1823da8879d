"""What the security desk found out about a person is not shown to that person, on any of its pages (security.md 79)."""

import json
import re
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from idp import clock
from idp.app import create_app
from idp.casework import desk
from idp.casework.deciding import Verdict
from idp.database import Database, reading, transaction
from idp.security import reports
from idp.security.reports import Told
from idp.settings import Settings
from tests.cases.test_deciding import WHY, decide
from tests.cases.test_opening import opened
from tests.flows.managing import Managed
from tests.wam.world import World

SEEN = {"amount": 20.0, "days": 3, "seen": "on three days"}
WORDS = "Sam gives his badge and his login to a cousin"


@pytest.fixture
def managed(world: World, settings: Settings) -> Iterator[Managed]:
    with TestClient(create_app(settings), base_url=settings.issuer) as client:
        yield Managed(world, settings, {settings.issuer: client})


def scored(database: Database, account_id: str) -> None:
    """Let the detector have seen enough for every line."""
    now = clock.micros(clock.now())
    found = {kind: SEEN | {"at": now / 1e6} for kind in ("two_hands", "role_split", "foreign_device")}
    with transaction(database) as db:
        db.execute(
            text(
                "INSERT INTO sharing_score (account_id, what, log_odds, band, at, version, evidence, created_at) "
                "VALUES (:a, 'sharing', 15.0, 'containment', :n, 'v', :e, :n)"
            ),
            {"a": account_id, "n": now, "e": json.dumps(found)},
        )


def test_se_2_a_score_leads_to_the_newest_case_and_what_came_of_it(
    managed: Managed, world: World, database: Database
) -> None:
    scored(database, world.finn)
    sue = managed.as_("sue")
    assert "/security/cases/" not in re.sub("(?s)<nav.*?</nav>", "", sue.get("/security/sharing").response.text)
    case_id = opened(world, "finn")
    for address in ("/security/sharing", f"/security/sharing/{world.finn}"):
        assert f'href="/security/cases/{case_id}"' in sue.get(address).response.text
        assert "new" in sue.text.lower()
    decide(world, case_id, Verdict("innocent", WHY, cause="mistake"))
    assert "Another cause" in sue.get("/security/sharing").text
    assert "another cause" in sue.get(f"/security/sharing/{world.finn}").text


def test_security_79_nobody_of_the_desk_reads_a_report_or_a_score_about_themselves(
    managed: Managed, world: World, database: Database
) -> None:
    with transaction(database) as db:
        report = reports._write(db, Told("f" * 20, WORDS, "sam"), reporter=None, about_id=world.sam).id
    scored(database, world.sam)
    sam, sue = managed.as_("sam"), managed.as_("sue")
    for address in (f"/security/reports/{report}", f"/security/sharing/{world.sam}"):
        assert sue.get(address).status == 200
        assert sam.get(address).status == 404
    for address, name in (("/security/reports", report), ("/security/sharing", world.sam)):
        assert name in sue.get(address).response.text
        assert name not in sam.get(address).response.text


def test_security_79_nobody_of_the_desk_finds_records_of_their_own_case_in_the_log(
    managed: Managed, world: World, database: Database
) -> None:
    case_id = opened(world, "sam")
    with transaction(database) as db:
        desk.take(db, case_id, by=world.sue)
    with reading(database) as db:
        taken = db.execute(text("SELECT seq FROM audit_record WHERE event = 'security.case.taken'")).scalar()
    sam, sue = managed.as_("sam"), managed.as_("sue")
    for address in (
        "/security/search",
        f"/security/search?person={world.sam}",
        "/security/search?event=security.case.taken",
        f"/security/search?event=security.case.taken&person={world.sam}",
        "/security/tail",
    ):
        assert f"/security/records/{taken}" in sue.get(address).response.text, address
        assert f"/security/records/{taken}" not in sam.get(address).response.text, address
    assert sue.get(f"/security/records/{taken}").status == 200
    assert sam.get(f"/security/records/{taken}").status == 404
