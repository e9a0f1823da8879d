"""Streams of security events: each app sets up its own, hears about its own people, and of nothing else (SE-3, D-5)."""

import time
from threading import Timer
from typing import Any

import pytest

from idp.signals.names import EVENTS
from idp.transmitter.streams import POLL, PUSH
from idp.web.signals import polling
from tests.signals.receivers import ALL, HOOK, Telling, telling

__all__ = ["telling"]


def user(telling: Telling, account: str) -> dict[str, str]:
    return {"format": "iss_sub", "iss": str(telling.browser.base_url), "sub": account}


def test_ssf_metadata_names_what_there_is(telling: Telling) -> None:
    found = telling.browser.get("/.well-known/ssf-configuration").json()
    assert found["issuer"] == str(telling.browser.base_url)
    assert found["spec_version"] == "1_0"
    assert found["delivery_methods_supported"] == [PUSH, POLL]
    for name in ("configuration", "status", "add_subject", "remove_subject", "verification"):
        path = found[f"{name}_endpoint"].removeprefix(found["issuer"])
        assert telling.browser.get(path).status_code in {401, 405}, name


def test_ssf_a_stream_is_made_read_changed_and_ended(telling: Telling) -> None:
    made = telling.stream(description="ours")
    assert made["aud"] == "claims"
    assert made["events_delivered"] == sorted(EVENTS.values(), key=str) or set(made["events_delivered"]) == set(
        EVENTS.values()
    )
    here = f"/streams?stream_id={made['stream_id']}"
    assert telling.ask("GET", here).json() == made
    assert telling.ask("GET", "/streams").json() == [made]
    some = [EVENTS["session-revoked"], "https://example.org/unknown"]
    changed = telling.ask("PATCH", "/streams", {"stream_id": made["stream_id"], "events_requested": some}).json()
    assert changed["events_delivered"] == [EVENTS["session-revoked"]]
    assert changed["description"] == "ours"
    pushed = {"stream_id": made["stream_id"], "delivery": {"method": PUSH, "endpoint_url": HOOK}}
    replaced = telling.ask("PUT", "/streams", {**changed, **pushed, "description": None}).json()
    assert replaced["delivery"] == {"method": PUSH, "endpoint_url": HOOK}
    assert "description" not in replaced
    assert telling.ask("DELETE", here).status_code == 204
    assert telling.ask("GET", here).status_code == 404
    assert telling.ask("GET", "/streams").json() == []


def test_ssf_a_client_has_at_most_four_streams_and_only_the_events_its_operator_lets_it_have(telling: Telling) -> None:
    for _ in range(4):
        telling.stream()
    assert telling.ask("POST", "/streams", {"delivery": {"method": POLL}}).status_code == 409
    assert telling.ask("POST", "/streams", {"delivery": {"method": POLL}}, client="plain").status_code == 403
    other = telling.stream(client="other", events_requested=list(EVENTS.values()))
    assert other["events_supported"] == other["events_delivered"] == [EVENTS["session-revoked"]]


def test_security_61_another_clients_stream_is_not_found_by_any_question(telling: Telling) -> None:
    mine = telling.stream()["stream_id"]
    telling.stream(client="other")
    telling.announce()
    asked: list[tuple[str, str, Any]] = [
        ("GET", f"/streams?stream_id={mine}", None),
        ("DELETE", f"/streams?stream_id={mine}", None),
        ("PATCH", "/streams", {"stream_id": mine, "description": "theirs"}),
        ("PUT", "/streams", {"stream_id": mine, "delivery": {"method": POLL}}),
        ("GET", f"/streams/status?stream_id={mine}", None),
        ("POST", "/streams/status", {"stream_id": mine, "status": "disabled"}),
        ("POST", "/streams/subjects/add", {"stream_id": mine, "subject": user(telling, "acc_ana")}),
        ("POST", "/streams/subjects/remove", {"stream_id": mine, "subject": user(telling, "acc_ana")}),
        ("POST", "/streams/verify", {"stream_id": mine}),
        ("POST", f"/poll/{mine}", {"returnImmediately": True}),
    ]
    for method, path, body in asked:
        assert telling.ask(method, path, body, client="other").status_code == 404, path
    assert telling.browser.get("/signals/v1/streams").status_code == 401
    assert len(telling.poll({"stream_id": mine})) == 1


def test_security_61_an_app_hears_about_its_own_people_only(telling: Telling) -> None:
    mine, theirs = telling.stream(), telling.stream(client="other")
    telling.announce(account="acc_ana")
    telling.announce(account="acc_ben")
    telling.announce("account_ended", account="acc_nobody_s")
    [ana] = telling.poll(mine).values()
    [ben] = telling.poll(theirs, client="other").values()
    assert telling.opened(ana)["sub_id"]["user"]["sub"] == "acc_ana"
    assert telling.opened(ben, client="other")["sub_id"]["user"]["sub"] == "acc_ben"


def test_ssf_a_person_can_be_left_out_and_taken_in_again_and_a_stranger_is_not_known(telling: Telling) -> None:
    stream = telling.stream()
    about = {"stream_id": stream["stream_id"], "subject": user(telling, "acc_ana")}
    assert telling.ask("POST", "/streams/subjects/remove", about).status_code == 204
    assert telling.ask("POST", "/streams/subjects/remove", about).status_code == 204
    telling.announce()
    assert telling.poll(stream) == {}
    assert telling.ask("POST", "/streams/subjects/add", about).status_code == 200
    telling.announce()
    assert len(telling.poll(stream)) == 1
    answers = [
        telling.ask("POST", "/streams/subjects/add", {**about, "subject": user(telling, who)})
        for who in ("acc_ben", "acc_nobody_at_all")
    ]
    assert [one.status_code for one in answers] == [404, 404]
    assert answers[0].json()["detail"] == answers[1].json()["detail"], "whose people exist is not told"
    foreign = {"format": "iss_sub", "iss": "https://other.example", "sub": "acc_ana"}
    assert telling.ask("POST", "/streams/subjects/add", {**about, "subject": foreign}).status_code == 400


def test_caep_each_change_is_told_as_its_event(telling: Telling) -> None:
    stream = telling.stream()
    telling.announce("grant_ended", provider_id="prv_lakeside")
    telling.announce("account_ended")
    telling.announce("credential_changed", facts={"credential_type": "password", "change_type": "update"})
    telling.announce("family_ended", family_id="fam_0", session_id="ses_ana")
    found = [telling.opened(token) for token in telling.poll(stream).values()]
    said = [next(iter(one["events"].items())) for one in found]
    assert [uri for uri, _ in said] == [
        EVENTS["token-claims-change"],
        EVENTS["account-disabled"],
        EVENTS["credential-change"],
    ]
    assert said[0][1]["claims"] == {"authz_epoch": 1}
    assert said[2][1]["change_type"] == "update"
    assert found[0]["sub_id"]["tenant"] == {"format": "opaque", "id": "prv_lakeside"}
    assert found[1]["sub_id"] == user(telling, "acc_ana")
    for one in found:
        assert "sub" not in one, "RFC 8417 2.2: a SET is no proof of a person"
        assert "exp" not in one
        assert one["txn"].startswith("rev-")


def test_rfc_8936_an_event_is_given_until_it_is_acknowledged_once(telling: Telling) -> None:
    stream = telling.stream()
    telling.announce()
    telling.announce(account="acc_wes")
    both = telling.poll(stream)
    assert list(telling.poll(stream)) == list(both)
    assert list(telling.poll(stream, maxEvents=1)) == list(both)[:1]
    first, second = both
    assert list(telling.poll(stream, ack=[first])) == [second]
    assert telling.poll(stream, setErrs={second: {"err": "invalid_key", "description": "?"}}) == {}
    assert telling.poll(stream, ack=[first, second]) == {}
    assert len(telling.events("signals.event.delivered")) == 1
    assert telling.events("signals.event.refused") == [("invalid_key", "refused")]


def test_rfc_8936_an_empty_answer_is_held_back_until_there_is_an_event(
    telling: Telling, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = telling.stream()
    monkeypatch.setattr(polling, "LONGEST_WAIT", 0.3)
    begun = time.monotonic()
    assert telling.poll(stream, returnImmediately=False) == {}
    assert time.monotonic() - begun >= 0.3
    monkeypatch.setattr(polling, "LONGEST_WAIT", 60.0)
    later_on = Timer(0.1, telling.announce)
    later_on.start()
    begun = time.monotonic()
    [jti] = telling.poll(stream, returnImmediately=False)
    later_on.join()
    assert time.monotonic() - begun < 30
    assert telling.poll(stream, returnImmediately=False, ack=[jti], maxEvents=0) == {}  # settles and asks for nothing
    monkeypatch.setattr(polling, "_WAITING_MOST", 0)
    assert telling.poll(stream, returnImmediately=False) == {}  # one too many is answered at once, not refused


def test_rfc_8936_nobody_acknowledges_anothers_event_or_one_not_yet_given(telling: Telling) -> None:
    mine, theirs = telling.stream(), telling.stream(client="other")
    telling.announce()
    [jti] = [row[0] for row in telling.rows("SELECT jti FROM signal_delivery WHERE method = 'poll'")]
    telling.poll(mine, ack=[jti], maxEvents=0)
    telling.poll(theirs, client="other", ack=[jti, "no such"])
    assert telling.rows("SELECT delivered_at FROM signal_delivery WHERE method = 'poll'") == [(None,)]
    assert list(telling.poll(mine)) == [jti]


def test_ssf_a_proof_is_sent_on_demand_and_not_too_often(telling: Telling) -> None:
    stream = telling.stream()
    asked = {"stream_id": stream["stream_id"], "state": "my own words"}
    assert telling.ask("POST", "/streams/verify", asked).status_code == 204
    again = telling.ask("POST", "/streams/verify", asked)
    assert (again.status_code, again.headers["retry-after"]) == (429, "30")
    [token] = telling.poll(stream).values()
    said = telling.opened(token)
    assert said["events"] == {
        "https://schemas.openid.net/secevent/ssf/event-type/verification": {"state": asked["state"]}
    }
    assert said["sub_id"] == {"format": "opaque", "id": stream["stream_id"]}


def test_ssf_a_paused_stream_keeps_events_and_a_disabled_one_drops_them(telling: Telling) -> None:
    stream = telling.stream()
    here = {"stream_id": stream["stream_id"]}
    assert telling.ask("POST", "/streams/status", {**here, "status": "paused", "reason": "repairs"}).json() == {
        **here,
        "status": "paused",
        "reason": "repairs",
    }
    telling.announce()
    assert telling.poll(stream) == {}
    telling.ask("POST", "/streams/status", {**here, "status": "enabled"})
    kinds = [next(iter(telling.opened(token)["events"])).rpartition("/")[2] for token in telling.poll(stream).values()]
    assert kinds == ["stream-updated", "session-revoked", "stream-updated"]
    telling.ask("POST", "/streams/status", {**here, "status": "disabled"})
    telling.announce()
    assert telling.poll(stream) == {}
    assert telling.rows("SELECT count(*) FROM signal_delivery WHERE method = 'poll' AND failed_at IS NULL") == [(0,)]
    assert telling.ask("POST", "/streams/status", {**here, "status": "asleep"}).status_code == 422


@pytest.mark.parametrize(
    "body",
    [
        {"delivery": {"method": "urn:ietf:rfc:9999"}},
        {"delivery": {"method": PUSH}},
        {"delivery": {"method": PUSH, "endpoint_url": "http://claims.example/events"}},
        {"delivery": {"method": PUSH, "endpoint_url": "https://u:p@claims.example/events"}},
        {"delivery": {"method": PUSH, "endpoint_url": "file:///etc/passwd"}},
        {"delivery": {"method": PUSH, "endpoint_url": HOOK, "authorization_header": "a\r\nb"}},
        {"delivery": "push"},
        {"events_requested": "all"},
        {"events_requested": [1]},
        {"client_id": "other"},
        {"aud": "other", "surprise": 1},
        ["not an object"],
    ],
)
def test_security_50_a_wish_that_makes_no_sense_is_refused(telling: Telling, body: Any) -> None:
    assert telling.ask("POST", "/streams", body).status_code in {400, 422}
    assert telling.ask("GET", "/streams").json() == []


def test_security_83_an_oversized_question_is_refused(telling: Telling) -> None:
    answer = telling.ask("POST", "/streams", {"description": "x" * 70_000})
    assert answer.status_code in {400, 413}
    assert ALL
