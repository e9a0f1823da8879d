"""Why, what if, and who could: explained gate by gate, supposed without a trace, listed for a day (SE-6)."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from sqlalchemy import text

from idp import clock
from idp.database import Database, transaction
from idp.entitlements import bundles, grants
from idp.oauth import clients
from tests.decisions import world
from tests.entitlements.conftest import BASE, SECRET, Caller, question
from tests.entitlements.test_authzen import _rows as rows_of

Run = Callable[[Callable[[Caller], Any]], Any]
CLAIM = {
    "purpose": "CLAIM_REDUCTION_REVIEW",
    "record": {"state": "denied", "billing_provider": "prv_lake", "shared_account": None},
    "assume_authenticated": True,
}
STATUS = {"name": "claim.status.view"}


def _ask(body: dict[str, Any], scope: str = "access:simulate") -> Callable[[Caller], Any]:
    async def play(app: Caller) -> Any:
        answer = await app.ask(await app.token(scope), body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return play


def test_d4_an_explanation_names_every_gate_and_what_it_rests_on(run: Run, ana: Database) -> None:
    answer = run(_ask(question(context={"explain": True})))
    assert answer["decision"] is True
    context = answer["context"]
    assert context["simulated"] is True
    assert context["agreement"] == "agr_lake"
    gates = context["explanation"]["gates"]
    assert [gate["gate"] for gate in gates] == [
        "account", "terms", "eligibility", "client_and_channel", "provider", "organisation", "affiliation",
        "granted", "delegation", "preconditions", "purpose", "routed", "strength",
    ]  # fmt: skip
    assert all(gate["open"] and not gate["decides"] for gate in gates)
    rests = {gate["gate"]: gate["rests_on"] for gate in gates}
    assert rests["organisation"] == ["pac_lake", "agr_lake"]
    assert rests["affiliation"] == ["aff_ana"]
    assert rests["granted"] == ["grt_msg"]
    assert context["explanation"]["policy_version"] == int(context["freshness"].split(".")[0])
    [row] = rows_of(ana)
    assert row["details"]["agreement"] == "agr_lake"
    assert row["decision"] == context["id"]


def test_d4_an_explanation_shows_all_that_is_in_the_way_and_which_gate_decided(run: Run, ana: Database) -> None:
    with transaction(ana) as db:
        db.execute(text("UPDATE agreement SET ends_at = 1"))
        db.execute(text("UPDATE session SET ended_at = 1"))
    answer = run(_ask(question(context={"explain": True})))
    closed = {
        g["gate"]: (g["reason"], g["decides"]) for g in answer["context"]["explanation"]["gates"] if not g["open"]
    }
    assert answer["context"]["reason"] == "organisation_not_granted"
    assert closed == {"organisation": ("organisation_not_granted", True), "strength": ("step_up_required", False)}


@pytest.mark.parametrize(
    ("change", "action", "reason"),
    [
        ({"end": "grt_msg"}, "message.send", "entitlement_not_granted"),
        ({"end": "aff_ana"}, "message.send", "affiliation_ended"),
        ({"end": "agr_lake"}, "message.send", "organisation_not_granted"),
        ({"end": "pac_lake"}, "message.send", "organisation_not_granted"),
        ({"end": "att_ana"}, "message.send", "eligibility_ceased"),
        ({"set": "acc_ana", "status": "suspended"}, "message.send", "account_inactive"),
        ({"set": "prv_lake", "status": "suspended"}, "message.send", "organisation_not_granted"),
        ({"grant": "remit.view"}, "remit.view", None),
        ({"grant": "precert.clinical"}, "precert.clinical", None),
        ({"grant": "remit.view", "delegation": "dlg_no"}, "remit.view", "entitlement_not_granted"),
        ({"grant": "remit.view", "line": "dental"}, "remit.view", "entitlement_not_granted"),
    ],
)
@pytest.mark.parametrize("at", [None, "2026-11-21T12:00:00Z"])
def test_d4_what_is_supposed_changes_the_answer_and_nothing_else(
    run: Run, change: dict[str, Any], action: str, reason: str | None, at: str | None
) -> None:
    body = question(action={"name": action}, context={"suppose": [change], "at": at})
    really = question(action={"name": action})

    async def play(app: Caller) -> tuple[Any, Any]:
        headers = await app.token("access:simulate access:evaluate")
        before = (await app.ask(headers, really)).json()
        supposed = (await app.ask(headers, body)).json()
        after = (await app.ask(headers, really)).json()
        assert before["decision"] == after["decision"]
        assert before["context"].get("reason") == after["context"].get("reason")
        assert before["context"]["freshness"] == after["context"]["freshness"], "something was written"
        return supposed["context"].get("reason"), supposed["context"]["simulated"]

    assert run(play) == (reason, True)


def test_d4_what_if_this_administrator_took_over_claim_status(run: Run, ana: Database) -> None:
    with transaction(ana) as db:
        db.execute(
            text(
                "INSERT INTO function_owner (id, shared_account_id, entitlement, owner, contact_name, contact_phone, "
                "contact_url, created_at) VALUES ('fno', 'sha_trust', 'claim.status.view', 'insurer', '', '', '', 0)"
            )
        )
    record = {**CLAIM["record"], "shared_account": "7001"}  # type: ignore[dict-item]
    change = {"owner": "partner", "function": "claim.status.view", "shared_account": "7001", "partner": "ptr_summit"}
    now = run(_ask(question(action=STATUS, context={**CLAIM, "record": record})))
    then = run(_ask(question(action=STATUS, context={**CLAIM, "record": record, "suppose": [change]})))
    assert now["context"]["outcome"] == "permit"
    assert then["context"]["outcome"] == "routed"
    assert then["context"]["contact"]["name"] == "Summit service"


def test_d4_what_if_this_bundle_changed(run: Run, ana: Database) -> None:
    with transaction(ana) as db:
        for row in grants.live(db, "acc_ana", "prv_lake", clock.now()):
            grants.end(db, row, by="operator", reason="job")
        given, _ = bundles.assign(
            db,
            account_id="acc_ana",
            provider_id="prv_lake",
            line="medical",
            bundle="biller",
            by="operator",
            reason="job",
        )
    change = {"bundle": "biller", "without": ["message.send"], "with": ["access.view"]}
    assert run(_ask(question(context={"suppose": [change]})))["context"]["reason"] == "entitlement_not_granted"
    added = run(_ask(question(action={"name": "access.view"}, context={"suppose": [change]})))
    assert added["decision"] is True
    assert added["context"]["because"] == [given.id]
    other = {**change, "bundle": "front_desk"}
    assert run(_ask(question(context={"suppose": [other]})))["decision"] is True


@pytest.mark.parametrize(
    "context",
    [
        {"suppose": {}},
        {"suppose": [1]},
        {"suppose": [{}]},
        {"suppose": [{"end": "a", "grant": "b"}]},
        {"suppose": [{"end": ""}]},
        {"suppose": [{"end": "x" * 257}]},
        {"suppose": [{"end": "a\u0000b"}]},
        {"suppose": [{"end": "grt_msg", "at": "2026-01-01"}]},
        {"suppose": [{"set": "acc_ana", "status": "root"}]},
        {"suppose": [{"set": "grt_msg", "status": "active"}]},
        {"suppose": [{"bundle": "biller", "with": "x"}]},
        {"suppose": [{"owner": "me", "function": "x", "shared_account": "1"}]},
        {"suppose": [{"end": "x"}] * 51},
        {"explain": "yes"},
    ],
)
def test_d4_what_cannot_be_supposed_is_a_400(run: Run, context: dict[str, Any]) -> None:
    async def play(app: Caller) -> int:
        return (await app.ask(await app.token("access:simulate"), question(context=context))).status_code

    assert run(play) == 400


def test_security_6_supposing_and_explaining_need_the_scope_to_simulate(run: Run) -> None:
    async def play(app: Caller) -> list[int]:
        headers = await app.token("access:evaluate")
        contexts: list[dict[str, Any]] = [{"suppose": [{"end": "grt_msg"}]}, {"explain": True}]
        return [(await app.ask(headers, question(context=context))).status_code for context in contexts]

    assert run(play) == [403, 403]


def _who(**context: Any) -> dict[str, Any]:
    body = question(context=context)
    del body["subject"]
    return body


def test_se_6_who_could_on_a_day_lists_grant_grantor_agreement_and_policy_version(run: Run, ana: Database) -> None:
    with transaction(ana) as db:  # ended in the afternoon of the tenth
        db.execute(text("UPDATE \"grant\" SET ended_at = 1794322800000000, ended_by = 'acc_wes' WHERE id = 'grt_msg'"))

    async def play(app: Caller) -> list[Any]:
        headers = await app.token("access:search access:simulate")
        found = []
        for day in ("2026-02-28", "2026-03-01", "2026-11-10", "2026-11-11"):
            answer = await app.ask(headers, _who(day=day), "/access/v1/who")
            assert answer.status_code == 200, answer.text
            found.append(answer.json())
        return found

    before, first, last, after = run(play)
    assert before["results"] == after["results"] == []
    assert before["context"]["assumed"] == ["purpose", "routed", "strength"]
    [person] = first["results"]
    assert person["id"] == "acc_ana"
    [period] = person["periods"]
    assert (period["from"][:19], period["until"][:19]) == ("2026-03-01T00:00:00", "2026-03-02T00:00:00")
    assert period["because"] == ["grt_msg"]
    assert period["given"][0]["by"] == "operator"
    assert period["agreement"] == "agr_lake"
    assert period["affiliation"] == "aff_ana"
    assert isinstance(period["policy_version"], int)
    [period] = last["results"][0]["periods"]
    assert period["until"][:19] == "2026-11-10T15:00:00", "the day's answer ends with the grant"
    assert len(rows_of(ana, "entitlements.search.answered")) == 4


def test_se_6_who_held_it_and_could_not_use_it_is_told_with_the_first_refusal(run: Run, ana: Database) -> None:
    accepted = 1794322800000000  # in the afternoon of the tenth
    with transaction(ana) as db:
        db.execute(text("UPDATE terms_acceptance SET accepted_at = :at WHERE account_id = 'acc_ana'"), {"at": accepted})
        db.execute(text("UPDATE attestation SET expires_at = :at"), {"at": accepted + 86400 * 2_000_000})
        db.execute(
            text("UPDATE \"grant\" SET ended_at = :at WHERE id = 'grt_msg'"), {"at": accepted + 86400 * 4_000_000}
        )

    async def play(app: Caller) -> list[Any]:
        headers = await app.token("access:search access:simulate")
        days = ("2026-02-28", "2026-11-09", "2026-11-10", "2026-11-11", "2026-11-13", "2026-11-14", "2026-11-15")
        return [(await app.ask(headers, _who(day=day), "/access/v1/who")).json() for day in days]

    def told(answer: Any, which: str) -> list[tuple[str, str, str | None]]:
        people = answer[which]
        assert {one["id"] for one in people} <= {"acc_ana"}
        return [(p["from"][8:13], p["until"][8:13], p.get("reason")) for one in people for p in one["periods"]]

    not_yet, before, that_day, after, lapsed, ending, ended = run(play)
    assert told(not_yet, "held") == told(ended, "held") == [], "it was not given yet, or no more"
    assert (told(before, "results"), told(before, "held")) == ([], [("09T00", "10T00", "terms_required")])
    assert told(that_day, "held") == [("10T00", "10T15", "terms_required")]
    assert told(that_day, "results") == [("10T15", "11T00", None)]
    assert (told(after, "results"), told(after, "held")) == ([("11T00", "12T00", None)], [])
    assert (told(lapsed, "results"), told(lapsed, "held")) == ([], [("13T00", "14T00", "eligibility_ceased")])
    assert told(ending, "held") == [("14T00", "14T15", "eligibility_ceased")], "held until it was ended"
    [period] = before["held"][0]["periods"]
    assert period["because"] == ["grt_msg"]
    assert period["given"][0]["by"] == "operator"
    assert period["reason_user"]["en"].startswith("The terms changed.")


def test_se_6_an_access_manager_who_could_not_manage_held_it_by_the_appointment(run: Run, ana: Database) -> None:
    grant = BASE["world"]["grant"]["grt_msg"]
    row = {"account_id": "acc_ana", "provider_id": "prv_lake", "line": "medical", "starts_at": grant["not_before"]}
    stored = {**grant, "entitlement": "access.manage"}  # gives nothing: this authority comes from appointments alone
    world.build(ana, {"appointment": {"apt_ana": row}, "grant": {"grt_fake": stored}})
    with transaction(ana) as db:
        db.execute(text("UPDATE attestation SET expires_at = attested_at + 1"))
    body = {**_who(day="2026-06-01"), "action": {"name": "access.manage"}}

    async def play(app: Caller) -> Any:
        headers = await app.token("access:search access:simulate")
        return (await app.ask(headers, body, "/access/v1/who")).json()

    answer = run(play)
    assert answer["results"] == []
    [period] = answer["held"][0]["periods"]
    assert (period["because"], period["reason"]) == (["apt_ana"], "eligibility_ceased")


def test_se_6_who_could_is_paged_and_its_mistakes_are_told(run: Run, ana: Database) -> None:
    more: dict[str, dict[str, Any]] = {}
    for name in "bcd":
        for table, row_id in (
            ("account", "acc_ana"),
            ("terms_acceptance", "tac_site"),
            ("terms_acceptance", "tac_gen"),
            ("attestation", "att_ana"),
            ("affiliation", "aff_ana"),
            ("grant", "grt_msg"),
        ):
            row = {**BASE["world"][table][row_id]}
            if "account_id" in row:
                row["account_id"] = f"acc_{name}"
            more.setdefault(table, {})[f"acc_{name}" if table == "account" else row_id + name] = row
    world.build(ana, more)

    async def play(app: Caller) -> list[str]:
        headers = await app.token("access:search access:simulate")
        found: list[str] = []
        token, body = "", _who(day="2026-06-01")
        for _ in range(9):
            page = {"limit": 1, **({"token": token} if token else {})}
            answer = (await app.ask(headers, {**body, "page": page}, "/access/v1/who")).json()
            found += [one["id"] for one in answer["results"]]
            token = answer["page"]["next_token"]
            if not token:
                break
        wrong: list[dict[str, Any]] = [_who(), _who(day="x"), _who(**{"from": "2026-01-01", "until": "2028-01-01"})]
        wrong += [{**_who(day="2026-06-02"), "page": {"token": "x"}}, {**_who(day="2026-06-01"), "page": []}]
        assert {(await app.ask(headers, one, "/access/v1/who")).status_code for one in wrong} == {400}
        weak = await app.token("access:search")
        assert (await app.ask(weak, body, "/access/v1/who")).status_code == 403
        return found

    assert run(play) == ["acc_ana", "acc_b", "acc_c", "acc_d"]


def test_authzen_search_takes_a_freshness_as_evaluation_does(run: Run, ana: Database) -> None:
    async def play(app: Caller) -> list[int]:
        headers = await app.token("access:search")
        bodies = [question(context={"at_least_as_fresh": value}) for value in ("0.0", "99999.0", "x")]
        return [(await app.ask(headers, body, "/access/v1/search/subject")).status_code for body in bodies]

    assert run(play) == [200, 503, 400]


def test_authzen_a_suspended_client_learns_nothing_from_a_search(run: Run, ana: Database) -> None:
    with transaction(ana) as db:
        clients.register(
            db, client_id="narrow", name="Narrow", secret=SECRET, grant_types=["client_credentials"],
            scopes=["access:search"], entitlements=["remit.view"],
        )  # fmt: skip

    async def play(app: Caller) -> Any:
        headers = await app.token("access:search", "narrow")
        whole = question()
        del whole["action"]
        subjects = (await app.ask(headers, question(), "/access/v1/search/subject")).json()["results"]
        actions = (await app.ask(headers, whole, "/access/v1/search/action")).json()["results"]
        return subjects, actions

    assert run(play) == ([], [])


def test_the_answer_of_an_explanation_is_json_without_ids_of_strangers(run: Run) -> None:
    body = question(resource={"type": "provider", "id": "prv_other"}, context={"explain": True})
    told = orjson.dumps(run(_ask(body))).decode()
    assert "agr_lake" not in told
    assert "grt_" not in told
