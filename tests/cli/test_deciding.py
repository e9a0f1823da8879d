"""docs/deciding.md is executed: its world is applied, its questions asked on the command line and over HTTP."""

import asyncio
import csv
import io
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
from sqlalchemy import text

from idp import clock
from idp.app import create_app
from idp.apply.run import apply_file
from idp.database import Database, transaction
from idp.oauth import clients
from idp.settings import Settings
from tests.cli.conftest import Result
from tests.engines import ISSUER

Run = Callable[..., Result]
PAGE = Path(__file__).parents[2] / "docs" / "deciding.md"
SECRET = "s" * 40


def _block(language: str) -> str:
    (block,) = re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return str(block)


@pytest.fixture
def world(ready: Database, tmp_path: Path) -> Database:
    """The page's world."""
    file = tmp_path / "world.yaml"
    file.write_text(_block("yaml"))
    apply_file(ready, file)
    assert not apply_file(ready, file)
    return ready


def _said(context: dict[str, str]) -> str:
    return " ".join(part for part in (context["outcome"], context.get("reason")) if part)


def _lines() -> list[Any]:
    return [orjson.loads(line) for line in _block("jsonl").splitlines()]


def _over_http(world: Database, settings: Settings, *asked: tuple[str, Any]) -> list[Any]:
    """Ask the running service; the scopes are the ones the page names."""
    scopes = ["access:search", "access:simulate"]
    with transaction(world) as db:
        clients.register(db, client_id="x", name="X", secret=SECRET, grant_types=["client_credentials"], scopes=scopes)

    async def play() -> list[Any]:
        app = create_app(settings)
        async with app.router.lifespan_context(app):
            transport = httpx2.ASGITransport(app=app)
            async with httpx2.AsyncClient(transport=transport, base_url=ISSUER) as http:
                form = {"grant_type": "client_credentials"}
                token = (await http.post("/oauth/token", data=form, auth=("x", SECRET))).json()["access_token"]
                http.headers["Authorization"] = f"Bearer {token}"
                return [(await http.post(path, json=body)).json() for path, body in asked]

    return asyncio.run(play())


def test_the_documented_world_answers_as_the_page_says(
    world: Database, settings: Settings, idp: Run, tmp_path: Path
) -> None:
    questions = tmp_path / "questions.jsonl"
    questions.write_text(_block("jsonl"))
    expected = _block("text").split("\n")[:-1]
    result = idp("decide", str(questions))
    assert result.exit_code == 0, result.output
    answers = [orjson.loads(line) for line in result.output.splitlines() if line.startswith("{")]
    assert [_said(answer["context"]) for answer in answers] == expected
    [answer] = _over_http(world, settings, ("/access/v1/evaluations", {"evaluations": _lines()}))
    assert [_said(one["context"]) for one in answer["evaluations"]] == expected


def test_the_documented_batch_and_search_answer_as_the_page_says(world: Database, settings: Settings) -> None:
    blocks = re.findall(r"^```json\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    batch, search = map(orjson.loads, blocks)
    some, found = _over_http(world, settings, ("/access/v1/evaluations", batch), ("/access/v1/search/action", search))
    assert [one["decision"] for one in some["evaluations"]] == [True, False]
    assert orjson.loads(re.findall(r"action` answers `(.*)`", PAGE.read_text())[0]) == found


def test_the_command_line_explains_supposes_and_lists(world: Database, idp: Run) -> None:
    asked = ("--account", "acc_ana", "--function", "remit.view", "--provider", "prv_lakeside", "--at", "2026-06-01")
    told = orjson.loads(idp("decide", *asked, "--explain").output)
    assert told["decision"] is True
    assert len(told["context"]["explanation"]["gates"]) == 13
    grant = told["context"]["because"][0]
    told = orjson.loads(idp("decide", *asked, "--suppose", f'[{{"end": "{grant}"}}]').output)
    assert told["context"]["reason"] == "entitlement_not_granted"
    told = orjson.loads(idp("decide", *asked, "--suppose", '[{"end": 7}]').output)
    assert told["context"]["error"]["status"] == 400
    assert idp("decide", *asked, "--record", "{").exit_code == 2
    assert idp("decide", "--account", "acc_ana").exit_code == 2
    rows = list(csv.DictReader(io.StringIO(idp("who", "remit.view", "prv_lakeside", "2026-06-01").output)))
    assert [(row["person"], row["name"]) for row in rows] == [("acc_ana", "Ana Ruiz")]
    assert grant in rows[0]["rests_on"]
    assert rows[0]["given_by"] == "operator"
    assert rows[0]["agreement"].startswith("agr_")
    assert (rows[0]["could"], rows[0]["reason"], rows[0]["why"]) == ("yes", "", "")
    said = [rows[0][name] for name in ("function_name", "practice", "giver", "given_because")]
    assert said == ["Remittance", "Lakeside Clinic", "the service's operator", "set up by the service"]
    assert (rows[0]["from"][:10], rows[0]["local_from"]) == ("2026-06-01", "May 31, 2026, 7:00:00.000 PM CDT")
    with transaction(world) as db:
        went_out = "SELECT actor_id, entitlement, provider_id FROM audit_record WHERE event = 'audit.log.exported'"
        assert [tuple(row) for row in db.execute(text(went_out))] == [("operator", "remit.view", "prv_lakeside")]
        ended = clock.micros(datetime(2026, 5, 1, tzinfo=UTC))
        db.execute(text("UPDATE affiliation SET ended_at = :at WHERE account_id = 'acc_ana'"), {"at": ended})
    [held] = csv.DictReader(io.StringIO(idp("who", "remit.view", "prv_lakeside", "2026-06-01").output))
    assert (held["person"], held["could"], held["reason"]) == ("acc_ana", "no", "affiliation_ended")
    assert grant in held["rests_on"]
    assert held["why"]
    assert held["given_because"] == "set up by the service"
    with transaction(world) as db:
        db.execute(text("UPDATE provider SET name = '=1+1' WHERE id = 'prv_lakeside'"))
    [held] = csv.DictReader(io.StringIO(idp("who", "remit.view", "prv_lakeside", "2026-06-01").output))
    assert held["practice"] == "'=1+1"  # no spreadsheet runs it
