"""One applied file, asked at any instant over HTTP, against an oracle that reads the same file."""

import asyncio
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from sqlalchemy import text

from idp import clock
from idp.app import create_app
from idp.apply.run import apply_file
from idp.cli.schema import bring_up
from idp.database import Database, reading
from idp.entitlements.asking import decide_in_session
from idp.entitlements.question import AskingApp, Question
from idp.settings import Settings
from tests.engines import ISSUER
from tests.entitlements.described import NOW, SECRET, Maker, Rows, body
from tests.entitlements.file_oracle import Oracle

OUTCOMES = {"permit", "deny", "routed", "step_up"}


def apply_world(database: Database, folder: Path, file: Rows) -> None:
    path = folder / "world.yaml"
    path.write_text(yaml.safe_dump(file, sort_keys=False))
    apply_file(database, path)


def located(database: Database, questions: list[Rows]) -> list[Rows]:
    """Return the questions with the ids of places in place of their names, as an app knows them."""
    with reading(database) as db:
        rows = db.execute(text("SELECT provider_id, name, id FROM provider_location")).all()
    ids = {(provider_id, name): row_id for provider_id, name, row_id in rows}
    return [
        {**q, "record": {**q["record"], "location": ids.get((f"prv_{q['provider']}", name), name)}}
        for q in questions
        for name in [q["record"]["location"]]
    ]


async def ask(settings: Settings, questions: list[Rows]) -> list[Any]:
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url=ISSUER) as http:
            token = await http.post(
                "/oauth/token",
                data={"grant_type": "client_credentials", "scope": "access:simulate"},
                auth=("oracle", SECRET),
            )
            headers = {"Authorization": f"Bearer {token.json()['access_token']}"}
            answers: list[Any] = []
            for n in range(0, len(questions), 200):
                batch = {"evaluations": [body(q) for q in questions[n : n + 200]]}
                answer = await http.post("/access/v1/evaluations", json=batch, headers=headers)
                assert answer.status_code == 200, answer.text
                answers += answer.json()["evaluations"]
    return answers


def told(context: Rows) -> Any:
    """Return what an answer says beside its reason, as the oracle does."""
    if "contact" in context:
        return context["contact"]["name"]
    if "step_up" in context:
        return context["step_up"]["acr_values"], context["step_up"].get("max_age")
    return None


def compare(file: Rows, questions: list[Rows], answers: list[Any], seed: int) -> dict[str, int]:
    oracle, seen = Oracle(file), dict.fromkeys(OUTCOMES, 0)
    for q, answer in zip(questions, answers, strict=True):
        context = answer["context"]
        said = (context["outcome"], context.get("reason"), told(context))
        assert said == oracle.decide(q), (seed, q)
        assert answer["decision"] is (said[0] == "permit")
        assert context["simulated"] is True
        seen[said[0]] += 1
        seen[said[1] or "permit"] = seen.get(said[1] or "permit", 0) + 1
    return seen


@pytest.fixture
def noon(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the moment at which the worlds are applied."""
    monkeypatch.setattr(clock, "now", lambda: NOW)


def test_d4_a_world_in_one_file_answers_at_any_instant_as_an_oracle_of_that_file(
    settings: Settings, database: Database, tmp_path: Path, noon: None
) -> None:
    bring_up(database)
    maker = Maker(30)
    file = maker.world()
    apply_world(database, tmp_path, file)
    questions = [maker.question(file) for _ in range(600)]
    named = located(database, questions)
    seen = compare(file, questions, asyncio.run(ask(settings, named)), 30)
    assert all(seen[outcome] for outcome in OUTCOMES), seen
    open_handed = Oracle({**file, "providers": [{**p, "withheld": []} for p in file["providers"]]})
    assert any(open_handed.decide(q) != Oracle(file).decide(q) for q in questions), "what is withheld decides something"
    anywhere = [{**q, "record": {**q["record"], "location": None}} for q in questions]
    moved = [
        q for q, free in zip(questions, anywhere, strict=True) if Oracle(file).decide(q) != Oracle(file).decide(free)
    ]
    assert len(moved) > 5, "places decide something"
    assert len(seen) > 15, "too few reasons are reached to say anything"
    app = AskingApp("oracle", lines=("medical", "dental"))
    with reading(database) as db:  # the pages' lane, the same file
        for q, asked in list(zip(questions, named, strict=True))[:100]:
            question = Question(
                account_id=f"acc_{q['person']}",
                entitlement=q["key"],
                provider_id=f"prv_{q['provider']}",
                app=app,
                line=q["line"],
                sid=f"ses_{q['session']}" if q["session"] else None,
                purpose=q["purpose"],
                record=asked["record"],
                at=q["at"],
                assume_authenticated=q["assume"],
            )
            answer = decide_in_session(db, question)
            assert (answer.outcome, answer.reason) == Oracle(file).decide(q)[:2]


def test_d4_the_same_file_applied_again_changes_nothing(database: Database, tmp_path: Path, noon: None) -> None:
    bring_up(database)
    file = Maker(5, people=4, providers=2).world()
    apply_world(database, tmp_path, file)
    assert not apply_file(database, tmp_path / "world.yaml")
