"""Keys are cached within bounds, and lost ones are not guessed at."""

import asyncio

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from idp.resource_server.issuer import Issuer
from idp.resource_server.problems import IssuerUnavailable, TokenRefused
from idp.resource_server.verify import Verifier
from tests.kit.conftest import Monotonic
from tests.kit.issuer import URL, FakeIssuer


def fetched(fake: FakeIssuer) -> int:
    return fake.asked.count("/oauth/jwks")


def test_security_34_keys_are_fetched_once_and_again_when_max_age_has_passed(
    fake: FakeIssuer, verifier: Verifier, ticks: Monotonic
) -> None:
    async def play() -> None:
        await asyncio.gather(*(verifier.access_token(fake.access_token()) for _ in range(20)))
        assert fetched(fake) == 1
        ticks.now += 299
        await verifier.access_token(fake.access_token())
        assert fetched(fake) == 1
        ticks.now += 2
        await verifier.access_token(fake.access_token())
        assert fetched(fake) == 2

    asyncio.run(play())


def test_security_34_a_max_age_of_a_year_is_cut_to_five_minutes(
    fake: FakeIssuer, ticks: Monotonic, issuer: Issuer
) -> None:
    fake.cache_control = "max-age=31536000"

    async def play() -> None:
        await issuer.key("ec")
        ticks.now += 301
        await issuer.key("ec")

    asyncio.run(play())
    assert fetched(fake) == 2


def test_security_34_an_unknown_kid_asks_again_at_most_once_a_minute(
    fake: FakeIssuer, ticks: Monotonic, issuer: Issuer
) -> None:
    async def play() -> None:
        fake.published = ["rsa"]
        assert await issuer.key("ec") is None
        for _ in range(50):
            await asyncio.gather(*(issuer.key(f"kid{n}") for n in range(5)))
        assert fetched(fake) == 2
        fake.published = ["ec", "rsa"]
        assert await issuer.key("ec") is None
        ticks.now += 61
        assert await issuer.key("ec") is not None
        assert fetched(fake) == 3

    asyncio.run(play())


def test_d7_a_key_rotation_is_followed_without_a_failed_verification(
    fake: FakeIssuer, verifier: Verifier, ticks: Monotonic
) -> None:
    async def play() -> None:
        await verifier.access_token(fake.access_token())
        old = fake.access_token()
        fake.ec = ec.generate_private_key(ec.SECP256R1())
        with pytest.raises(TokenRefused):
            await verifier.access_token(fake.access_token())
        await verifier.access_token(old)
        ticks.now += 301
        await verifier.access_token(fake.access_token())

    asyncio.run(play())


def test_security_89_the_last_good_keys_serve_within_their_bound_and_no_longer(
    fake: FakeIssuer, ticks: Monotonic, issuer: Issuer
) -> None:
    async def play() -> None:
        assert await issuer.key("ec") is not None
        fake.down = True
        ticks.now += 300 + 3500
        assert await issuer.key("ec") is not None
        ticks.now += 200
        assert await issuer.key("ec") is None
        fake.down = False
        ticks.now += 2
        assert await issuer.key("ec") is not None

    asyncio.run(play())


@pytest.mark.parametrize(
    "document",
    [
        {"issuer": "https://evil.example", "jwks_uri": f"{URL}/oauth/jwks"},
        {"issuer": URL, "jwks_uri": "https://evil.example/jwks"},
        {"issuer": URL, "jwks_uri": f"{URL}.evil.example/jwks"},
        {"issuer": URL},
        [],
        "text",
    ],
)
def test_security_34_metadata_of_another_issuer_or_endpoints_elsewhere_are_refused(document: object) -> None:
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, json=document))
    issuer = Issuer(URL, http=httpx2.AsyncClient(transport=transport))
    with pytest.raises(IssuerUnavailable):
        asyncio.run(issuer.endpoint("jwks_uri"))


def test_an_answer_too_large_or_moved_is_refused() -> None:
    for answer in (httpx2.Response(200, content=b" " * 300_000), httpx2.Response(302, headers={"Location": URL})):
        issuer = Issuer(URL, http=httpx2.AsyncClient(transport=httpx2.MockTransport(lambda _, a=answer: a)))
        with pytest.raises(IssuerUnavailable):
            asyncio.run(issuer.metadata())


def test_the_issuer_is_an_origin_only() -> None:
    with pytest.raises(ValueError, match="origin"):
        Issuer(URL + "/", http=httpx2.AsyncClient())
