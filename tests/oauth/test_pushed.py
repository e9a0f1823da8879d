"""Pushed authorization requests (RFC 9126) and answers as a form (OAuth 2.0 Form Post Response Mode)."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from freezegun import freeze_time

from idp import clock
from tests.oauth.world import CALLBACK, CHALLENGE, SECRET, World, answer_of


def push(world: World, client_id: str = "claims", secret: str | None = SECRET, **more: str | None) -> Any:
    fields = world.ask(client_id=client_id, **more)
    auth = (client_id, secret) if secret is not None else None
    return world.http.post("/oauth/par", data=fields, auth=auth)


def carry(world: World, uri: str, client_id: str = "claims", **more: str) -> Any:
    query = urlencode({"client_id": client_id, "request_uri": uri, **more})
    return world.http.get(f"/oauth/authorize?{query}", headers={"accept": "text/html"})


def test_security_46_a_pushed_request_signs_in_and_what_the_browser_adds_changes_nothing(world: World) -> None:
    world.sign_in()
    pushed = push(world)
    assert pushed.status_code == 201, pushed.text
    assert pushed.headers["cache-control"] == "no-store"
    assert pushed.json()["expires_in"] == 90
    uri = pushed.json()["request_uri"]
    answer = answer_of(carry(world, uri, state="evil", redirect_uri="https://evil.example/", scope="openid email"))
    assert answer["state"] == "st-1"
    tokens = world.exchange(answer["code"])
    assert tokens.status_code == 200
    assert tokens.json()["scope"] == "openid profile"
    assert "oauth.request.pushed" in world.events


def test_security_46_a_pushed_request_works_once_also_for_ten_at_once(world: World) -> None:
    world.sign_in()
    uri = push(world).json()["request_uri"]
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: carry(world, uri).status_code, range(10)))
    assert sorted(answers) == [303] + [400] * 9


def test_security_46_a_pushed_request_ends_after_ninety_seconds_and_is_its_own_apps(world: World) -> None:
    world.sign_in()
    world.client("other")
    uri = push(world).json()["request_uri"]
    assert carry(world, uri, "other").status_code == 400
    with freeze_time(clock.now() + timedelta(seconds=90), tick=True):
        assert carry(world, uri).status_code == 400
    assert answer_of(carry(world, uri))["code"]


def test_a_journey_of_a_pushed_request_goes_through_the_sign_in(world: World) -> None:
    first = carry(world, push(world).json()["request_uri"])
    assert first.status_code == 303, "a page at this address could not be loaded anew: the request is used up"
    location = first.headers["location"]
    assert location.startswith("/sign-in?flow=")
    session_id = world.sign_in()
    again = world.http.get(world.did(location, "sign_in", session_id=session_id))
    assert answer_of(again)["state"] == "st-1"


def test_security_46_a_client_registered_so_must_push(world: World) -> None:
    world.client("strict", require_par=True)
    world.sign_in()
    assert answer_of(world.authorize(client_id="strict"))["error"] == "invalid_request"
    assert answer_of(carry(world, push(world, "strict").json()["request_uri"], "strict"))["code"]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"redirect_uri": "https://evil.example/"}, "invalid_request"),
        ({"request_uri": "urn:ietf:params:oauth:request_uri:x"}, "invalid_request"),
        ({"request": "e30.e30."}, "request_not_supported"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge": None}, "invalid_request"),
        ({"scope": "nonsense"}, "invalid_scope"),
        ({"resource": "https://unknown.example"}, "invalid_target"),
        ({"state": "x" * 5000}, "invalid_request"),
        ({"nonce": "n" * 4000, "login_hint": "h" * 4000}, "invalid_request"),
    ],
)
def test_security_46_a_bad_request_is_refused_where_it_is_pushed(
    world: World, change: dict[str, str | None], error: str
) -> None:
    answer = push(world, **change)
    assert answer.status_code == 400
    assert answer.json()["error"] == error
    assert world.run("SELECT count(*) FROM pushed_request")[0][0] == 0


def test_security_45_only_the_client_itself_pushes(world: World) -> None:
    assert push(world, secret="wrong " * 8).status_code == 401
    assert push(world, secret=None).status_code == 401
    answer = world.http.post("/oauth/par", data=world.ask(client_id="service"), auth=("claims", SECRET))
    assert answer.status_code in (400, 401)
    for invented in ("urn:ietf:params:oauth:request_uri:" + "a" * 43, "https://evil.example/request"):
        assert carry(world, invented).status_code in (303, 400)
        assert "code=" not in carry(world, invented).headers.get("location", "")


def test_discovery_tells_of_it(world: World) -> None:
    told = world.http.get("/.well-known/openid-configuration").json()
    assert told["pushed_authorization_request_endpoint"].endswith("/oauth/par")
    assert told["require_pushed_authorization_requests"] is False
    assert "form_post" in told["response_modes_supported"]


def test_an_answer_as_a_form_carries_code_state_and_issuer_to_the_app_alone(world: World) -> None:
    world.sign_in()
    page = world.authorize(response_mode="form_post")
    assert page.status_code == 200
    assert f'action="{CALLBACK}"' in page.text
    assert "form-action 'self' https://claims.example;" in page.headers["content-security-policy"]
    fields = dict(re.findall(r'name="([a-z_]+)" value="([^"]*)"', page.text))
    assert fields.keys() == {"code", "state", "iss"}
    assert world.exchange(fields["code"]).status_code == 200


def test_a_refusal_as_a_form_too(world: World) -> None:
    page = world.authorize(response_mode="form_post", prompt="none")
    assert page.status_code == 200
    fields = dict(re.findall(r'name="([a-z_]+)" value="([^"]*)"', page.text))
    assert fields["error"] == "login_required"
    unknown = world.authorize(response_mode="fragment")
    assert dict(parse_qsl(urlsplit(unknown.headers["location"]).query))["error"] == "invalid_request"
    assert CHALLENGE not in page.text


def test_security_46_a_journey_begun_by_an_address_of_ours_pushes_nothing(world: World) -> None:
    """Who is led to `next` comes back to it as if the browser had brought it: nobody checked it on the way."""
    world.client("strict", require_par=True)
    target = "/oauth/authorize?" + urlencode({k: v for k, v in world.ask(client_id="strict").items() if v is not None})
    begun = world.http.get("/sign-in", params={"next": target}, headers={"accept": "text/html"})
    location = begun.headers["location"]
    world.sign_in()
    back = world.http.get(world.did(location, "sign_in"), headers={"accept": "text/html"})
    while back.status_code == 303 and back.headers["location"].startswith("/"):
        back = world.http.get(back.headers["location"], headers={"accept": "text/html"})
    assert answer_of(back)["error"] == "invalid_request"
