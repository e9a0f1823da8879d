"""Four worker processes give the answers of one: a described world, asked over the network, against the oracle."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from idp.cli.schema import bring_up
from idp.database import Database
from idp.settings import Settings
from tests.entitlements.described import SECRET, Maker, Rows, body
from tests.entitlements.test_described_worlds import apply_world, compare, located, noon
from tests.faults.servers import Server

__all__ = ["noon"]
CALLERS, EACH, AT_ONCE = 8, 1000, 50


@pytest.mark.faults
def test_d4_four_workers_answer_as_one_does_and_as_the_oracle(
    settings: Settings, database: Database, tmp_path: Path, noon: None
) -> None:
    bring_up(database)
    maker = Maker(11, people=20, providers=6)
    file = maker.world()
    apply_world(database, tmp_path, file)
    asked = [[maker.question(file) for _ in range(EACH)] for _ in range(CALLERS)]
    server = Server(settings, tmp_path, workers=4)
    try:
        with ThreadPoolExecutor(CALLERS) as callers:
            answers = list(callers.map(lambda questions: _ask(server, located(database, questions)), asked))
    finally:
        server.kill()
    for questions, answered in zip(asked, answers, strict=True):
        compare(file, questions, answered, 11)


def _ask(server: Server, questions: list[Rows]) -> list[Any]:
    found: list[Any] = []
    for n in range(0, len(questions), AT_ONCE):
        with server.client() as http:  # a new connection each time, so that any worker may answer
            if n == 0:
                form = {"grant_type": "client_credentials", "scope": "access:simulate"}
                token = http.post("/oauth/token", data=form, auth=("oracle", SECRET)).json()["access_token"]
            batch = {"evaluations": [body(q) for q in questions[n : n + AT_ONCE]]}
            answer = http.post("/access/v1/evaluations", json=batch, headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code == 200, answer.text
            found += answer.json()["evaluations"]
    return found
