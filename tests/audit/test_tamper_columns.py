"""What searches see is compared with the sealed record, whatever it is spelled like (security.md 74, SE-5)."""

from collections.abc import Callable

import pytest

from idp.audit import leaf
from idp.audit.report import Report
from idp.audit.seal import Sealer
from idp.database import Database
from tests.audit.conftest import as_superuser

Write = Callable[..., None]
Check = Callable[..., Report]
SQLITE = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
"""Only a file takes a value of another kind: PostgreSQL keeps text in a column of text, bytes in one of bytes."""
_ODD = (
    "\u00e9\u20ac\U0001f512",
    'a "quoted" \\ one',
    "tab\tline\nbell\x07del\x7f",
    "</script>",
    "\u2028",
    "5",
    "null",
    "",
    "1e3",
)


def test_records_with_odd_values_are_whole(write: Write, sealer: Sealer, check: Check) -> None:
    for value in _ODD:
        write(1, entitlement=value, session=value, reason=value)
    sealer.seal()
    report = check()
    assert (report.whole, report.records) == (True, len(_ODD)), report.sentence


@pytest.mark.parametrize("column", leaf.CHECKED[1:])
def test_security_74_each_column_changed_or_emptied_or_filled_is_named(
    column: str, database: Database, write: Write, sealer: Sealer, check: Check
) -> None:
    write(6, session="ses_1", entitlement="claim.status", client="app_1", decision="dec_1")
    sealer.seal()
    as_superuser(
        database,
        f"UPDATE audit_record SET {column} = coalesce({column}, '') || 'x' WHERE seq = 2",
        f"UPDATE audit_record SET {column} = 'null' WHERE seq = 4",
    )
    report = check()
    assert [(f.kind, f.record) for f in report.findings] == [("columns", 2), ("columns", 4)]
    assert column in report.sentence


@SQLITE
@pytest.mark.parametrize(
    "value",
    [
        "account_id || char(0) || 'x'",
        "CAST(account_id AS BLOB)",
        "CAST(x'c328' AS TEXT)",
        "x'00'",
        "lower(account_id) || ' '",
    ],
)
def test_security_74_a_value_of_another_kind_in_a_file_is_named(
    value: str, database: Database, write: Write, sealer: Sealer, check: Check
) -> None:
    write(6)
    sealer.seal()
    as_superuser(database, f"UPDATE audit_record SET account_id = {value} WHERE seq = 3")
    assert [(f.kind, f.record) for f in check().findings] == [("columns", 3)]


@SQLITE
@pytest.mark.parametrize(
    "value", ["CAST(leaf AS TEXT) || char(0)", "x'7b'", "CAST(x'c328' AS TEXT)", "'{}'", "zeroblob(0)"]
)
def test_security_74_a_record_made_unreadable_in_a_file_is_named(
    value: str, database: Database, write: Write, sealer: Sealer, check: Check
) -> None:
    write(6)
    sealer.seal()
    as_superuser(database, f"UPDATE audit_record SET leaf = {value} WHERE seq = 3")
    assert [(f.kind, f.record) for f in check().findings] == [("altered", 3)]
