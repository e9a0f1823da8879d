"""What was taken away holds here at once; a stale feed lets nothing pass by itself."""

import asyncio
from typing import Any

import pytest

from idp.resource_server.issuer import Issuer
from idp.resource_server.problems import IssuerUnavailable
from idp.resource_server.revocations import Feed, Standing
from idp.resource_server.service import ServiceToken
from idp.resource_server.verify import AccessToken, Verifier
from tests.kit.conftest import Monotonic
from tests.kit.issuer import CLIENT, SECRET, FakeIssuer


@pytest.fixture
def feed(issuer: Issuer, ticks: Monotonic) -> Feed:
    return Feed(issuer, ServiceToken(issuer, client_id=CLIENT, client_secret=SECRET, monotonic=ticks), monotonic=ticks)


def token(fake: FakeIssuer, verifier: Verifier, **changes: Any) -> AccessToken:
    return asyncio.run(verifier.access_token(fake.access_token(**changes)))


def test_security_92_a_raised_epoch_refuses_older_tokens_of_that_account_only(
    fake: FakeIssuer, verifier: Verifier, feed: Feed
) -> None:
    old, other = token(fake, verifier), token(fake, verifier, sub="acc_wes")
    asyncio.run(feed.poll())
    assert feed.standing(old) is Standing.LIVE
    fake.revocations = [{"seq": 7, "kind": "grant_ended", "account_id": "acc_ana", "authz_epoch": 4}]
    asyncio.run(feed.poll())
    assert feed.standing(old) is Standing.REVOKED
    assert feed.standing(other) is Standing.LIVE
    assert feed.standing(token(fake, verifier, authz_epoch=4)) is Standing.LIVE
    assert feed.after == 7


def test_security_92_an_ended_session_refuses_its_tokens_and_an_ended_family_does_not_end_the_session(
    fake: FakeIssuer, verifier: Verifier, feed: Feed
) -> None:
    fake.revocations = [
        {"seq": 1, "kind": "session_ended", "account_id": "acc_ana", "session_id": "ses_1", "authz_epoch": 3},
        {"seq": 2, "kind": "family_ended", "account_id": "acc_ana", "session_id": "ses_2", "authz_epoch": 3}
        | {"family_id": "fam_1"},
    ]
    asyncio.run(feed.poll())
    assert feed.standing(token(fake, verifier)) is Standing.REVOKED
    assert feed.standing(token(fake, verifier, sid="ses_2")) is Standing.LIVE
    assert feed.standing(token(fake, verifier, sid="ses_2", jti="fam_1.a")) is Standing.REVOKED
    assert feed.standing(token(fake, verifier, sid="ses_2", jti="fam_11.a")) is Standing.LIVE


def test_rfc_7009_one_token_given_back_is_refused_and_its_siblings_are_not(
    fake: FakeIssuer, verifier: Verifier, feed: Feed
) -> None:
    fake.revocations = [{"seq": 1, "kind": "token_revoked", "token_id": "fam_1.a", "reason": "revoked_by_app"}]
    asyncio.run(feed.poll())
    assert feed.standing(token(fake, verifier, jti="fam_1.a")) is Standing.REVOKED
    assert feed.standing(token(fake, verifier, jti="fam_1.b")) is Standing.LIVE


def test_security_92_a_feed_older_than_its_lease_knows_nothing_but_still_refuses_what_it_heard(
    fake: FakeIssuer, verifier: Verifier, feed: Feed, ticks: Monotonic
) -> None:
    live = token(fake, verifier)
    assert feed.standing(live) is Standing.UNKNOWN
    asyncio.run(feed.poll())
    ticks.now += 0.85
    assert feed.standing(live) is Standing.LIVE
    ticks.now += 0.1
    assert feed.standing(live) is Standing.UNKNOWN
    feed.hear({"seq": 1, "kind": "session_ended", "session_id": "ses_1"})
    assert feed.standing(live) is Standing.REVOKED
    fake.down = True
    with pytest.raises(IssuerUnavailable):
        asyncio.run(feed.poll())
    assert not feed.fresh()


def test_memory_is_bounded_and_a_full_memory_is_stale_rather_than_forgetful(
    fake: FakeIssuer, issuer: Issuer, ticks: Monotonic
) -> None:
    service = ServiceToken(issuer, client_id=CLIENT, client_secret=SECRET, monotonic=ticks)
    feed = Feed(issuer, service, most=3, monotonic=ticks)
    fake.revocations = [{"seq": n, "kind": "session_ended", "session_id": f"ses_{n}"} for n in range(1, 5)]
    asyncio.run(feed.poll())
    assert not feed.fresh()
    ticks.now += 901
    asyncio.run(feed.poll())
    assert feed.fresh()


def test_the_listener_outlives_a_service_that_is_down(fake: FakeIssuer, issuer: Issuer) -> None:
    async def play() -> list[bool]:
        feed = Feed(issuer, ServiceToken(issuer, client_id=CLIENT, client_secret=SECRET), every=0.02)
        seen = []
        await feed.start()
        for down in (False, True, False):
            fake.down = down
            await asyncio.sleep(0.2)
            feed_is_fresh = feed._now() - feed._caught_up < 0.1
            seen.append(feed_is_fresh)
        await feed.stop()
        return seen

    assert asyncio.run(play()) == [True, False, True]


def test_a_feed_restored_from_a_backup_is_read_from_its_beginning_again(
    fake: FakeIssuer, verifier: Verifier, feed: Feed
) -> None:
    fake.revocations = [{"seq": n, "kind": "session_ended", "session_id": f"ses_{n}"} for n in range(3, 10)]
    asyncio.run(feed.poll())
    assert feed.after == 9
    fake.revocations = [{"seq": 2, "kind": "session_ended", "session_id": "ses_1"}]
    asyncio.run(feed.poll())
    assert feed.after == 2
    assert feed.standing(token(fake, verifier)) is Standing.REVOKED


def test_an_account_that_ended_without_an_epoch_refuses_every_token_issued_until_then(
    fake: FakeIssuer, verifier: Verifier, feed: Feed
) -> None:
    old = token(fake, verifier)
    fake.revocations = [{"seq": 1, "kind": "account_of_a_kind_not_known_yet", "account_id": "acc_ana"}]
    asyncio.run(feed.poll())
    assert feed.standing(old) is Standing.REVOKED
    later = token(fake, verifier, iat=old.issued_at + 30, exp=old.expires_at + 30)
    assert feed.standing(later) is Standing.LIVE
