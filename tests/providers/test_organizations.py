"""Organisations beyond the registry: places, continuity of care, verification, an NPI out of use, the applied file."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from sqlmodel import col, select

from bench import nppes_file
from idp.apply.export import export
from idp.apply.run import apply_file
from idp.apply.source import FileWrong
from idp.audit.tables import AuditRecord
from idp.database import Database, reading, transaction
from idp.errors import Conflict, Invalid
from idp.providers import continuity, organisations, places, practitioners
from idp.providers.nppes import run
from idp.providers.registry_tables import ProviderNpi
from idp.providers.tables import Agreement, PortalAccess, Provider
from tests.providers.organisation import organisation_at

DAY = timedelta(days=1)
BEGIN = datetime(2026, 11, 1, tzinfo=UTC)


def test_o_08_a_non_participating_organization_goes_on_with_a_treatment_for_a_time(database: Database) -> None:
    with transaction(database) as db:
        place = organisations.register(db, name="Far Clinic", tin="12-3456789").id
        continuity.allow(
            db, place, "medical", by="operator", reference="CC-17", starts_at=BEGIN, ends_at=BEGIN + 90 * DAY
        )
    during = organisation_at(database, place, BEGIN + DAY)
    assert (during.portal is not None, during.agreement is not None, during.participates) == (True, True, False)
    assert organisation_at(database, place, BEGIN + 90 * DAY).portal is None
    assert organisation_at(database, place, BEGIN + 90 * DAY).agreement is None
    with transaction(database) as db:
        continuity.set_end(db, db.exec(select(PortalAccess)).one(), BEGIN + 30 * DAY)
    assert organisation_at(database, place, BEGIN + 30 * DAY).agreement is None


def test_o_08_continuity_needs_an_end_a_case_and_an_organization_outside_the_network(database: Database) -> None:
    with transaction(database) as db:
        place = organisations.register(db, name="Near Clinic").id
        organisations.participate(db, place, "medical", starts_at=BEGIN, ends_at=BEGIN + 10 * DAY)

        def allow(start: datetime, end: datetime, reference: str = "CC-17") -> None:
            continuity.allow(db, place, "medical", by="operator", reference=reference, starts_at=start, ends_at=end)

        with pytest.raises(Invalid):
            allow(BEGIN + 20 * DAY, BEGIN + 30 * DAY, reference=" ")
        with pytest.raises(Invalid):
            allow(BEGIN + 20 * DAY, BEGIN + 20 * DAY)
        with pytest.raises(Invalid):
            allow(BEGIN + 20 * DAY, BEGIN + 387 * DAY)
        with pytest.raises(Conflict):
            allow(BEGIN + 9 * DAY, BEGIN + 30 * DAY)
        allow(BEGIN + 10 * DAY, BEGIN + 30 * DAY)


def test_t_16_nothing_of_a_practitioner_counts_once_the_number_is_out_of_use(database: Database) -> None:
    with transaction(database) as db:
        place = organisations.register(db, name="Near Clinic").id
        person = practitioners.record(db, npi="1234567893", name="Ana Ruiz")
        practitioners.join(db, person, place, starts_at=BEGIN)
        for kind in ("licence", "credentialing"):
            practitioners.credential(db, person, kind, source="State board", starts_at=BEGIN)
    assert organisation_at(database, place, BEGIN + 5 * DAY).credentialed
    with transaction(database) as db:
        known = practitioners.by_npi(db, "1234567893")
        assert known is not None
        assert practitioners.deactivate(db, known, BEGIN + 5 * DAY, by="registry")
    assert organisation_at(database, place, BEGIN + 4 * DAY).credentialed  # replays of earlier days stay true
    gone = organisation_at(database, place, BEGIN + 5 * DAY)
    assert (gone.credentialed, gone.licences) == (False, ())


def test_o_01_a_verification_names_its_source_and_is_never_of_a_day_to_come(database: Database) -> None:
    with transaction(database) as db:
        person = practitioners.record(db, npi="1234567893", name="Ana Ruiz")
        fact = practitioners.credential(db, person, "residency", source="Northside Hospital", verified_at=BEGIN)
        assert practitioners.verify(db, fact, source="Primary source", verified_at=BEGIN + DAY)
        assert not practitioners.verify(db, fact, source="Primary source", verified_at=BEGIN + DAY)
        with pytest.raises(Invalid):
            practitioners.verify(db, fact, source="Primary source", verified_at=datetime(2999, 1, 1, tzinfo=UTC))


def test_an_npi_is_checked_and_belongs_to_one(database: Database) -> None:
    with transaction(database) as db:
        one, other = (organisations.register(db, name=name).id for name in ("One", "Other"))
        places.add_npi(db, one, "1234567893")
        practitioners.record(db, npi="1000000004", name="Ana Ruiz")
        for npi, refusal in (("1234567890", Invalid), ("1234567893", Conflict), ("1000000004", Conflict)):
            with pytest.raises(refusal):
                places.add_npi(db, other, npi)


_WORLD = """
providers:
  - ref: lakeside
    name: Lakeside Clinic
    npis: ["{npi}"]
    locations:
      - {{name: Main house, line1: 1 Lake Road, city: Springfield, state: IL, from: 2026-01-01}}
    continuity:
      - {{reference: CC-17, from: 2026-11-01, until: 2027-01-30}}
    practitioners:
      - npi: "1234567893"
        name: Ana Ruiz
        credentials:
          - {{kind: licence, number: A1, state: IL, source: State board, verified: 2026-10-01, from: 2026-01-01}}
          - {{kind: education, source: Northside University, from: 2010-06-01}}
"""


def test_the_applied_file_says_places_and_continuity_twice_the_same_and_exports_them(
    database: Database, tmp_path: Path
) -> None:
    path = tmp_path / "world.yaml"
    path.write_text(_WORLD.format(npi=nppes_file.npi(3)))
    assert apply_file(database, path)
    assert not apply_file(database, path)
    [entry] = yaml.safe_load(export(database))["providers"]
    assert entry["npis"] == [nppes_file.npi(3)]
    assert entry["locations"][0]["city"] == "Springfield"
    assert (entry["continuity"][0]["reference"], entry["continuity"][0]["until"]) == ("CC-17", "2027-01-30")
    assert "portals" not in entry
    assert "agreements" not in entry
    assert entry["practitioners"][0]["credentials"][0]["verified"] == "2026-10-01"
    later = _WORLD.format(npi=nppes_file.npi(3)).replace("2027-01-30", "2026-12-15").replace("2026-10-01", "2026-11-01")
    path.write_text(later.replace("Springfield", "Dayton"))
    assert len(apply_file(database, path).text().splitlines()) >= 3
    assert not apply_file(database, path)
    with reading(database) as db:
        assert {row.ends_at for row in db.exec(select(Agreement))} == {datetime(2026, 12, 15, tzinfo=UTC)}


def test_an_organization_the_registry_brought_first_becomes_the_one_the_file_describes(
    database: Database, tmp_path: Path
) -> None:
    file = tmp_path / "npidata.csv"
    nppes_file.write(file, 8)  # numbers 3 and 7 are organizations
    run.import_file(database, file, tmp_path / "errors.csv")
    assert "providers" not in yaml.safe_load(export(database))  # they come with the registry's file again
    path = tmp_path / "world.yaml"
    path.write_text(_WORLD.format(npi=nppes_file.npi(3)))
    apply_file(database, path)
    with reading(database) as db:
        npi = db.exec(select(ProviderNpi).where(col(ProviderNpi.npi) == nppes_file.npi(3))).one()
        assert db.get_one(Provider, npi.provider_id).name == "Lakeside Clinic"
        husk = db.exec(select(Provider).where(col(Provider.name) == "CLINIC 3 LLC")).one()
        assert husk.status == "ended"
    path.write_text(path.read_text() + "  - {ref: other, name: Other, npis: ['" + nppes_file.npi(3) + "']}\n")
    with pytest.raises(FileWrong, match="already recorded"):
        apply_file(database, path)


def test_every_change_of_an_organization_is_recorded_without_its_tin(database: Database) -> None:
    with transaction(database) as db:
        place = organisations.register(db, name="Near Clinic", tin="12-3456789").id
        places.add_npi(db, place, "1234567893")
        places.add_location(db, place, name="Main house")
        continuity.allow(
            db, place, "medical", by="operator", reference="CC-17", ends_at=datetime(2026, 12, 31, tzinfo=UTC)
        )
    with reading(database) as db:
        written = db.exec(select(AuditRecord).where(col(AuditRecord.provider_id) == place)).all()
        assert "providers.continuity.allowed" in {row.event for row in written}
        assert len(written) == 6
        assert not any("123456789" in str(row.model_dump()) for row in written)
