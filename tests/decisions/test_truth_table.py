"""The truth table of the decision: world, question, expected answer; in both lanes, on both engines."""

import asyncio
from typing import Any

import pytest

from idp import clock
from idp.accounts.assurance import AAL1, AAL2, PHR
from idp.audit import log
from idp.database import Database, reading
from idp.database.lane import open_lane
from idp.entitlements.asking import Decider, decide_in_session
from idp.entitlements.decision import Decision, Question
from idp.entitlements.sentences import SENTENCES, sentence
from tests.decisions import world

BASE = world.load("base.yaml")
CASES: list[dict[str, Any]] = [
    case for name in ("gates_1_to_7.yaml", "gates_8_to_10.yaml", "gates_11_to_13.yaml") for case in world.load(name)
]
_ACR = {"aal1": AAL1, "aal2": AAL2, "phr": PHR}


async def _machines(database: Database, question: Question) -> list[Decision]:
    lane = await open_lane(database, log.append)
    try:
        decider = Decider(database, lane)
        # Twice: the second answer comes from the memo and must be the same.
        return [(await decider.answer([question]))[0] for _ in range(2)]
    finally:
        await lane.close()


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_decisions_12_truth_table(case: dict[str, Any], database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: BASE["now"])
    world.build(database, world.merged(BASE["world"], case.get("with") or {}))
    question = world.question(world.merged(BASE["ask"], case.get("ask") or {}))
    answers = asyncio.run(_machines(database, question))
    with reading(database) as db:
        answers.append(decide_in_session(db, question))
    expected = {"outcome": "deny", **case["expect"]}
    for answer in answers:
        assert (answer.outcome, answer.reason) == (expected["outcome"], expected.get("reason", answer.reason))
        if expected["outcome"] == "permit":
            assert answer.reason is None
            assert sentence(answer) is None
        else:
            assert sentence(answer)
        if "because" in expected:
            assert list(answer.because) == expected["because"]
        if "contact" in expected:
            assert answer.contact is not None
            assert [answer.contact.name, answer.contact.phone, answer.contact.url] == expected["contact"]
        if "step_up" in expected:
            acr, max_age = expected["step_up"]
            assert answer.step_up is not None
            assert (answer.step_up.acr, answer.step_up.max_age) == (_ACR[acr], max_age)
        assert answer.simulated == expected.get("simulated", question.simulated)
    assert len({answer.id for answer in answers}) == len(answers)


def test_every_reason_and_outcome_is_in_the_truth_table() -> None:
    reasons = {case["expect"].get("reason") for case in CASES} - {None}
    assert reasons | {"no_answer"} == set(SENTENCES)
    assert {case["expect"].get("outcome", "deny") for case in CASES} == {"permit", "deny", "routed", "step_up"}
