"""AuthZEN 1.0 over HTTP: evaluation, batches, errors, and what is in the log."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from sqlalchemy import text

from idp.database import Database, reading, transaction
from idp.entitlements import grants
from idp.entitlements.tables import Grant
from tests.entitlements.conftest import SECRET, Caller, question

Run = Callable[[Callable[[Caller], Any]], Any]


def _rows(database: Database, event: str = "entitlements.decision.made") -> list[dict[str, Any]]:
    with reading(database) as db:
        leaves = db.execute(text("SELECT leaf FROM audit_record WHERE event = :e ORDER BY seq"), {"e": event})
        return [orjson.loads(leaf) for leaf in leaves.scalars()]


def test_d4_a_permit_names_its_grant_and_is_in_the_log_before_it_is_answered(run: Run, ana: Database) -> None:
    async def play(app: Caller) -> dict[str, Any]:
        headers = await app.token("access:evaluate")
        answer = await app.ask(headers, question())
        assert answer.status_code == 200
        return answer.json()

    answer = run(play)
    assert answer["decision"] is True
    context = answer["context"]
    assert context["outcome"] == "permit"
    assert context["because"] == ["grt_msg"]
    assert "reason" not in context
    [row] = _rows(ana)
    assert row["decision"] == context["id"]
    assert row["outcome"] == "permit"
    assert row["account"] == "acc_ana"
    assert row["provider"] == "prv_lake"
    assert row["client"] == "claims"
    assert row["channel"] == "site"
    assert row["details"]["because"] == ["grt_msg"]


def test_d4_a_deny_is_200_with_a_reason_a_sentence_and_where_to_get_help(run: Run) -> None:
    async def play(app: Caller) -> Any:
        headers = await app.token("access:evaluate")
        return await app.ask(headers, question(action={"name": "remit.view"}))

    answer = run(play)
    assert answer.status_code == 200
    body = answer.json()
    assert body["decision"] is False
    context = body["context"]
    assert context["reason"] == "entitlement_not_granted"
    assert "Lakeside Clinic" in context["reason_user"]["en"]
    assert context["help"] == {"url": "https://claims.example/help"}


def test_d4_routed_names_the_contact_and_nothing_of_the_record(run: Run) -> None:
    async def play(app: Caller) -> Any:
        headers = await app.token("access:evaluate")
        body = question(
            action={"name": "claim.status.view"},
            context={
                "purpose": "CLAIM_REDUCTION_REVIEW",
                "record": {
                    "type": "claim",
                    "id": "CLM-1",
                    "state": "denied",
                    "billing_provider": "prv_lake",
                    "rendering_provider": None,
                    "member_active": True,
                    "shared_account": "7001",
                },
            },
        )
        return (await app.ask(headers, body)).json()

    body = run(play)
    assert body["decision"] is False
    assert body["context"]["outcome"] == "routed"
    assert body["context"]["contact"]["name"] == "Summit service"
    assert "CLM-1" not in orjson.dumps(body).decode()


def test_d4_step_up_says_which_strength_and_age(run: Run, ana: Database) -> None:
    with transaction(ana) as db:
        db.execute(text("UPDATE session SET factor_time = NULL"))
        grants.grant(
            db,
            account_id="acc_ana",
            provider_id="prv_lake",
            line="medical",
            entitlement="demographics.update",
            by="operator",
            reason="job",
        )

    async def play(app: Caller) -> Any:
        headers = await app.token("access:evaluate")
        return (await app.ask(headers, question(action={"name": "demographics.update"}))).json()

    body = run(play)
    assert body["decision"] is False
    assert body["context"]["reason"] == "step_up_required"
    assert body["context"]["step_up"] == {"acr_values": "http://idmanagement.gov/ns/assurance/aal/2", "max_age": 900}


def test_invariant_8_the_very_next_decision_after_a_revoke_says_no(run: Run, ana: Database) -> None:
    async def play(app: Caller) -> list[bool]:
        headers = await app.token("access:evaluate")
        seen = [(await app.ask(headers, question())).json()["decision"] for _ in range(3)]
        with transaction(ana) as db:
            row = db.get(Grant, "grt_msg")
            assert row is not None
            assert grants.end(db, row, by="operator", reason="left")
        seen.append((await app.ask(headers, question())).json()["decision"])
        return seen

    assert run(play) == [True, True, True, False]


@pytest.mark.parametrize(
    "body",
    [
        [],
        "text",
        {},
        question(subject=None),
        question(subject="acc_ana"),
        question(subject={"type": "account"}),
        question(subject={"type": "account", "id": ""}),
        question(subject={"type": "account", "id": 7}),
        question(subject={"type": "account", "id": "x" * 300}),
        question(subject={"type": "account", "id": "acc\x00ana"}),
        question(subject={"type": "account", "id": "acc_ana", "properties": []}),
        question(action={}),
        question(action={"name": None}),
        question(resource={"type": "provider"}),
        question(resource={"type": "provider", "id": "prv_lake", "properties": {"line_of_business": 5}}),
        question(context="now"),
        question(context={"purpose": 7}),
        question(context={"record": "CLM-1"}),
        question(context={"record": {"shared_account": 7001}}),
        question(context={"record": {"shared_account": "70\u000001"}}),
        question(context={"at": "yesterday"}),
        question(context={"at": "2026-01-01T00:00:00"}),
        question(context={"at_least_as_fresh": "fresh"}),
        question(context={"assume_authenticated": "yes"}),
    ],
)
def test_authzen_a_request_that_cannot_be_understood_is_400(run: Run, body: Any) -> None:
    async def play(app: Caller) -> int:
        headers = await app.token("access:evaluate access:simulate")
        return (await app.ask(headers, body)).status_code

    assert run(play) == 400


def test_authzen_transport_rules(run: Run) -> None:
    async def play(app: Caller) -> None:
        headers = await app.token("access:evaluate")
        raw = orjson.dumps(question())
        path = "/access/v1/evaluation"
        for kind, status in (
            ("application/json; charset=utf-8", 200),
            ("text/plain", 400),
            ("application/x-www-form-urlencoded", 400),
        ):
            answer = await app.http.post(path, content=raw, headers={**headers, "Content-Type": kind})
            assert answer.status_code == status, kind
        json = {**headers, "Content-Type": "application/json"}
        twice = b'{"subject":{"type":"account","id":"acc_ana"},' + raw[1:]
        for broken in (b"", b"{", b'{"a":NaN}', twice, twice.replace(b"acc_ana", b"acc\\u005fana"), b"[" * 5000):
            assert (await app.http.post(path, content=broken, headers=json)).status_code == 400, broken[:40]
        assert (await app.http.get(path, headers=headers)).status_code == 405
        assert (await app.http.put(path, content=raw, headers=json)).status_code == 405
        assert (await app.ask({}, question())).status_code == 401
        assert (await app.ask({"Authorization": "Bearer nonsense"}, question())).status_code == 401
        named = await app.ask({**headers, "X-Request-ID": "req-17"}, question())
        assert named.headers["x-request-id"] == "req-17"
        more = question(unknown={"a": 1}, context={"unknown": 2})
        assert (await app.ask(headers, more)).status_code == 200

    run(play)


def test_scopes_say_what_a_caller_may_ask(run: Run) -> None:
    async def play(app: Caller) -> None:
        evaluate, search = await app.token("access:evaluate"), await app.token("access:search")
        assert (await app.ask(search, question())).status_code == 403
        for context in ({"at": "2026-03-02"}, {"assume_authenticated": True}):
            answer = await app.ask(evaluate, question(context=context))
            assert answer.status_code == 403
            assert 'scope="access:simulate"' in answer.headers["www-authenticate"]
        simulate = await app.token("access:evaluate access:simulate")
        answer = (await app.ask(simulate, question(context={"at": "2026-03-02", "assume_authenticated": True}))).json()
        assert answer["decision"] is True
        assert answer["context"]["simulated"] is True

    run(play)


def test_freshness_goes_out_and_comes_back(run: Run) -> None:
    async def play(app: Caller) -> None:
        headers = await app.token("access:evaluate")
        seen = (await app.ask(headers, question())).json()["context"]["freshness"]
        again = await app.ask(headers, question(context={"at_least_as_fresh": seen}))
        assert again.status_code == 200
        ahead = await app.ask(headers, question(context={"at_least_as_fresh": "999999.1"}))
        assert ahead.status_code == 503
        assert ahead.headers["retry-after"]

    run(play)


def _batch(*names: str, **more: Any) -> dict[str, Any]:
    items: list[Any] = [{"action": {"name": name}} if name != "bad" else {"action": {}} for name in names]
    return {**question(), "evaluations": items, **more}


def test_authzen_batch_semantics_and_one_record_for_each_decision(run: Run, ana: Database) -> None:
    async def play(app: Caller) -> None:
        headers = await app.token("access:evaluate")

        async def ask(body: dict[str, Any]) -> Any:
            answer = await app.ask(headers, body, "/access/v1/evaluations")
            assert answer.status_code == 200, answer.text
            return answer.json()

        names = ("remit.view", "message.send", "bad", "message.send")
        every = await ask(_batch(*names))
        assert [e["decision"] for e in every["evaluations"]] == [False, True, False, True]
        assert every["evaluations"][2]["context"]["error"]["status"] == 400
        options = {"evaluations_semantic": "deny_on_first_deny"}
        found = await ask(_batch("message.send", "remit.view", "message.send", options=options))
        assert [e["decision"] for e in found["evaluations"]] == [True, False]
        options = {"evaluations_semantic": "permit_on_first_permit"}
        found = await ask(_batch(*names, options=options))
        assert [e["decision"] for e in found["evaluations"]] == [False, True]
        for empty in ({}, {"evaluations": []}):
            assert (await ask({**question(), **empty}))["decision"] is True
        # An item's entity replaces the default whole: without its properties there is no session.
        item = {"subject": {"type": "account", "id": "acc_ana"}}
        found = await ask({**question(), "evaluations": [item, {}]})
        assert [e["context"]["outcome"] for e in found["evaluations"]] == ["step_up", "permit"]
        other = {"subject": {"type": "account", "id": "acc_bo", "properties": {"sid": "ses_bo"}}}
        found = await ask({**question(), "evaluations": [{}, other, {}]})
        assert [e["decision"] for e in found["evaluations"]] == [True, False, True]
        for bad in (
            {"evaluations": "all"},
            {"evaluations": [{}], "options": {"evaluations_semantic": "first"}},
            {"evaluations": [{}], "options": []},
            {"evaluations": [{}], "subject": "acc_ana"},
            {"evaluations": [{}] * 1001},
        ):
            answer = await app.ask(headers, {**question(), **bad}, "/access/v1/evaluations")
            assert answer.status_code == 400, bad

    run(play)
    assert len(_rows(ana)) == 3 + 2 + 2 + 2 + 2 + 3


def test_authzen_metadata_names_every_endpoint(run: Run) -> None:
    async def play(app: Caller) -> None:
        answer = await app.http.get("/.well-known/authzen-configuration")
        assert answer.status_code == 200
        body = answer.json()
        assert body["policy_decision_point"] == "http://localhost:8000"
        for name, value in body.items():
            if name.endswith("_endpoint"):
                path = value.removeprefix("http://localhost:8000")
                assert (await app.http.get(path)).status_code == 405, path

    run(play)


def test_the_empty_route_of_the_bench_exists_in_development_and_needs_a_token(run: Run) -> None:
    async def play(app: Caller) -> None:
        assert (await app.ask({}, question(), "/bench/empty")).status_code == 401
        headers = await app.token("access:evaluate")
        assert (await app.ask(headers, question(), "/bench/empty")).json() == {"decision": True}
        assert (await app.ask(headers, [], "/bench/empty")).status_code == 400

    run(play)


def test_authzen_searches_hold_what_evaluation_would_permit_complete_and_paged(run: Run, ana: Database) -> None:
    async def play(app: Caller) -> None:
        headers = await app.token("access:search")

        async def ask(kind: str, body: dict[str, Any]) -> Any:
            answer = await app.ask(headers, body, f"/access/v1/search/{kind}")
            assert answer.status_code == 200, answer.text
            return answer.json()

        found = await ask("subject", question(subject={"type": "account"}))
        assert found["results"] == [{"type": "account", "id": "acc_ana"}]
        found = await ask("resource", question(resource={"type": "provider", "id": "ignored"}))
        assert found["results"] == [{"type": "provider", "id": "prv_lake"}]
        whole = question()
        del whole["action"]
        reasons = {"purpose": "CLAIM_REDUCTION_REVIEW", "record": {"state": "denied", "billing_provider": "prv_lake"}}
        found = await ask("action", {**whole, "context": reasons})
        assert [r["name"] for r in found["results"]] == ["claim.status.view", "message.send"]
        first = await ask("action", {**whole, "context": reasons, "page": {"limit": 1}})
        assert [r["name"] for r in first["results"]] == ["claim.status.view"]
        token = first["page"]["next_token"]
        second = await ask("action", {**whole, "context": reasons, "page": {"limit": 1, "token": token}})
        assert [r["name"] for r in second["results"]] == ["message.send"]
        assert second["page"]["next_token"] == ""
        changed = await app.ask(headers, {**whole, "page": {"limit": 1, "token": token}}, "/access/v1/search/action")
        assert changed.status_code == 400
        replay = question(subject={"type": "account"}, context={"at": "2026-03-02"})
        assert (await app.ask(headers, replay, "/access/v1/search/subject")).status_code == 403

    run(play)
    assert len(_rows(ana, "entitlements.search.answered")) == 5


def test_security_44_a_revoked_service_token_is_refused_though_everything_is_remembered(
    run: Run, ana: Database
) -> None:
    async def play(app: Caller) -> list[int]:
        headers = await app.token("access:evaluate")
        seen = [(await app.ask(headers, question())).status_code for _ in range(3)]
        token = headers["Authorization"].removeprefix("Bearer ")
        await app.http.post("/oauth/revoke", data={"token": token}, auth=("claims", SECRET))
        return [*seen, (await app.ask(headers, question())).status_code]

    assert run(play) == [200, 200, 200, 401]
    assert len(_rows(ana)) == 3


@pytest.mark.parametrize(
    "change", ["ended_at = 1", "last_seen_at = 0", "expires_at = 1", "factor_time = 1, auth_time = 1, acr = 'low'"]
)
def test_d4_a_remembered_session_is_compared_in_the_commit_of_the_answer(run: Run, ana: Database, change: str) -> None:
    async def play(app: Caller) -> list[str]:
        headers = await app.token("access:evaluate")
        outcomes = [(await app.ask(headers, question())).json()["context"]["outcome"] for _ in range(2)]
        with transaction(ana) as db:
            db.execute(text(f"UPDATE session SET {change}"))
        return [*outcomes, (await app.ask(headers, question())).json()["context"]["outcome"]]

    assert run(play) == ["permit", "permit", "step_up"]
    assert [row["outcome"] for row in _rows(ana)] == ["permit", "permit", "step_up"]
