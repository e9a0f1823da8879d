"""docs/conformance.md names a test for each module, and every test that is named after one."""

import re
from pathlib import Path

HOME = Path(__file__).parents[2]
NAME = re.compile(r"^(?:async )?def (test_\w+)", re.MULTILINE)


def test_every_conformance_module_has_its_test_and_every_such_test_its_row() -> None:
    page = (HOME / "docs" / "conformance.md").read_text()
    rows = [row for row in page.splitlines() if row.startswith("| ") and not row.startswith("| module")]
    assert len(rows) > 40
    made = {
        name
        for file in (HOME / "tests" / "oauth").glob("test_conformance_*.py")
        for name in NAME.findall(file.read_text())
    }
    named = [re.findall(r"`(test_\w+)`", row) for row in rows]
    assert all(named)
    assert {name for names in named for name in names} <= made
    assert {name for name in made if name.startswith("test_oidcc_")} <= {name for names in named for name in names}
