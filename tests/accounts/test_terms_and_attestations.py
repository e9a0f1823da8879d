"""Terms are accepted explicitly, version by version; an attestation lasts a year."""

from datetime import UTC, datetime, timedelta

import pytest
from freezegun import freeze_time
from sqlalchemy import text

from idp import clock
from idp.accounts import attestations, people, terms
from idp.audit import origin
from idp.database import Database, transaction
from idp.errors import Conflict, Invalid

DAY = timedelta(days=1)


def published(database: Database, kind: str, version: str, at: datetime | None = None) -> str:
    with transaction(database) as db:
        body = f"{kind} {version}"
        return terms.publish(db, kind=kind, version=version, title=kind, body=body, effective_at=at).id


@pytest.fixture
def ana(database: Database) -> str:
    with transaction(database) as db:
        return people.create(db, display_name="Ana Ruiz").id


def open_kinds(database: Database, ana: str, at: datetime | None = None) -> list[tuple[str, str]]:
    with transaction(database) as db:
        return [(d.kind, d.version) for d in terms.unaccepted(db, ana, at)]


def test_t_01_two_documents_the_site_specific_one_first(database: Database, ana: str) -> None:
    assert open_kinds(database, ana) == []
    published(database, "general", "4.1")
    published(database, "site", "2.0")
    assert open_kinds(database, ana) == [("site", "2.0"), ("general", "4.1")]


def test_t_04_acceptance_is_recorded_once_with_who_what_when_where_and_how(database: Database, ana: str) -> None:
    document = published(database, "site", "2.0")
    with origin.acting_as(ana, address="203.0.113.9"), transaction(database) as db:
        terms.accept(db, ana, [document], channel="mobile")
        terms.accept(db, ana, [document])
    assert open_kinds(database, ana) == []
    with transaction(database) as db:
        [row] = db.execute(text("SELECT account_id, channel, address FROM terms_acceptance")).all()
        assert tuple(row[:2]) == (ana, "mobile")
        assert b"203.0.113.9" not in bytes(row[2])
        events = db.execute(text("SELECT count(*) FROM audit_record WHERE event = 'accounts.terms.accepted'"))
        assert events.scalar_one() == 1


def test_t_06_a_new_version_is_asked_for_when_it_takes_effect(database: Database, ana: str) -> None:
    first = published(database, "site", "2.0")
    with transaction(database) as db:
        terms.accept(db, ana, [first])
    soon = clock.now() + DAY
    published(database, "site", "3.0", soon)
    assert open_kinds(database, ana) == []
    assert open_kinds(database, ana, soon - timedelta(microseconds=1)) == []
    assert open_kinds(database, ana, soon) == [("site", "3.0")]


def test_decisions_12_a_later_version_accepted_early_counts_for_the_present_one(database: Database, ana: str) -> None:
    published(database, "site", "2.0")
    later = published(database, "site", "3.0", clock.now() + DAY)
    with transaction(database) as db:
        terms.accept(db, ana, [later])
    assert open_kinds(database, ana) == []
    assert open_kinds(database, ana, clock.now() + 2 * DAY) == []


def test_t_03_a_published_text_is_never_changed(database: Database) -> None:
    published(database, "site", "2.0")
    published(database, "site", "2.0")
    with pytest.raises(Conflict), transaction(database) as db:
        terms.publish(db, kind="site", version="2.0", title="site", body="another text")
    for bent in ({"kind": "privacy"}, {"version": " "}, {"body": ""}):
        with pytest.raises(Invalid), transaction(database) as db:
            terms.publish(db, **{"kind": "site", "version": "9", "title": "x", "body": "x", **bent})


def test_publishing_and_accepting_raise_the_versions_decisions_rest_on(database: Database, ana: str) -> None:
    def versions() -> tuple[int, int]:
        with transaction(database) as db:
            epoch = db.execute(text("SELECT epoch FROM policy_epoch")).scalar_one()
            version = db.execute(text("SELECT version FROM account_version WHERE account_id = :a"), {"a": ana})
            return int(epoch), int(version.scalar_one())

    epoch, version = versions()
    document = published(database, "site", "2.0")
    assert versions() == (epoch + 1, version)
    with transaction(database) as db:
        terms.accept(db, ana, [document])
    assert versions() == (epoch + 1, version + 1)


@pytest.mark.parametrize(
    ("made", "ends"),
    [
        (datetime(2026, 11, 21, 9, 30, tzinfo=UTC), datetime(2027, 11, 21, 9, 30, tzinfo=UTC)),
        (datetime(2028, 2, 29, 12, tzinfo=UTC), datetime(2029, 3, 1, 12, tzinfo=UTC)),
    ],
)
def test_t_14_an_attestation_lasts_to_the_same_date_next_year(
    database: Database, ana: str, made: datetime, ends: datetime
) -> None:
    with freeze_time(made), transaction(database) as db:
        attestations.attest(db, ana, capacity="authorised_agent", principal=" Lakeside  Clinic ")
    with transaction(database) as db:
        assert not attestations.in_date(db, ana, made - timedelta(microseconds=1))
        assert attestations.in_date(db, ana, made)
        assert attestations.in_date(db, ana, ends - timedelta(microseconds=1))
        assert not attestations.in_date(db, ana, ends)
        latest = attestations.latest(db, ana, made)
        assert latest
        assert latest.principal == "Lakeside Clinic"


@pytest.mark.parametrize(
    ("capacity", "principal"), [("boss", "X"), ("", "X"), ("licensed_provider", " "), ("licensed_provider", "x" * 201)]
)
def test_t_14_an_attestation_names_why_and_for_whom(
    database: Database, ana: str, capacity: str, principal: str
) -> None:
    with pytest.raises(Invalid), transaction(database) as db:
        attestations.attest(db, ana, capacity=capacity, principal=principal)
