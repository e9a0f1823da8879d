"""Two workers at once: one winner, whatever the database (security.md 43, 44, 45)."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
from starlette.testclient import TestClient

from idp.app import create_app
from idp.signatures import generate
from tests.engines import ISSUER
from tests.oauth.test_token_endpoint import assertion
from tests.oauth.world import CALLBACK, SECRET, VERIFIER, World

ROUNDS = 8
"""The long form, 200 rounds, runs with `make faults`."""


def race(world: World, prepare: Callable[[int], Callable[[TestClient], Any]], rounds: int = ROUNDS) -> list[list[int]]:
    """Play several rounds on two standing workers."""
    found = []
    with (
        TestClient(create_app(world.service.settings), base_url=ISSUER, follow_redirects=False) as second,
        ThreadPoolExecutor(2) as pool,
    ):
        for number in range(rounds):
            send = prepare(number)
            found.append(sorted(r.status_code for r in pool.map(send, (world.http, second))))
    return found


def test_security_43_a_code_used_twice_at_once_has_one_winner_whose_tokens_then_end(world: World) -> None:
    world.sign_in()

    def prepare(number: int) -> Callable[[TestClient], Any]:
        form = {
            "grant_type": "authorization_code",
            "code": world.code(),
            "redirect_uri": CALLBACK,
            "code_verifier": VERIFIER,
        }
        return lambda http: http.post("/oauth/token", data=form, auth=("claims", SECRET))

    assert race(world, prepare) == [[200, 400]] * ROUNDS
    # The loser's use was a second use: it ended what the winner got.
    assert world.run("SELECT count(*) FROM token_family WHERE ended_at IS NULL") == [(0,)]
    assert world.run("SELECT count(*) FROM token_family") == [(ROUNDS,)]


def test_security_44_a_refresh_token_used_twice_at_once_has_one_winner_and_the_family_ends(world: World) -> None:
    world.sign_in()

    def prepare(number: int) -> Callable[[TestClient], Any]:
        form = {"grant_type": "refresh_token", "refresh_token": world.tokens()["refresh_token"]}
        return lambda http: http.post("/oauth/token", data=form, auth=("claims", SECRET))

    assert race(world, prepare) == [[200, 400]] * ROUNDS
    assert world.run("SELECT count(*) FROM token_family WHERE ended_at IS NULL") == [(0,)]


def test_security_45_an_assertion_used_twice_at_once_authenticates_once(world: World) -> None:
    key = generate("ES256")
    world.client(
        "jwt",
        auth_method="private_key_jwt",
        jwks={"keys": [key.public_jwk()]},
        grant_types=["client_credentials"],
        scopes=["scim"],
        redirect_uris=[],
    )

    def prepare(number: int) -> Callable[[TestClient], Any]:
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": assertion(key, jti=f"race-{number}"),
        }
        return lambda http: http.post("/oauth/token", data=form)

    assert race(world, prepare) == [[200, 401]] * ROUNDS


def test_security_44_refreshes_of_one_session_in_one_group_commit_are_told_apart(world: World) -> None:
    world.sign_in()
    one, other = world.tokens()["refresh_token"], world.tokens()["refresh_token"]

    async def together() -> list[int]:
        app = create_app(world.service.settings)
        async with app.router.lifespan_context(app):
            transport = httpx2.ASGITransport(app=app)
            async with httpx2.AsyncClient(transport=transport, base_url=ISSUER) as http:
                forms = [{"grant_type": "refresh_token", "refresh_token": token} for token in (one, other, one)]
                answers = [http.post("/oauth/token", data=form, auth=("claims", SECRET)) for form in forms]
                return [answer.status_code for answer in await asyncio.gather(*answers)]

    first, second, third = asyncio.run(together())
    assert second == 200
    assert sorted((first, third)) == [200, 400]
    assert world.run("SELECT count(*) FROM token_family WHERE ended_at IS NULL") == [(1,)]
    assert world.events.count("oauth.refresh.reused") == 1
    assert world.events.count("oauth.token.refreshed") == 2
