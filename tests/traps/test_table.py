"""The table of traps names, for each, a test that shows the fault of the naive set-up and then ours."""

import ast
import re
from functools import cache
from pathlib import Path

HOME = Path(__file__).parents[2]
ROWS = [
    row
    for row in (HOME / "docs" / "security" / "package-traps.md").read_text().splitlines()
    if row.startswith("| ") and not row.startswith("| trap |")
]
TEST = re.compile(r"`(test_\w+)` in `(tests/[\w/]+\.py)`")
ALL_TRAPS = (
    "tests/traps/test_sqlmodel.py",
    "tests/oauth/test_authlib_traps.py",
    "tests/contract/test_authlib_client_traps.py",
    "tests/entitlements/test_casbin_traps.py",
)


@cache
def _tests(file: str) -> dict[str, str]:
    source = (HOME / file).read_text()
    made = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    return {node.name: ast.get_source_segment(source, node) or "" for node in made if node.name.startswith("test_")}


def test_every_trap_has_a_test_that_shows_both_sides() -> None:
    assert len(ROWS) > 40
    for row in ROWS:
        named = TEST.findall(row)
        assert named, row
        for name, file in named:
            shown = _tests(file)[name]
            assert re.search(r"# red|naive", shown), f"{name} shows nothing red"


def test_every_test_with_a_red_side_stands_in_the_table() -> None:
    listed = {name for row in ROWS for name, _file in TEST.findall(row)}
    for file in ALL_TRAPS:
        red = {name for name, source in _tests(file).items() if "# red" in source}
        assert red <= listed, red - listed
