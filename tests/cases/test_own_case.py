"""What the security desk found out about a person is not shown to that person, on any of its pages (security.md 79)."""

import json
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from idp import clock
from idp.app import create_app
from idp.casework import desk
from idp.database import Database, reading, transaction
from idp.security import reports
from idp.security.reports import Told
from idp.settings import Settings
from tests.cases.test_opening import opened
from tests.flows.managing import Managed
from tests.wam.world import World

SEEN = {"amount": 20.0, "days": 3, "seen": "on three days"}
WORDS = "Sam gives his badge and his login to a cousin"


@pytest.fixture
def managed(world: World, settings: Settings) -> Iterator[Managed]:
    with TestClient(create_app(settings), base_url=settings.issuer) as client:
        yield Managed(world, settings, {settings.issuer: client})


def test_security_79_nobody_of_the_desk_reads_a_report_or_a_score_about_themselves(
    managed: Managed, world: World, database: Database
) -> None:
    now = clock.micros(clock.now())
    with transaction(database) as db:
        report = reports._write(db, Told("f" * 20, WORDS, "sam"), reporter=None, about_id=world.sam).id
        db.execute(
            text(
                "INSERT INTO sharing_score (account_id, what, log_odds, band, at, version, evidence, created_at) "
                "VALUES (:a, 'sharing', 15.0, 'containment', :n, 'v', :e, :n)"
            ),
            {
                "a": world.sam,
                "n": now,
                "e": json.dumps(
                    {kind: SEEN | {"at": now / 1e6} for kind in ("two_hands", "role_split", "foreign_device")}
                ),
            },
        )
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
