"""The pages under docs/ say what the program does: examples are run, fields are all there, links lead somewhere."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from idp.apply.export import export
from idp.apply.run import apply_file
from idp.apply.schema import apps, organisations, people, policy
from idp.configuration import Clocks, Insurer, Passwords, Registration
from idp.database import Database
from tests.cli.conftest import SECRETS

HOME = Path(__file__).parents[2]
PAGES = [HOME / "README.md", HOME / "CHANGELOG.md", *sorted((HOME / "docs").rglob("*.md"))]
MODELS = [
    model
    for module in (apps, organisations, people, policy)
    for model in vars(module).values()
    if isinstance(model, type) and issubclass(model, BaseModel) and model.__module__ == module.__name__
] + [Clocks, Insurer, Passwords, Registration]


def blocks(page: Path, language: str) -> list[str]:
    """Return the fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


def test_the_example_of_the_applied_file_applies_and_exports(ready: Database, folder: Path) -> None:
    (example,) = blocks(HOME / "docs" / "configuration.md", "yaml")
    file = folder / "example.yaml"
    file.write_text(example)
    assert set(re.findall(r"env:(\w+)", example)) <= SECRETS.keys()
    assert apply_file(ready, file)
    assert apply_file(ready, file).text() == "nothing differs"
    file.write_text(export(ready))
    assert not apply_file(ready, file)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_field_of_the_applied_file_is_documented(model: type[BaseModel]) -> None:
    page = (HOME / "docs" / "configuration.md").read_text()
    for name, field in model.model_fields.items():
        assert re.search(rf"\b{field.alias or name}\b", page), f"{model.__name__}.{name}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(HOME)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(HOME)))
def test_files_that_pages_name_exist(page: Path) -> None:
    for name in re.findall(r"`((?:idp|tests|scripts|bench|migrations|policy)/[\w/.-]+)`", page.read_text()):
        assert (HOME / name).exists(), name


def test_every_setting_of_the_environment_is_documented() -> None:
    from idp.settings import Settings

    page = (HOME / "docs" / "operators.md").read_text()
    for name in Settings.model_fields:
        assert f"IDP_{name.upper()}" in page, name


def test_every_command_the_pages_tell_people_to_type_exists() -> None:
    from typer.main import get_command

    from idp.cli.app import app

    group = get_command(app)
    known = set(group.commands)  # type: ignore[attr-defined]
    for page in PAGES:
        for command in re.findall(r"`idp ([a-z]+)", page.read_text()):
            assert command in known, f"{page.name}: idp {command}"
        targets = re.findall(r"^([a-z-]+):", (HOME / "Makefile").read_text(), re.MULTILINE)
        for target in re.findall(r"`make ([a-z-]+)`", page.read_text()):
            assert target in targets, f"{page.name}: make {target}"


def test_decisions_have_one_number_each_and_their_heading_says_it() -> None:
    files = sorted((HOME / "docs" / "decisions").glob("*.md"))
    numbers = [int(file.name[:4]) for file in files]
    assert len(numbers) == len(set(numbers)), [file.name for file in files]
    for file in files:
        heading = re.match(r"# 0*(\d+)\.? ", file.read_text())
        assert heading, file.name
        assert int(heading[1]) == int(file.name[:4]), file.name


def test_every_test_the_security_pages_name_exists() -> None:
    known = {file: set(re.findall(r"def (test_\w+)\(", file.read_text())) for file in (HOME / "tests").rglob("*.py")}
    every = set().union(*known.values())
    for page in sorted((HOME / "docs" / "security").rglob("*.md")):
        for row in page.read_text().splitlines():
            named = re.findall(r"`(test_\w+)`", row)
            assert set(named) <= every, f"{page.name}: {set(named) - every}"
            files = re.findall(r"`(tests/[\w/]+\.py)`", row)
            if named and files:
                there = set().union(*(known[HOME / file] for file in files))
                assert set(named) <= there, f"{page.name}: {set(named) - there} in {files}"


def test_every_file_that_the_pages_name_is_there() -> None:
    named = {
        (page, path)
        for page in PAGES
        for path in re.findall(r"`((?:idp|tests|samples|policy|scripts|bench|migrations)/[\w/.-]+)`", page.read_text())
    }
    assert len(named) > 50
    assert not sorted(f"{page.name}: {path}" for page, path in named if not (HOME / path).exists())


def test_the_tree_of_the_architecture_names_every_package() -> None:
    (tree, *_others) = blocks(HOME / "docs" / "architecture.md", "")
    packages = [path.parent.name for path in (HOME / "idp").glob("*/__init__.py")]
    assert not [name for name in packages if f"{name}/" not in tree]
    pages = [path.parent.name for path in (HOME / "idp" / "web").glob("*/__init__.py")]
    assert not [name for name in pages if f"{name}/" not in tree]
