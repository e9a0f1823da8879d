"""The guard of our own APIs: an access token, for us, in force, with the scope (D-3)."""

from typing import Any

import pytest
from starlette.requests import Request

from idp.errors import NotEntitled, NotSignedIn
from idp.web.bearer import Caller, bearer
from tests.oauth.world import World, claims_of


def ask(world: World, authorization: str | None, *scopes: str) -> Caller:
    headers = [(b"authorization", authorization.encode())] if authorization is not None else []
    request = Request({"type": "http", "method": "GET", "path": "/", "headers": headers, "query_string": b""})
    portal = world.http.portal
    assert portal is not None

    async def play() -> Caller:
        return await bearer(world.service, request, *scopes)

    found: Any = portal.call(play)
    assert isinstance(found, Caller)
    return found


def test_a_service_and_a_person_are_told_apart(world: World) -> None:
    service = world.token("service", grant_type="client_credentials").json()["access_token"]
    caller = ask(world, f"Bearer {service}", "access:evaluate")
    assert (caller.client.client_id, caller.account_id, caller.provider_id) == ("service", None, None)
    assert "access:search" in caller.scopes
    sid = world.sign_in()
    person = ask(world, f"bearer {world.tokens()['access_token']}", "openid")
    assert (person.account_id, person.session_id, person.provider_id) == (world.ana, sid, world.clinic)


def test_rfc_6750_challenges_say_what_is_wrong(world: World) -> None:
    world.sign_in()
    tokens = world.tokens()
    for value, error in (
        (None, "Bearer"),
        ("Basic YTpi", "Bearer"),
        ("Bearer ", "Bearer"),
        ("Bearer nonsense", 'Bearer error="invalid_token"'),
        (f"Bearer {tokens['id_token']}", 'Bearer error="invalid_token"'),
        (f"Bearer {tokens['refresh_token']}", 'Bearer error="invalid_token"'),
    ):
        with pytest.raises(NotSignedIn) as refused:
            ask(world, value, "openid")
        assert refused.value.headers["WWW-Authenticate"].startswith(error)
    with pytest.raises(NotEntitled) as without:
        ask(world, f"Bearer {tokens['access_token']}", "wam", "scim")
    assert without.value.headers["WWW-Authenticate"] == 'Bearer error="insufficient_scope", scope="wam scim"'


def test_a_token_of_a_suspended_client_is_refused_at_once(world: World) -> None:
    from idp.database import transaction
    from idp.oauth import clients

    service = world.token("service", grant_type="client_credentials").json()["access_token"]
    assert claims_of(service)["aud"] == "http://localhost:8000"
    assert ask(world, f"Bearer {service}").client.client_id == "service"
    with transaction(world.database) as db:
        clients.change(db, "service", status="suspended")
    with pytest.raises(NotSignedIn):
        ask(world, f"Bearer {service}")
