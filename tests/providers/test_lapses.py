"""Credentialing facts that end: four warnings, one mail each; what a practitioner was given for them ends (T-17)."""

from datetime import UTC, datetime, timedelta

import pytest
from freezegun import freeze_time
from sqlmodel import col, select

from idp import clock
from idp.accounts import people
from idp.accounts.tables import Account
from idp.audit.tables import AuditRecord
from idp.database import Database, reading, transaction
from idp.entitlements import catalog, grants
from idp.entitlements.tables import Grant
from idp.jobs import expiries
from idp.notices.tables import Outbox
from idp.providers import organisations, practitioners
from idp.providers.tables import Credential

BEGIN = datetime(2026, 11, 22, 12, tzinfo=UTC)
END = datetime(2027, 4, 1, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def clinician(database: Database) -> str:
    """A practitioner with an account, a licence that ends, and grants that do and do not need it."""
    with freeze_time(BEGIN), transaction(database) as db:
        catalog.load_default(db)
        person = people.create(db, display_name="Ana Ruiz", emails=["ana@lakeside.example"])
        place = organisations.register(db, name="Lakeside Clinic").id
        practitioner = practitioners.record(db, npi="1234567893", name="Ana Ruiz", account_id=person.id)
        practitioners.join(db, practitioner, place)
        practitioners.credential(db, practitioner, "licence", state="IL", source="State board", ends_at=END)
        for key in ("precert.clinical", "eligibility.view"):
            grants.grant(
                db,
                account_id=person.id,
                provider_id=place,
                line="medical",
                entitlement=key,
                by="operator",
                reason="test",
            )
        return person.id


def _mails(database: Database, template: str) -> int:
    with reading(database) as db:
        return len(db.exec(select(Outbox).where(col(Outbox.template) == template)).all())


def _live(database: Database, account_id: str) -> set[str]:
    with reading(database) as db:
        found = db.exec(select(Grant).where(col(Grant.account_id) == account_id, col(Grant.ended_at).is_(None)))
        return {grant.entitlement for grant in found}


def test_o_01_four_warnings_go_out_each_once(database: Database, clinician: str) -> None:
    sent = []
    for before in (91, 89, 89, 59, 29, 6, 6):
        with freeze_time(END - before * DAY):
            expiries.run(database)
            expiries.remind(database)
        sent.append(_mails(database, "credential_ends"))
    assert sent == [0, 1, 1, 2, 3, 4, 4]
    assert _live(database, clinician) == {"precert.clinical", "eligibility.view"}


def test_o_01_a_fact_known_late_is_warned_of_once_and_a_replaced_one_never(database: Database, clinician: str) -> None:
    with freeze_time(END - 5 * DAY):
        expiries.run(database)
        expiries.remind(database)
        expiries.run(database)
        expiries.remind(database)
    assert _mails(database, "credential_ends") == 1
    with freeze_time(END - 5 * DAY), transaction(database) as db:
        fact = db.exec(select(Credential)).one()
        practitioners.set_end(db, fact, END + 365 * DAY)  # renewed
    with freeze_time(END):
        expiries.run(database)
        expiries.remind(database)
    assert _mails(database, "credential_ends") == 1
    assert "precert.clinical" in _live(database, clinician)
    with freeze_time(END), transaction(database) as db:
        fact = db.exec(select(Credential)).one()
        person = practitioners.by_npi(db, "1234567893")
        assert person is not None
        practitioners.credential(db, person, "licence", state="IL", number="2", source="State board", starts_at=END)
    with freeze_time(END + 300 * DAY):
        expiries.run(database)
        expiries.remind(database)
    assert _mails(database, "credential_ends") == 1


def test_o_02_t_17_a_lapsed_licence_ends_what_the_practitioner_was_given_for_it(
    database: Database, clinician: str
) -> None:
    with freeze_time(END):
        expiries.run(database)
        expiries.remind(database)
        expiries.run(database)
        expiries.remind(database)
    assert _live(database, clinician) == {"eligibility.view"}
    assert _mails(database, "credential_ended") == 1
    with reading(database) as db:
        lapsed = db.exec(select(AuditRecord).where(col(AuditRecord.event) == "providers.credential.lapsed")).all()
        assert [record.account_id for record in lapsed] == [clinician]
        ended = db.exec(select(Grant).where(col(Grant.ended_at).is_not(None))).one()
        assert ended.end_reason == "credential_lapsed"


def test_t_17_a_number_out_of_use_ends_it_too(database: Database, clinician: str) -> None:
    with freeze_time(BEGIN + DAY):
        with transaction(database) as db:
            person = practitioners.by_npi(db, "1234567893")
            assert person is not None
            practitioners.deactivate(db, person, clock.now(), by="registry")
        expiries.run(database)
        expiries.remind(database)
        expiries.run(database)
        expiries.remind(database)
    assert _live(database, clinician) == {"eligibility.view"}
    assert _mails(database, "credential_ended") == 1
    with reading(database) as db:
        assert db.get_one(Account, clinician).status == "active"  # the person stays; what rested on the number goes
