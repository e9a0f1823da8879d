"""What security staff should look at is listed with its reason; the digest comes once a day (security.md 80)."""

from datetime import UTC, datetime, timedelta

import pytest
from freezegun import freeze_time
from sqlalchemy import text
from starlette.testclient import TestClient

from idp import clock
from idp.audit import log, origin
from idp.audit.events import Event
from idp.database import Database, reading, transaction
from idp.jobs import digest
from idp.security import access_reviews
from tests.audit.test_desk_pages import _as, _recorded, desk  # noqa: F401 - the desk's world
from tests.decisions import world


@pytest.fixture
def signs(desk: TestClient, database: Database) -> TestClient:  # noqa: F811
    now = clock.now()
    long_ago = now - timedelta(days=200)
    grant = {
        "account_id": "acc_old", "provider_id": "prv_lake", "line_of_business": "medical",
        "entitlement": "claim.status.view", "not_before": long_ago, "granted_by": "operator", "reason": "r",
    }  # fmt: skip
    world.build(
        database,
        {
            "account": {
                "acc_old": {"status": "active", "display_name": "Olga Old", "created_at": long_ago},
                "acc_new": {"status": "active", "display_name": "Nils New", "created_at": now},
                "acc_gone": {
                    "status": "ceased", "display_name": "Gus Gone", "created_at": long_ago,
                    "ceased_at": now - timedelta(days=2),
                },
                "acc_wes": {"status": "active", "display_name": "Wes Ito", "created_at": long_ago},
            },
            "appointment": {
                "wam_wes": {
                    "account_id": "acc_wes", "provider_id": "prv_lake", "line": "medical", "verified_by": "insurer",
                    "starts_at": now - timedelta(days=3),
                }
            },
            "affiliation": {
                "aff_old": {
                    "account_id": "acc_old", "provider_id": "prv_lake", "capacity": "employee", "starts_at": long_ago,
                    "ended_at": now - timedelta(days=1), "end_reason": "left",
                }
            },
            "grant": {
                "grt_old": grant,
                "grt_new": grant | {"account_id": "acc_new", "granted_by": "acc_wes", "not_before": now},
            },
        },
    )  # fmt: skip
    with transaction(database) as db:
        for who in ("acc_gone", "acc_old"):
            for days in (0, 5):
                with freeze_time(now - timedelta(days=days)), origin.acting_as("claims", provider_id="prv_lake"):
                    log.record(db, Event("entitlements.decision.made", account=who, outcome="permit"))
    return desk


def test_security_80_each_sign_says_whom_and_why(signs: TestClient, database: Database) -> None:
    with reading(database) as db:
        assert [s.account_id for s in access_reviews.dormant(db)] == ["acc_old"]
        ended = {(s.account_id, s.why) for s in access_reviews.after_end(db)}
        assert ended == {
            ("acc_gone", "permitted after the account had ended"),
            ("acc_old", "permitted after the work for this practice had ended"),
        }
        assert len(access_reviews.after_end(db)) == 2  # what was permitted before the end is in order
        [sign] = access_reviews.unusual(db)
        assert (sign.account_id, "less than 7 days" in sign.why) == ("acc_new", True)
        assert access_reviews.emergencies(db) == []
    page = signs.get("/security/reviews").text
    for name in ("Olga Old", "Gus Gone", "Nils New"):
        assert name in page
    [told] = _recorded(database, "security.reviews.viewed")
    assert told.actor_id == "acc_sam"
    _as(signs, "ana")
    assert signs.get("/security/reviews").status_code in (403, 404)


def test_the_digest_comes_once_a_day_to_who_may_search_and_not_before_seven(
    signs: TestClient, database: Database
) -> None:
    day = datetime(2026, 11, 25, 12, 30, tzinfo=UTC)  # half past six in the insurer's zone
    for moment, mails in ((day, 0), (day.replace(hour=13), 1), (day.replace(hour=23), 1), (day + timedelta(days=1), 1)):
        with freeze_time(moment):
            digest.run(database)
            digest.run(database)
        with reading(database) as db:
            sent = db.execute(text("SELECT recipient, facts FROM outbox WHERE template = 'desk_digest'")).all()
        assert len(sent) == mails
    assert sent[0].recipient == "sam@example.org"
    assert "Dormant accounts: " in sent[0].facts
    assert len(_recorded(database, "security.digest.written")) == 1
