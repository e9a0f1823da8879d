"""What is pushed: signed, tried again with pauses, given up with a record; a slow receiver costs nobody else."""

from datetime import timedelta
from urllib.parse import parse_qs

import pytest
from sqlalchemy import text

from idp import clock
from idp.database import transaction
from idp.oauth import keys
from idp.transmitter.delivery import KEPT, PAUSES, TRIES
from tests.signals.receivers import HOOK, LOGOUT, Telling, later, telling

__all__ = ["telling"]


def test_rfc_8935_an_event_is_pushed_with_what_the_receiver_asked_for_and_leaves_a_receipt(telling: Telling) -> None:
    delivery = {"method": "urn:ietf:rfc:8935", "endpoint_url": HOOK, "authorization_header": "Bearer of the app"}
    stream = telling.stream(delivery=delivery)
    assert "authorization_header" not in stream["delivery"], "what we send is a secret"
    telling.announce()
    assert telling.send(stream["stream_id"]) == 1
    [request] = telling.receiver.got
    assert str(request.url) == HOOK
    assert request.headers["authorization"] == "Bearer of the app"
    assert request.headers["content-type"] == "application/secevent+jwt"
    said = telling.opened(request.content.decode())
    assert said["sub_id"]["session"]["id"] == "ses_ana"
    assert telling.events("signals.event.delivered") == [(None, "done")]
    assert telling.send(stream["stream_id"]) == 0
    assert len(telling.receiver.got) == 1


def test_openid_back_channel_logout_reaches_the_apps_of_the_session(telling: Telling) -> None:
    telling.announce()
    telling.announce(account="acc_ben")  # his app has no address for it
    assert telling.send("logout:claims") == 1
    [request] = telling.receiver.got
    assert str(request.url) == LOGOUT
    [token] = parse_qs(request.content.decode())["logout_token"]
    said = telling.opened(token, typ="logout+jwt")
    assert (said["sub"], said["sid"]) == ("acc_ana", "ses_ana")
    assert said["events"] == {"http://schemas.openid.net/event/backchannel-logout": {}}
    assert said["exp"] - said["iat"] == 120
    assert "nonce" not in said


@pytest.mark.parametrize("answer", [400, 401, 404, 429, 500, 503, 200, 302])
def test_whatever_is_not_accepted_is_tried_again_with_pauses_and_given_up_with_a_record(
    telling: Telling, monkeypatch: pytest.MonkeyPatch, answer: int
) -> None:
    stream = telling.stream(push=True)["stream_id"]
    telling.announce()
    telling.receiver.status = answer
    now = clock.now() + timedelta(seconds=1)
    for n in range(TRIES):
        later(monkeypatch, now)
        assert telling.sender.one(stream) is False
        later(monkeypatch, now + timedelta(seconds=PAUSES[min(n, len(PAUSES) - 1)] - 0.5))
        telling.sender.one(stream)
        assert len(telling.receiver.got) == n + 1, "not before its pause is over"
        now += timedelta(seconds=PAUSES[min(n, len(PAUSES) - 1)])
    [(tries, failed, problem)] = telling.rows(
        "SELECT tries, failed_at, problem FROM signal_delivery WHERE method = 'push'"
    )
    assert tries == TRIES
    assert failed is not None
    assert problem == ("redirect" if answer == 302 else f"status_{answer}")
    assert telling.events("signals.event.failed") == [(problem, "failed")]
    assert len({telling.opened(r.content.decode())["jti"] for r in telling.receiver.got}) == 1, "one id, however often"


def test_a_receiver_that_comes_back_gets_everything_in_order(telling: Telling, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = telling.stream(push=True)["stream_id"]
    telling.receiver.fails = True
    telling.announce()
    telling.announce(account="acc_wes")
    later(monkeypatch, clock.now() + timedelta(seconds=1))
    assert telling.send(stream) == 0
    telling.receiver.fails = False
    later(monkeypatch, clock.now() + timedelta(seconds=5))
    assert telling.send(stream) == 2
    found = [telling.opened(r.content.decode())["sub_id"]["user"]["sub"] for r in telling.receiver.got]
    assert found == ["acc_ana", "acc_wes"]


def test_old_news_is_given_up_without_a_try(telling: Telling, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = telling.stream(push=True)["stream_id"]
    telling.announce()
    later(monkeypatch, clock.now() + KEPT + timedelta(minutes=1))
    telling.send(stream)
    assert telling.receiver.got == []
    assert telling.events("signals.event.failed") == [("too_old", "failed")]


def test_a_slow_receiver_does_not_hold_up_another(telling: Telling, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bulkhead: who failed the last time has threads of its own, and who is being served is not asked twice."""
    slow = telling.stream(push=True)["stream_id"]
    telling.announce("account_ended")
    telling.receiver.fails = True
    later(monkeypatch, clock.now() + timedelta(seconds=1))
    telling.sender.one(slow)
    later(monkeypatch, clock.now() + timedelta(seconds=5))
    handed: list[tuple[bool, str]] = []
    for failed, pool in telling.sender._pools.items():
        monkeypatch.setattr(pool, "submit", lambda _serve, receiver, failed=failed: handed.append((failed, receiver)))
    telling.announce()
    telling.sender.send()
    telling.sender.send()
    assert sorted(handed) == [(False, "logout:claims"), (True, slow)]


def test_two_workers_send_an_event_once(telling: Telling) -> None:
    stream = telling.stream(push=True)["stream_id"]
    telling.announce()
    answer = telling.receiver.answer

    def meanwhile(request):  # type: ignore[no-untyped-def]
        assert telling.sender.one(stream) is False, "it belongs to the one who took it"
        return answer(request)

    telling.receiver.answer = meanwhile  # type: ignore[method-assign]
    telling.sender._outbound._transport.handler = meanwhile  # type: ignore[union-attr]
    assert telling.send(stream) == 1
    assert len(telling.receiver.got) == 1


def test_nothing_is_sent_to_an_app_that_was_suspended_meanwhile_or_a_stream_that_ended(telling: Telling) -> None:
    stream = telling.stream(push=True)["stream_id"]
    telling.announce()
    telling.ask("DELETE", f"/streams?stream_id={stream}")
    telling.send(stream)
    from idp.oauth import clients

    with transaction(telling.database) as db:
        clients.change(db, "claims", status="suspended")
    telling.send("logout:claims")
    assert telling.receiver.got == []


def test_an_event_is_signed_with_the_key_that_signs_when_it_is_sent(telling: Telling) -> None:
    stream = telling.stream(push=True)["stream_id"]
    telling.announce()
    telling.announce(account="acc_wes")
    telling.sender.one(stream)
    with transaction(telling.database) as db:
        keys.rotate(db, early=True)
    telling.send(stream)
    from idp.signatures import unverified_header

    kids = {unverified_header(r.content.decode())["kid"] for r in telling.receiver.got}
    assert len(kids) == 2


def test_security_61_what_waits_is_not_told_once_the_app_may_not_have_it_or_the_person_was_left_out(
    telling: Telling,
) -> None:
    poll, push = telling.stream(), telling.stream(push=True)["stream_id"]
    telling.announce()
    with transaction(telling.database) as db:
        db.execute(text("UPDATE client SET signals = '[\"credential-change\"]' WHERE client_id = 'claims'"))
    telling.send(push)
    assert telling.receiver.got == []
    assert telling.poll(poll) == {}
    assert {row[0] for row in telling.rows("SELECT problem FROM signal_delivery WHERE method <> 'logout'")} == {
        "receiver_gone"
    }
