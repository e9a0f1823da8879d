"""The signed feed against whoever sits between: forged, replayed, going back, an old key, a wrong clock."""

import asyncio
import time
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from idp.resource_server.issuer import Issuer
from idp.resource_server.problems import IssuerUnavailable
from idp.resource_server.revocations import Feed, Standing
from idp.resource_server.service import ServiceToken
from idp.resource_server.verify import Verifier
from tests.kit.conftest import Monotonic
from tests.kit.issuer import CLIENT, SECRET, FakeIssuer
from tests.kit.test_revocations import token


@pytest.fixture
def feed(issuer: Issuer, ticks: Monotonic) -> Feed:
    return Feed(issuer, ServiceToken(issuer, client_id=CLIENT, client_secret=SECRET, monotonic=ticks), monotonic=ticks)


@pytest.mark.parametrize(
    ("claims", "header"),
    [
        ({"iss": "https://other.example.org"}, {}),
        ({"aud": "another-app"}, {}),
        ({"aud": [CLIENT, "another-app"]}, {}),
        ({"nonce": "an answer to another question"}, {}),
        ({"after": 0}, {}),
        ({"revocations": None}, {}),
        ({"revocations": [{"kind": "session_ended"}]}, {}),
        ({"last": "9"}, {}),
        ({"more": "no"}, {}),
        ({}, {"typ": "at+jwt"}),
        ({}, {"kid": "nobody"}),
        ({}, {"alg": "none"}),
        ({}, {"crit": ["b64"]}),
    ],
)
def test_security_92_an_answer_that_is_not_for_this_question_renews_no_lease(
    fake: FakeIssuer, verifier: Verifier, feed: Feed, claims: dict[str, Any], header: dict[str, Any]
) -> None:
    live = token(fake, verifier)
    fake.feed_claims, fake.feed_header = claims, header
    with pytest.raises(IssuerUnavailable):
        asyncio.run(feed.poll())
    assert feed.standing(live) is Standing.UNKNOWN
    fake.feed_claims, fake.feed_header = {}, {}
    asyncio.run(feed.poll())
    assert feed.standing(live) is Standing.LIVE


def test_security_92_a_forged_answer_is_refused(fake: FakeIssuer, verifier: Verifier, feed: Feed) -> None:
    live = token(fake, verifier)
    published = fake.jwks()
    fake.jwks = lambda: published  # type: ignore[method-assign]
    fake.ec = ec.generate_private_key(ec.SECP256R1())
    with pytest.raises(IssuerUnavailable, match="genuine"):
        asyncio.run(feed.poll())
    assert feed.standing(live) is Standing.UNKNOWN


def test_security_92_a_feed_that_goes_back_is_not_believed(fake: FakeIssuer, verifier: Verifier, feed: Feed) -> None:
    live = token(fake, verifier)
    fake.revocations = [{"seq": 9, "kind": "session_ended", "session_id": "ses_9"}]
    asyncio.run(feed.poll())
    fake.feed_claims = {"last": 4}
    with pytest.raises(IssuerUnavailable, match="goes back"):
        asyncio.run(feed.poll())
    assert feed.after == 9
    assert feed.standing(live) is Standing.LIVE, "the lease it had runs on"


def test_security_92_a_key_that_was_replaced_signs_no_answer_though_its_tokens_still_hold(
    fake: FakeIssuer, verifier: Verifier, feed: Feed, ticks: Monotonic
) -> None:
    live = token(fake, verifier)
    asyncio.run(feed.poll())
    old, new = fake.ec, ec.generate_private_key(ec.SECP256R1())
    keys = fake.jwks()["keys"]
    fake.ec = new
    [fresh] = [key for key in fake.jwks()["keys"] if key["kid"] == "ec"]
    published = {"keys": [*keys, {**fresh, "kid": "ec-2"}]}
    fake.jwks = lambda: published  # type: ignore[method-assign]
    ticks.now += 301
    fake.feed_header = {"kid": "ec-2", "alg": "ES256"}
    asyncio.run(feed.poll())
    assert feed.standing(live) is Standing.LIVE
    fake.ec, fake.feed_header = old, {}
    with pytest.raises(IssuerUnavailable, match="replaced"):
        asyncio.run(feed.poll())
    assert asyncio.run(verifier.access_token(fake.access_token())).subject == "acc_ana"


@pytest.mark.parametrize("skew", [-7200.0, 7200.0])
def test_security_92_the_apps_clock_plays_no_part(
    fake: FakeIssuer, verifier: Verifier, feed: Feed, monkeypatch: pytest.MonkeyPatch, skew: float
) -> None:
    """A practice is closed; an app whose clock is two hours off still asks about older tokens, and only those."""
    moment = int(time.time())
    old, later = token(fake, verifier), token(fake, verifier, iat=moment + 30)
    monkeypatch.setattr("idp.resource_server.heard.time.time", lambda: moment + skew)
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment + 10))
    fake.revocations = [{"seq": 1, "kind": "provider_suspended", "provider_id": "prv_lakeside", "at": at}]
    asyncio.run(feed.poll())
    assert feed.standing(old) is Standing.UNKNOWN
    assert feed.standing(later) is Standing.LIVE


def test_d5_tokens_of_a_suspended_app_are_asked_about(fake: FakeIssuer, verifier: Verifier, feed: Feed) -> None:
    mine = token(fake, verifier)
    fake.revocations = [{"seq": 1, "kind": "client_suspended", "client_id": CLIENT, "at": "2999-01-01T00:00:00Z"}]
    asyncio.run(feed.poll())
    assert feed.standing(mine) is Standing.UNKNOWN
    assert feed.standing(token(fake, verifier, client_id="another")) is Standing.LIVE


def test_security_92_a_slow_answer_renews_the_lease_from_when_it_was_asked(
    fake: FakeIssuer, verifier: Verifier, feed: Feed, ticks: Monotonic
) -> None:
    live = token(fake, verifier)
    asyncio.run(feed.poll())
    answer = fake.frame

    def slow(asked: dict[str, str]) -> bytes:
        ticks.now += 0.8
        return answer(asked)

    fake.frame = slow  # type: ignore[method-assign]
    asyncio.run(feed.poll())
    assert feed.standing(live) is Standing.LIVE
    ticks.now += 0.15
    assert feed.standing(live) is Standing.UNKNOWN


def test_an_oversized_answer_is_not_read(fake: FakeIssuer, feed: Feed) -> None:
    fake.feed_claims = {"padding": "x" * 1_000_001}
    with pytest.raises(IssuerUnavailable, match="too much"):
        asyncio.run(feed.poll())
