"""Odd files for `idp apply`: each is read, or told by a sentence with its line; nothing of it is half applied."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from idp.apply import odd, source
from idp.apply.schema.document import parse
from idp.apply.source import FileWrong
from idp.database import Database, reading
from tests.cli.conftest import Result

BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join(['*' + before] * 10)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
WRONG: list[tuple[str, bytes, str]] = [
    ("x.yaml", "terms: []\nproviders: []\n".encode("utf-16"), r"x\.yaml:1: .*UTF-16.*UTF-8"),
    ("x.toml", "a = 1\n".encode("utf-16-le"), r"x\.toml:1: .*UTF-16"),
    ("x.yaml", b"terms: []\nproviders: \xff\n", r"x\.yaml:2: is not UTF-8"),
    ("x.yaml", b"terms: []\nproviders:\n  - {ref: a, name: 'x\x00y'}\n", r"x\.yaml:3: holds a control character"),
    ("x.toml", b"[settings]\na = '\x07'\n", r"x\.toml:2: holds a control character"),
    ("x.yaml", b'providers:\n  - ref: a\n    name: "x\\0y"\n', r"x\.yaml:3: providers\[0\]\.name: holds a control"),
    ("x.toml", b'[[providers]]\nref = "a"\nname = "x\\u0000y"\n', r"x\.toml:3: providers\[0\]\.name: holds a control"),
    ("x.yaml", b"terms: []\nproviders: " + b"[" * 100_000 + b"]" * 100_000, r"x\.yaml:2: is nested deeper than"),
    ("x.yaml", b"".join(b" " * depth + b"a:\n" for depth in range(2000)), r"x\.yaml:\d+: is nested deeper than"),
    ("x.toml", b"a = " + b"[" * 50_000 + b"]" * 50_000, r"x\.toml: is nested deeper than"),
    ("x.yaml", (BOMB + "providers: *i\n").encode(), r"x\.yaml:\d+: repeats itself too often"),
    ("x.yaml", b"terms: []\nproviders: &a\n  - *a\n", r"x\.yaml:3: a refers to itself"),
    ("x.yaml", b"a: &a\n  <<: *a\n", r"x\.yaml:2: a refers to itself"),
    ("x.yaml", b"a: 1\nb: " + b"9" * 6000 + b"\n", r"x\.yaml:2: .*can't be read"),
    ("x.toml", b"a = 1\nb = " + b"9" * 6000 + b"\n", r"x\.toml:2: .*can't be read"),
    ("x.yaml", b"a: 1\nb: !!bool x\n", r"x\.yaml:2: .*can't be read"),
    ("x.yaml", b"a: 1\nb: !!timestamp 2026-99-99\n", r"x\.yaml:2: .*can't be read"),
    ("x.yaml", b"a: 1\nb: !!python/object/apply:os.system [x]\n", r"x\.yaml:2: "),
    ("x.yaml", b"a: 1\n---\nb: 2\n", r"x\.yaml:2: "),
    ("x.yaml", b"a: 1\nb:\n  c: 1\n  c: 2\n", r"x\.yaml:4: c: is written twice"),
]


@pytest.mark.parametrize(("name", "content", "said"), WRONG, ids=range(len(WRONG)))
def test_operations_an_odd_file_is_told_with_its_line(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(FileWrong, match=said):
        parse(source.read(file), development=True)


@pytest.mark.parametrize("moment", ["0001-01-01", "'0001-01-01T00:00:00+14:00'", "'9999-12-31T23:59:59-12:00'"])
def test_operations_a_date_no_page_could_show_is_told(tmp_path: Path, moment: str) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(f"providers:\n  - ref: a\n    name: A\n    agreements: [{{line: medical, from: {moment}}}]\n")
    with pytest.raises(FileWrong, match=r"x\.yaml:4: providers\[0\]\.agreements\[0\]\.from: must lie between 1900"):
        parse(source.read(file), development=True)


def test_operations_what_editors_of_other_systems_write_is_understood(tmp_path: Path) -> None:
    plain = b"terms: []\nproviders:\n  - {ref: a, name: \xc3\x81na}\n"
    read = []
    for content in (plain, b"\xef\xbb\xbf" + plain, plain.replace(b"\n", b"\r\n"), plain.replace(b"\n", b"\r")):
        file = tmp_path / "x.yaml"
        file.write_bytes(content)
        read.append(parse(source.read(file), development=True))
    assert all(one == read[0] for one in read)
    toml = tmp_path / "x.toml"
    toml.write_bytes(b'\xef\xbb\xbf[[providers]]\rref = "a"\rname = "A"\r')
    assert parse(source.read(toml), development=True).providers[0].name == "A"
    forever = tmp_path / "y.yaml"
    forever.write_text(
        "providers:\n  - ref: a\n    name: A\n    agreements: [{line: medical, from: 1900-01-01, until: 9999-12-31}]\n"
        "    portals: &same [{line: dental, from: 2026-01-01}]\n    participation: *same\n"
    )
    assert parse(source.read(forever), development=True).providers[0].participation


def test_operations_a_file_or_line_too_long_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "x.yaml"
    file.write_bytes(b"terms: []\nproviders: 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'\n")
    monkeypatch.setattr(odd, "LONGEST_LINE", 30)
    with pytest.raises(FileWrong, match=r"x\.yaml:2: is longer than"):
        source.read(file)
    monkeypatch.setattr(odd, "LARGEST", 60)
    with pytest.raises(FileWrong, match="is larger than"):
        source.read(file)


def test_operations_nothing_of_an_odd_file_is_half_applied(
    ready: Database, tmp_path: Path, idp: Callable[..., Result]
) -> None:
    file = tmp_path / "x.yaml"
    file.write_text('providers:\n  - {ref: a, name: A, tin: "366123459"}\n  - {ref: b, name: "B\\0"}\n')
    result = idp("apply", str(file))
    assert result.exit_code == 1
    assert "x.yaml:3: providers[1].name" in result.output
    assert "Traceback" not in result.output
    with reading(ready) as db:
        assert db.execute(text("SELECT count(*) FROM provider")).scalar() == 0


@pytest.mark.parametrize("content", ["tin,kind\n".encode("utf-16"), b"tin,kind\n\xff\n", b"tin,kind\n\x00\n", b'a\n"'])
def test_operations_an_odd_list_of_proofs_is_told_in_a_sentence(
    ready: Database, tmp_path: Path, idp: Callable[..., Result], content: bytes
) -> None:
    file = tmp_path / "proofs.csv"
    file.write_bytes(content)
    result = idp("import", "facts", str(file))
    assert result.exit_code == 1
    assert "Traceback" not in result.output
    assert "proofs.csv" in result.output or "columns" in result.output
