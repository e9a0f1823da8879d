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
from idp.providers.tables import Affiliation
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
        assert {s.account_id for s in access_reviews.dormant(db)} == {"acc_old", "acc_wes"}  # who manages, too
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
    assert "Nov 25, 2026" in sent[0].facts
    assert len(_recorded(database, "security.digest.written")) == 1


def test_security_80_nobody_gives_to_many_unseen_by_spreading_it_over_midnight_or_over_two_accounts(
    signs: TestClient, database: Database
) -> None:
    midnight = (clock.now() - timedelta(days=9)).replace(hour=6, minute=0, second=0, microsecond=0)  # in Chicago
    at = {"provider_id": "prv_lake", "line_of_business": "medical", "entitlement": "idcard.view", "reason": "r"}
    people, grants = {}, {}
    for number in range(24):
        who, when = f"acc_n{number}", midnight + timedelta(minutes=10 * (number - 12))
        people[who] = {"status": "active", "display_name": f"N {number}", "created_at": when}
        by = {"granted_by": "acc_max", "not_before": when, "created_at": when}
        grants[f"grt_n{number}"] = at | by | {"account_id": who}
    own = {"account_id": "acc_two", "granted_by": "acc_max", "not_before": midnight, "created_at": midnight}
    people |= {
        "acc_max": {"status": "active", "display_name": "Max M", "created_at": midnight - timedelta(days=400)},
        "acc_two": {"status": "closed", "display_name": "Max M", "created_at": midnight, "merged_into": "acc_max"},
    }
    manages = {"account_id": "acc_max", "provider_id": "prv_lake", "line": "medical", "verified_by": "insurer"}
    world.build(
        database,
        {
            "account": people,
            "appointment": {"wam_max": manages | {"starts_at": midnight - timedelta(days=300)}},
            "grant": grants | {"grt_own": at | own},
        },
    )
    with reading(database) as db:
        told = {sign.account_id: sign.why for sign in access_reviews.unusual(db)}
        assert sum(1 for who, why in told.items() if who.startswith("acc_n") and "within a day" in why) == 24
        assert "given to themselves" in told["acc_two"]
        assert "acc_max" in {sign.account_id for sign in access_reviews.dormant(db)}, "who manages holds no grant"


def test_security_80_coming_back_to_a_practice_hides_no_use_from_between(
    signs: TestClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = clock.now()
    with transaction(database) as db:
        for ago, hours in (("between", 12), ("since", 1)):
            with freeze_time(now - timedelta(hours=hours)), origin.acting_as("claims", provider_id="prv_lake"):
                details = {"claim": ago}
                log.record(
                    db, Event("entitlements.decision.made", account="acc_old", outcome="permit", details=details)
                )
        db.add(
            Affiliation(id="aff_back", account_id="acc_old", provider_id="prv_lake", starts_at=now - timedelta(hours=2))
        )
    with reading(database) as db:
        [sign] = [one for one in access_reviews.after_end(db) if one.account_id == "acc_old"]
        assert sign.at == now - timedelta(hours=12)
    monkeypatch.setattr(access_reviews, "MOST", 1)
    with transaction(database) as db:
        for who in ("acc_gone", "acc_old"):
            with freeze_time(now - timedelta(hours=3)), origin.acting_as("claims", provider_id="prv_lake"):
                log.record(db, Event("entitlements.decision.made", account=who, outcome="permit"))
    assert "Access after an end: 2 or more" in signs.get("/security/reviews").text
