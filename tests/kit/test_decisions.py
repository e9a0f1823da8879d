"""Answers become types; whatever does not add up is a no."""

import asyncio
from typing import Any

import pytest

from idp.resource_server.decisions import Contact, Decisions, Deny, Permit, Question, Routed, StepUp, read_answer
from idp.resource_server.issuer import Issuer
from idp.resource_server.service import ServiceToken
from tests.kit.issuer import CLIENT, SECRET, FakeIssuer

QUESTION = Question("acc_ana", "ses_1", "claim.status.view", "prv_lakeside", purpose="CLAIM_REDUCTION_REVIEW")


@pytest.fixture
def decisions(issuer: Issuer) -> Decisions:
    return Decisions(issuer, ServiceToken(issuer, client_id=CLIENT, client_secret=SECRET))


def answer(decision: object, outcome: object, **facts: Any) -> dict[str, Any]:
    return {"decision": decision, "context": {"id": "dec_1", "outcome": outcome, **facts}}


def test_d4_the_four_outcomes_are_four_types() -> None:
    permit = read_answer(answer(True, "permit", because=["grt_1"], freshness="4.2"))
    assert isinstance(permit, Permit)
    assert (permit.because, permit.freshness, permit.decision_id) == (("grt_1",), "4.2", "dec_1")
    deny = read_answer(
        answer(
            False,
            "deny",
            reason="entitlement_not_granted",
            reason_user={"en": "Ask Wes."},
            help={"url": "https://x.example/ask"},
        )
    )
    assert isinstance(deny, Deny)
    assert (deny.reason, deny.sentence, deny.help_url) == (
        "entitlement_not_granted",
        "Ask Wes.",
        "https://x.example/ask",
    )
    routed = read_answer(
        answer(False, "routed", contact={"name": "Northwind", "phone": "1-800-555-0177", "url": "javascript:x"})
    )
    assert isinstance(routed, Routed)
    assert routed.contact == Contact("Northwind", "1-800-555-0177", None)
    step_up = read_answer(answer(False, "step_up", step_up={"acr_values": "phr", "max_age": 900}))
    assert isinstance(step_up, StepUp)
    assert (step_up.acr_values, step_up.max_age) == ("phr", 900)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"decision": True},
        {"decision": True, "context": None},
        {"decision": "true", "context": {"outcome": "permit"}},
        {"decision": 1, "context": {"outcome": "permit"}},
        {"decision": True, "context": {"outcome": "deny"}},
        {"decision": True, "context": {"outcome": "step_up", "step_up": {}}},
        {"decision": False, "context": {"outcome": "permit"}},
        {"decision": False, "context": {"outcome": "step_up"}},
        {"decision": True, "context": {"outcome": "permit", "simulated": True}},
    ],
)
def test_security_68_an_answer_that_contradicts_itself_is_a_no(body: dict[str, Any]) -> None:
    assert isinstance(read_answer(body), Deny)


def test_d4_the_question_is_sent_as_authzen_and_the_answer_read(fake: FakeIssuer, decisions: Decisions) -> None:
    fake.answers = [answer(True, "permit", because=["grt_1"])]
    assert isinstance(asyncio.run(decisions.ask(QUESTION)), Permit)
    sent = fake.questions[0]
    assert sent["subject"] == {"type": "account", "id": "acc_ana", "properties": {"sid": "ses_1"}}
    assert sent["action"] == {"name": "claim.status.view"}
    assert sent["resource"] == {"type": "provider", "id": "prv_lakeside", "properties": {}}
    assert sent["context"] == {"purpose": "CLAIM_REDUCTION_REVIEW"}
    assert fake.forms[0]["resource"] == "https://login.example.org"


def test_invariant_5_no_answer_is_a_no(fake: FakeIssuer, decisions: Decisions) -> None:
    fake.down = True
    found = asyncio.run(decisions.ask(QUESTION))
    assert isinstance(found, Deny)
    assert found.reason == "no_answer"
    assert all(isinstance(each, Deny) for each in asyncio.run(decisions.ask_many([QUESTION, QUESTION])))


def test_d4_a_batch_is_answered_in_order_and_a_short_answer_is_a_no_for_all(
    fake: FakeIssuer, decisions: Decisions
) -> None:
    fake.answers = [answer(True, "permit"), answer(False, "deny")]
    first, second = asyncio.run(decisions.ask_many([QUESTION, QUESTION]))
    assert isinstance(first, Permit)
    assert isinstance(second, Deny)
    fake.answers = [answer(True, "permit")]
    assert all(isinstance(each, Deny) for each in asyncio.run(decisions.ask_many([QUESTION, QUESTION])))
    assert asyncio.run(decisions.ask_many([])) == []
