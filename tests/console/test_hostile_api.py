"""The API as its description says it is: requests made up from it break nothing and are answered as described."""

from collections import Counter
from typing import Any

import orjson
import pytest
import requests
import schemathesis
import urllib3
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.transport import Response
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.console.conftest import Api, Calling

CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)


def sent(caller: Calling, case: Any) -> Any:
    """Send a made-up request through our own client; return the answer in the form that is checked."""
    asked = case.as_transport_kwargs(base_url=str(caller.http.base_url))
    asked["headers"] = {k: v for k, v in asked["headers"].items() if k.lower() != "authorization"}
    asked["headers"]["authorization"] = f"Bearer {caller.token}"
    got = caller.http.request(
        asked["method"],
        asked["url"],
        params=asked.get("params"),
        headers={name: str(value).encode() for name, value in asked["headers"].items()},
        content=orjson.dumps(asked["json"]) if "json" in asked else None,
    )
    answer = requests.Response()
    answer.status_code, answer._content = got.status_code, got.content
    answer.headers.update(dict(got.headers))
    answer.raw = urllib3.HTTPResponse(got.content, headers=dict(got.headers), status=got.status_code)
    answer.request = requests.Request(asked["method"], asked["url"], params=asked.get("params")).prepare()
    answer.url = answer.request.url or ""
    return Response.from_requests(answer, verify=True)


def attack(api: Api, examples: int) -> Counter[int]:
    """Call every operation with made-up requests, a person's token and the right practice; return the answers."""
    caller = api.calls("wes")
    schema = schemathesis.openapi.from_dict(caller.http.get("/api/v1/openapi.json").json())
    answers: Counter[int] = Counter()
    for found in schema.get_all_operations():
        _attack_one(api, caller, found.ok(), examples, answers)
    return answers


def _attack_one(api: Api, caller: Calling, operation: Any, examples: int, answers: Counter[int]) -> None:
    people = st.sampled_from([api.world.finn, api.world.hana, "acc_nobody"])

    @given(case=operation.as_strategy(), who=people)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def call(case: Any, who: str) -> None:
        if "p" in case.path_parameters:
            case.path_parameters["p"] = api.world.lakeside
        if "a" in case.path_parameters:
            case.path_parameters["a"] = who
        answer = sent(caller, case)
        answers[answer.status_code] += 1
        case.validate_response(answer, checks=CHECKS)

    call()


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_schemathesis_made_up_requests_are_answered_as_the_description_says(api: Api) -> None:
    answers = attack(api, 1)
    assert sum(answers.values()) >= 20, answers
    assert answers[200] >= 3, answers


@pytest.mark.faults
def test_schemathesis_many_made_up_requests_are_answered_as_the_description_says(api: Api) -> None:
    assert sum(attack(api, 150).values()) >= 2000
