"""Organisations, identifiers, practitioners, partners: kept as the domain says, secrets sealed."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from idp import clock
from idp.database import Database, of, transaction
from idp.errors import Conflict, Invalid
from idp.partners import register, shared_accounts, standing
from idp.providers import affiliations, identifiers, organisations, practitioners


@pytest.mark.parametrize("npi", ["1234567893", "1000000004", "2000000002", "123-456-7893"])
def test_domain_8_valid_npis(npi: str) -> None:
    assert identifiers.npi_is_valid(npi)


@pytest.mark.parametrize("npi", ["1234567890", "3234567893", "", "12345678931", "123456789", "١٢٣٤٥٦٧٨٩٣"])
def test_domain_8_invalid_npis(npi: str) -> None:
    assert not identifiers.npi_is_valid(npi)


@given(st.from_regex(r"[12][0-9]{8}", fullmatch=True), st.integers(0, 9))
def test_domain_8_exactly_one_check_digit_is_right(head: str, digit: int) -> None:
    right = [d for d in range(10) if identifiers.npi_is_valid(f"{head}{d}")]
    assert len(right) == 1
    assert ((identifiers.luhn_sum(f"{head}{right[0]}") + 24) % 10) == 0
    assert identifiers.npi_is_valid(f"{head}{digit}") == (digit == right[0])


def test_domain_8_dea_and_tin() -> None:
    for dea in ("AB1234563", "BB1388568", "F91234563", "ab1234563", "AB1234563-77"):
        assert identifiers.dea_is_valid(dea), dea
    for dea in ("AB1234567", "9B1234563", "AB123456", "", "AB12345634"):
        assert not identifiers.dea_is_valid(dea), dea
    assert identifiers.tin_is_valid("12-3456789")
    assert not identifiers.tin_is_valid("12-345678")
    assert identifiers.tin_is_unusual("07-3456789")
    assert not identifiers.tin_is_unusual("12-3456789")


def test_a_tin_is_sealed_found_by_keyed_hash_and_shown_by_its_last_four(database: Database) -> None:
    with transaction(database) as db:
        made = organisations.register(db, name="Lakeside", tin="12-3456789")
        assert made.tin_last4 == "6789"
        assert organisations.by_tin(db, "123456789") == made
        assert organisations.by_tin(db, "123456780") is None
        place = f"provider.tin_encrypted:{made.id}"
        assert made.tin_encrypted
        assert of(db).ring.open("tin", place, made.tin_encrypted) == b"123456789"
        row = db.execute(text("SELECT tin_encrypted, tin_hash FROM provider")).one()
        assert all(b"123456789" not in bytes(value) for value in row)
        leaves = db.execute(text("SELECT leaf FROM audit_record")).scalars().all()
        assert all(b"3456789" not in bytes(leaf) for leaf in leaves)
        with pytest.raises(Conflict):
            organisations.register(db, name="Again", tin="123456789")
        for wrong in ("12345", "12345678a"):
            with pytest.raises(Invalid):
                organisations.register(db, name="Wrong", tin=wrong)


def test_a_portal_is_opened_and_closed_once(database: Database) -> None:
    with transaction(database) as db:
        made = organisations.register(db, name="Lakeside")
        organisations.open_portal(db, made.id, "medical", by="operator")
        now = clock.now()
        assert organisations.has_line(db, made.id, "medical", now)
        assert not organisations.has_line(db, made.id, "dental", now)
        assert organisations.close_portal(db, made.id, "medical", by="operator", because="contract") == 1
        assert organisations.close_portal(db, made.id, "medical", by="operator", because="contract") == 0
        assert not organisations.has_line(db, made.id, "medical", clock.now())
        for wrong in ({"line": "vision"}, {"line": "dental", "ends_at": now - timedelta(days=1)}):
            with pytest.raises(Invalid):
                organisations.open_portal(db, made.id, by="operator", **wrong)


def test_practitioners_have_a_true_npi_and_credentials_a_source(database: Database) -> None:
    with transaction(database) as db:
        made = practitioners.record(db, npi="1234567893", name="Dr Lee")
        with pytest.raises(Invalid):
            practitioners.record(db, npi="1234567890", name="Dr Wrong")
        with pytest.raises(Conflict):
            practitioners.record(db, npi="123 456 7893", name="Dr Lee again")
        practitioners.credential(db, made, "dea", number="AB1234563", source="registry")
        with pytest.raises(Invalid):
            practitioners.credential(db, made, "dea", number="AB1234567")
        with pytest.raises(Invalid):
            practitioners.credential(db, made, "diploma")


def test_one_live_affiliation_for_a_person_and_an_organisation(ana: Database) -> None:
    with transaction(ana) as db:
        with pytest.raises(Conflict):
            affiliations.approve(db, account_id="acc_ana", provider_id="prv_lake", by="operator")
        with pytest.raises(Invalid):
            affiliations.approve(db, account_id="acc_bo", provider_id="prv_lake", capacity="friend", by="operator")
        soon = clock.now() + timedelta(days=1)
        affiliations.approve(db, account_id="acc_bo", provider_id="prv_lake", by="operator", ends_at=soon)
        assert [a.provider_id for a in affiliations.in_force(db, "acc_bo", clock.now())] == ["prv_lake"]
        assert affiliations.in_force(db, "acc_bo", soon) == []
        past = clock.now() - timedelta(days=9)
        affiliations.approve(
            db, account_id="acc_bo", provider_id="prv_other", by="x", starts_at=past, ends_at=past + timedelta(days=1)
        )
        affiliations.approve(db, account_id="acc_bo", provider_id="prv_other", by="x")
        assert len(affiliations.in_force(db, "acc_bo", clock.now())) == 2


def test_p18_good_standing_is_active_or_review_overdue(database: Database) -> None:
    with transaction(database) as db:
        made = register.record(db, name="Evergreen", kind="third_party")
        good = []
        for status in register.STATUSES:
            register.change_status(db, made, status, because="test")
            if standing.in_good_standing(db, made.id):
                good.append(status)
        assert good == ["active", "review_overdue"]
        assert standing.in_good_standing(db, None)
        assert not standing.in_good_standing(db, "ptr_nobody")
        for wrong in ({"kind": "friend"}, {"status": "nice"}):
            with pytest.raises(Invalid):
                register.record(db, name="Wrong", **wrong)


def test_s17_which_shared_accounts_were_active_on_a_date(ana: Database) -> None:
    with transaction(ana) as db:
        account = shared_accounts.by_number(db, "7001")
        assert account is not None
        assert [a.id for a in shared_accounts.active_on(db, clock.now())] == ["sha_trust"]
        assert shared_accounts.active_on(db, clock.now() - timedelta(days=400)) == []
        shared_accounts.set_owner(db, account, "remit.view", owner="insurer")
        again = shared_accounts.set_owner(db, account, "remit.view", owner="partner", contact_name="Summit")
        assert (again.owner, again.contact_name) == ("partner", "Summit")
        with pytest.raises(Invalid):
            shared_accounts.set_owner(db, account, "remit.view", owner="nobody")
        with pytest.raises(Conflict):
            shared_accounts.record(db, account_number="7001", partner_id="ptr_summit")
