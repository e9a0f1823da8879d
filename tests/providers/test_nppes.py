"""Taking over the public NPPES file: both kinds of entity, refused rows, resume, and what it must never open."""

import csv
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import col, func, select

from bench import nppes_file
from idp.audit.tables import AuditRecord
from idp.database import Database, reading, transaction
from idp.errors import Conflict, Invalid
from idp.providers import organisations, places, practitioners
from idp.providers.nppes import layout, lines, rows, run
from idp.providers.nppes.run import Progress
from idp.providers.registry_tables import ImportRun, ProviderLocation, ProviderNpi
from idp.providers.tables import Agreement, Credential, Participation, PortalAccess, Practitioner, Provider

_PERSON, _CLINIC = 0, 3
"""Row numbers of a person and of an organisation in the made file."""


def _file(folder: Path, *rows_: dict[str, str], name: str = "npidata.csv", raw: bytes = b"") -> Path:
    path = folder / name
    path.write_bytes((nppes_file.header() + "".join(map(nppes_file.line, rows_))).encode() + raw)
    return path


def _take(database: Database, path: Path, **more: Any) -> Progress:
    return run.import_file(database, path, path.with_suffix(".errors.csv"), **more)


def _errors(path: Path) -> list[list[str]]:
    with path.with_suffix(".errors.csv").open(encoding="utf-8") as file:
        return list(csv.reader(file))[1:]


def test_nppes_the_layout_has_the_330_columns_of_the_public_file() -> None:
    assert len(layout.COLUMNS) == len(set(layout.COLUMNS)) == 330
    assert (layout.COLUMNS[0], layout.COLUMNS[47], layout.COLUMNS[329]) == (
        "NPI",
        "Healthcare Provider Taxonomy Code_1",
        "Certification Date",
    )


def test_o_01_people_and_organizations_are_taken_over_and_nothing_is_opened(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "npidata.csv"
    nppes_file.write(path, 60)
    told = _take(database, path, rows=25)
    assert told.finished
    assert told.counts == {"rows": 60, "people added": 44, "organizations added": 15, "unknown": 1}
    with reading(database) as db:
        person = practitioners.by_npi(db, nppes_file.npi(_PERSON))
        assert person is not None
        assert person.name == "ANA RUIZ, MD"
        assert person.registry_facts is not None
        assert person.registry_facts["taxonomies"] == [
            {"code": "207Q00000X", "licence": "A000000", "state": "IL", "primary": True}
        ]
        npi = places.npi_of(db, nppes_file.npi(_CLINIC))
        assert npi is not None
        place = db.exec(select(ProviderLocation).where(col(ProviderLocation.provider_id) == npi.provider_id)).one()
        assert (place.city, place.source) == ("SPRINGFIELD", "registry")
        # A registry's licence is what people said of themselves: no fact a gate believes comes of it.
        for table in (PortalAccess, Agreement, Participation, Credential):
            assert db.exec(select(func.count()).select_from(table)).one() == 0
        batches = db.exec(select(AuditRecord).where(col(AuditRecord.event) == "providers.import.batch")).all()
        assert len(batches) == 3


def test_nppes_the_same_file_again_changes_nothing(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "npidata.csv"
    nppes_file.write(path, 40)
    _take(database, path)
    assert _take(database, path).counts == {"rows": 40, "unchanged": 40}


def test_nppes_a_newer_row_changes_an_older_one_does_not_and_our_own_name_stays(
    database: Database, tmp_path: Path
) -> None:
    _take(database, _file(tmp_path, nppes_file.row(0), nppes_file.row(1), nppes_file.row(_CLINIC)))
    with transaction(database) as db:
        renamed = practitioners.by_npi(db, nppes_file.npi(1))
        assert renamed is not None
        renamed.name = "Dr. Ben Ruiz"
        db.add(renamed)
    newer = {layout.UPDATED: "03/01/2026", layout.LAST: "OKAFOR"}
    moved = {layout.UPDATED: "03/01/2026", layout.LOCATION[2]: "PEORIA", layout.ORGANIZATION: "CLINIC NORTH"}
    rows_ = (nppes_file.row(0, **newer), nppes_file.row(1, **newer), nppes_file.row(_CLINIC, **moved))
    assert _take(database, _file(tmp_path, *rows_, name="newer.csv")).counts == {
        "rows": 3,
        "people changed": 2,
        "organizations changed": 1,
    }
    older = nppes_file.row(0, **{layout.UPDATED: "01/01/2020", layout.LAST: "STALE"})
    assert _take(database, _file(tmp_path, older, name="older.csv")).counts == {"rows": 1, "older": 1}
    with reading(database) as db:
        names = {person.npi: person.name for person in db.exec(select(Practitioner))}
        assert names == {nppes_file.npi(0): "ANA OKAFOR, MD", nppes_file.npi(1): "Dr. Ben Ruiz"}
        place = db.exec(select(ProviderLocation)).one()
        assert place.city == "PEORIA"
        assert db.get_one(Provider, place.provider_id).name == "CLINIC NORTH"


def test_nppes_a_number_goes_out_of_use_and_comes_back(database: Database, tmp_path: Path) -> None:
    _take(database, _file(tmp_path, nppes_file.row(0), nppes_file.row(_CLINIC)))
    gone = [{layout.NPI: nppes_file.npi(number), layout.DEACTIVATED: "03/14/2026"} for number in (0, _CLINIC)]
    assert _take(database, _file(tmp_path, *gone, name="gone.csv")).counts == {"rows": 2, "taken out of use": 2}
    with reading(database) as db:
        person = practitioners.by_npi(db, nppes_file.npi(0))
        assert person is not None
        assert person.deactivated_at is not None
        assert person.name == "ANA RUIZ, MD"  # the file says no more of it; we forget nothing
    back = {layout.DEACTIVATED: "03/14/2026", layout.REACTIVATED: "04/01/2026"}
    again = _file(tmp_path, nppes_file.row(0, **back), name="back.csv")
    assert _take(database, again).counts == {"rows": 1, "back in use": 1}
    with reading(database) as db:
        person = practitioners.by_npi(db, nppes_file.npi(0))
        assert person is not None
        assert person.deactivated_at is None


def test_nppes_an_organization_is_found_by_its_tin_and_a_subpart_by_its_parents(
    database: Database, tmp_path: Path
) -> None:
    with transaction(database) as db:
        ours = organisations.register(db, name="Lakeside Clinic", tin="12-3456789").id
    part = {layout.SUBPART: "Y", layout.PARENT_TIN: "123456789"}
    path = _file(
        tmp_path,
        nppes_file.row(3, **{layout.EIN: "123456789"}),
        nppes_file.row(7, **part),
        nppes_file.row(11, **{layout.EIN: "987654321"}),
        nppes_file.row(15, **{layout.EIN: "987654321"}),
    )
    _take(database, path)
    with reading(database) as db:
        home = {row.npi: row.provider_id for row in db.exec(select(ProviderNpi))}
        assert home[nppes_file.npi(3)] == home[nppes_file.npi(7)] == ours
        assert home[nppes_file.npi(11)] == home[nppes_file.npi(15)]
        made = organisations.by_tin(db, "98-7654321")
        assert made is not None
        assert (made.id, made.tin_last4) == (home[nppes_file.npi(11)], "4321")
        assert made.tin_encrypted is not None
        assert b"987654321" not in made.tin_encrypted
        assert db.get_one(Provider, ours).name == "Lakeside Clinic"


_WRONG = (
    ({layout.NPI: "1234567890"}, "NPI"),
    ({layout.ENTITY: "3"}, "Entity Type Code"),
    ({layout.ENTITY: ""}, "Entity Type Code"),
    ({layout.LAST: ""}, "Provider Last Name (Legal Name)"),
    ({layout.UPDATED: "2026-01-31"}, "Last Update Date"),
    ({layout.UPDATED: "02/30/2026"}, "Last Update Date"),
    ({layout.TAXONOMIES[0][0]: "=1+1"}, "Healthcare Provider Taxonomy Code_1"),
    ({layout.FIRST: "A" * 301}, "Provider First Name"),
    ({layout.FIRST: "A\u202eB"}, "Provider First Name"),
)


def test_nppes_each_refused_row_is_told_by_line_column_and_reason_and_costs_no_other(
    database: Database, tmp_path: Path
) -> None:
    wrong = [nppes_file.row(100 + 4 * number, **cells) for number, (cells, _) in enumerate(_WRONG)]
    tin = nppes_file.row(203, **{layout.EIN: "12345"})
    odd = nppes_file.row(207, **{layout.EIN: "070000001"})
    raw = b'"1","unclosed\n' + b"\xff\xfe\n" + b"1,2,3\n" + b"x" * (lines.LONGEST * 2) + b"\n\n"
    raw += nppes_file.line(nppes_file.row(0)).encode().rstrip(b"\n")  # the last line without an end
    path = _file(tmp_path, *wrong, tin, odd, raw=raw)
    told = _take(database, path, rows=4)
    found = _errors(path)
    assert [(line, column) for line, column, _, _ in found[: len(_WRONG)]] == [
        (str(number), column) for number, (_, column) in enumerate(_WRONG, 2)
    ]
    first = len(_WRONG) + 2
    assert [line[:3] for line in found[len(_WRONG) : len(_WRONG) + 2]] == [
        [str(first), layout.EIN, "error"],
        [str(first + 1), layout.EIN, "warning"],
    ]
    reasons = [line[3] for line in found[len(_WRONG) + 2 :]]
    for reason, words in zip(reasons, ("not CSV", "not UTF-8", "3 columns", "bytes", "0 columns"), strict=True):
        assert words in reason
    assert "12345" not in path.with_suffix(".errors.csv").read_text()  # a TIN may be somebody's SSN
    assert told.counts["refused"] == len(_WRONG) + 1 + 5
    assert (told.counts["people added"], told.counts["organizations added"]) == (1, 1)


def test_nppes_a_number_never_turns_from_a_person_into_an_organization(database: Database, tmp_path: Path) -> None:
    _take(database, _file(tmp_path, nppes_file.row(0), nppes_file.row(_CLINIC)))
    swapped = (
        nppes_file.row(_CLINIC, **{layout.NPI: nppes_file.npi(0)}),
        nppes_file.row(0, **{layout.NPI: nppes_file.npi(_CLINIC)}),
    )
    path = _file(tmp_path, *swapped, name="swapped.csv")
    assert _take(database, path).counts == {"rows": 2, "refused": 2}
    assert [line[1] for line in _errors(path)] == ["Entity Type Code"] * 2


class _Killed(Exception):
    """The process died here."""


def test_nppes_a_killed_import_goes_on_exactly_where_it_stopped(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = [nppes_file.row(number, **{layout.ENTITY: "9"}) for number in range(200, 212, 4)]
    good = [nppes_file.row(number) for number in range(30)]
    path = _file(tmp_path, *(one for trio in zip(good[::10], bad, good[1::10], strict=True) for one in trio), *good)
    seen: list[int] = []
    record = run.log.record

    def dies(db: Any, event: Any) -> None:
        """Dies in the third batch: its rows and its lines of the error file are written, nothing is committed."""
        seen.append(1)
        if len(seen) == 3:
            raise _Killed
        record(db, event)

    with monkeypatch.context() as patch:
        patch.setattr(run.log, "record", dies)
        with pytest.raises(_Killed):
            _take(database, path, rows=3)
    assert len(_errors(path)) == 3  # one more than counts
    with reading(database) as db:
        stopped = db.exec(select(ImportRun)).one()
        assert (stopped.line, stopped.counts["rows"], stopped.counts["refused"]) == (7, 6, 2)
    told = _take(database, path, resume=True, rows=3)
    assert told.finished
    assert told.counts["rows"] == 39
    assert [line[0] for line in _errors(path)] == ["3", "6", "9"]
    with reading(database) as db:
        assert db.exec(select(func.count()).select_from(Practitioner)).one() == 23
    with pytest.raises(Invalid, match="waits to be resumed"):
        _take(database, path, resume=True)


def test_nppes_a_limit_stops_and_resume_reads_the_rest(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "npidata.csv"
    nppes_file.write(path, 20)
    first = _take(database, path, limit=8)
    assert (first.counts["rows"], first.line, first.finished) == (8, 9, False)
    rest = _take(database, path, resume=True)
    assert (rest.counts["rows"], rest.line, rest.finished) == (20, 21, True)


def test_nppes_two_imports_of_one_run_do_not_both_count(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "npidata.csv"
    nppes_file.write(path, 8)
    _take(database, path, limit=2)

    def overtake(_progress: Progress) -> None:
        run.import_file(database, path, tmp_path / "other.errors.csv", resume=True)

    (tmp_path / "other.errors.csv").write_bytes(run.HEAD)
    with pytest.raises(Conflict, match="under way"):
        _take(database, path, resume=True, rows=2, told=overtake)
    with reading(database) as db:
        assert db.exec(select(ImportRun)).one().counts["rows"] == 8


def test_nppes_another_layout_and_another_error_file_are_refused(database: Database, tmp_path: Path) -> None:
    with pytest.raises(rows.HeaderWrong, match="names a column twice"):
        rows.Reader([*layout.COLUMNS, "NPI"])
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("NPI,name\n1234567893,Ana\n")
    with pytest.raises(Invalid, match="lacks the columns Entity Type Code"):
        _take(database, wrong)
    path = _file(tmp_path, nppes_file.row(0))
    with pytest.raises(Invalid, match="file itself"):
        run.import_file(database, path, path)
    with pytest.raises(Invalid, match="something else"):
        run.import_file(database, path, wrong)
    assert wrong.read_text().startswith("NPI,name")
