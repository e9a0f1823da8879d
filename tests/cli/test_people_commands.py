"""`idp links`, `idp partner`, `idp who`, `idp decide`: what they print, what they refuse, and the exit status."""

from collections.abc import Callable
from pathlib import Path

import pytest

from idp.accounts import linking
from idp.apply.run import apply_file
from idp.apply.tables import AppliedReference
from idp.database import Database, reading, transaction
from tests.cli.conftest import Result

Run = Callable[..., Result]
pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


@pytest.fixture
def ids(ready: Database, folder: Path) -> dict[str, str]:
    """The world of the file; ids by ref."""
    apply_file(ready, folder / "world.yaml")
    with reading(ready) as db:
        return {ref: _id(db, section, ref) for section, ref in (("people", "ana"), ("partners", "evergreen"))}


def _id(db: object, section: str, ref: str) -> str:
    row = db.get(AppliedReference, (section, ref))  # type: ignore[attr-defined]
    assert row is not None
    return str(row.target)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("links",), ("list", "undo", "split", "release")),
        (("links", "split"), ("--login", "--name", "--because")),
        (("partner",), ("affected", "suspend", "reinstate")),
        (("partner", "suspend"), ("--because", "--end", "partner")),
        (("community",), ("add", "disable")),
        (("who",), ("function", "provider", "day", "--line")),
        (("decide",), ("--account", "--function", "--provider", "--at", "--explain", "--suppose")),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_help_names_what_a_command_takes(idp: Run, command: tuple[str, ...], words: tuple[str, ...]) -> None:
    told = idp(*command, "--help")
    assert told.exit_code == 0
    assert [word for word in words if word not in told.output] == []


def test_ru4_links_are_read_taken_apart_and_put_back(ready: Database, ids: dict[str, str], idp: Run) -> None:
    shown = idp("links", "list", ids["ana"])
    assert shown.exit_code == 0
    with reading(ready) as db:
        outside = [one.id for one in linking.logins(db, ids["ana"]) if one.upstream_id]
    assert outside[0] in shown.output
    with transaction(ready) as db:
        linking.link(
            db, ids["ana"], upstream_id=_upstream(db), issuer="https://login.evergreen.example", subject="other"
        )
        other = next(one.id for one in linking.logins(db, ids["ana"]) if one.subject == "other")
    done = idp("links", "split", ids["ana"], "--login", other, "--name", "Anna Reyes", "--because", "two people")
    assert (done.exit_code, "it holds no access" in done.output) == (0, True), done.output
    operation = next(word for word in done.output.split() if word.startswith("lop_")).rstrip(".")
    assert operation in idp("links", "list", ids["ana"]).output
    undone = idp("links", "undo", operation, "--because", "one person after all")
    assert (undone.exit_code, "was undone" in undone.output) == (0, True), undone.output
    twice = idp("links", "undo", operation, "--because", "again")
    assert (twice.exit_code, twice.output.startswith("idp: ")) == (1, True)


def _upstream(db: object) -> str:
    return _id(db, "upstreams", "evergreen-login")


@pytest.mark.parametrize(
    ("command", "status"),
    [
        (("links", "undo", "lnk_none", "--because", "x"), 1),
        (("links", "undo", "lop_none", "--because", "x"), 1),
        (("links", "undo", "lnk_none"), 2),
        (("links", "release", "lgn_none", "--because", "x"), 1),
        (("links", "split", "acc_none", "--login", "lgn_none", "--name", "A", "--because", "x"), 1),
        (("links",), 2),
        (("partner", "affected", "ptr_none"), 1),
        (("partner", "suspend", "ptr_none", "--because", "x"), 1),
        (("partner", "suspend", "evergreen"), 2),
        (("partner", "reinstate", "ptr_none", "--because", "x"), 1),
        (("who", "remit.view", "prv_lakeside", "yesterday"), 2),
        (("who", "no.such.function", "prv_lakeside", "2026-06-01"), 1),
        (("who", "remit.view", "prv_none", "2026-06-01"), 1),
        (("decide", "--account", "acc_a", "--function", "f", "--provider", "p", "--client", "none"), 2),
        (("decide", "/nowhere/questions.jsonl"), 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_a_mistake_is_a_sentence_and_an_exit_status(
    ids: dict[str, str], idp: Run, command: tuple[str, ...], status: int
) -> None:
    told = idp(*command)
    assert told.exit_code == status, told.output
    assert "Traceback" not in told.output
    assert told.output.strip()


def test_invariant_11_a_partner_is_suspended_and_reinstated_by_its_ref(ids: dict[str, str], idp: Run) -> None:
    assert "1 logins of 1 people" in idp("partner", "affected", "evergreen").output
    closed = idp("partner", "suspend", "evergreen", "--because", "incident 7")
    assert (closed.exit_code, "Every path is closed." in closed.output) == (0, True)
    assert f"{ids['ana']} has no other login that works." in closed.output
    again = idp("partner", "suspend", ids["evergreen"], "--because", "incident 7")
    assert (again.exit_code, "nothing changed" in again.output) == (0, True)
    opened = idp("partner", "reinstate", "evergreen", "--because", "mended")
    assert (opened.exit_code, "Its logins work again." in opened.output) == (0, True)
    assert "nothing changed" in idp("partner", "reinstate", "evergreen", "--because", "mended").output
