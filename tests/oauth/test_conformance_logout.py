"""OpenID Connect RP-Initiated Logout, re-enacted (docs/conformance.md): each test names the suite's module."""

from typing import Any
from urllib.parse import urlencode

import pytest

from tests.oauth.world import AFTER, World, claims_of

HTML = {"accept": "text/html"}


def logout(world: World, **params: str) -> Any:
    return world.http.get("/oauth/logout" + (f"?{urlencode(params)}" if params else ""), headers=HTML)


def alive(world: World) -> bool:
    return "code=" in world.authorize(prompt="none").headers["location"]


def click(world: World, page: Any, **more: str) -> Any:
    """Press the button of the confirmation page."""
    assert page.status_code == 200
    assert "Sign out?" in page.text
    action = next(part for part in page.text.split('"') if part.startswith("/oauth/logout/confirm"))
    key = page.text.split('name="form_key" value="')[-1].split('"')[0]
    return world.http.post(action.replace("&amp;", "&"), data={"form_key": key, **more}, headers=HTML)


@pytest.fixture
def hint(world: World) -> str:
    world.sign_in()
    return str(world.tokens()["id_token"])


def test_oidcc_rp_initiated_logout(world: World, hint: str) -> None:
    response = logout(world, id_token_hint=hint, post_logout_redirect_uri=AFTER, state="x y")
    assert response.status_code == 303
    assert response.headers["location"] == AFTER + "?state=x+y"
    assert not alive(world)
    [(ended, why)] = world.run("SELECT ended_at, ended_because FROM session")
    assert ended is not None
    assert why == "signed_out"
    assert world.run("SELECT kind FROM revocation") == [("session_ended",)]
    assert "accounts.session.ended" in world.events


def test_oidcc_rp_initiated_logout_no_state(world: World, hint: str) -> None:
    response = logout(world, id_token_hint=hint, post_logout_redirect_uri=AFTER)
    assert response.headers["location"] == AFTER
    assert not alive(world)


def test_oidcc_rp_initiated_logout_no_post_logout_redirect_uri(world: World, hint: str) -> None:
    response = logout(world, id_token_hint=hint, state="s")
    assert response.status_code == 200
    assert "You are signed out" in response.text
    assert not alive(world)


def test_oidcc_rp_initiated_logout_only_state(world: World, hint: str) -> None:
    page = logout(world, state="s")
    assert alive(world)
    done = click(world, page)
    assert "You are signed out" in done.text
    assert not alive(world)


def test_oidcc_rp_initiated_logout_no_params(world: World, hint: str) -> None:
    assert "You are signed out" in click(world, logout(world)).text
    assert not alive(world)


def test_oidcc_rp_initiated_logout_no_id_token_hint(world: World, hint: str) -> None:
    done = click(world, logout(world, post_logout_redirect_uri=AFTER, state="s"))
    assert done.status_code == 200
    assert "location" not in done.headers
    assert not alive(world)


def test_security_49_without_a_hint_the_address_of_a_named_app_is_followed_only_after_a_click(
    world: World, hint: str
) -> None:
    page = logout(world, client_id="claims", post_logout_redirect_uri=AFTER, state="s")
    assert "form-action 'self' https://claims.example;" in page.headers["content-security-policy"]
    assert alive(world)
    assert click(world, page).headers["location"] == AFTER + "?state=s"
    assert not alive(world)


def test_the_person_may_stay_signed_in(world: World, hint: str) -> None:
    assert click(world, logout(world), stay="1").headers["location"] == "/account"
    assert alive(world)


@pytest.mark.parametrize("where", [AFTER + "/", AFTER + "?foo=bar", "https://evil.example/"])
def test_oidcc_rp_initiated_logout_bad_post_logout_redirect_uri_and_query_added(
    world: World, hint: str, where: str
) -> None:
    response = logout(world, id_token_hint=hint, post_logout_redirect_uri=where)
    assert response.status_code == 400
    assert "location" not in response.headers
    assert alive(world)


def test_oidcc_rp_initiated_logout_bad_id_token_hint(world: World, hint: str) -> None:
    for bad in ("nonsense", "a.b.c", world.tokens()["access_token"]):
        response = logout(world, id_token_hint=bad, post_logout_redirect_uri=AFTER)
        assert response.status_code == 400
        assert "location" not in response.headers
    assert alive(world)


def test_oidcc_rp_initiated_logout_modified_id_token_hint(world: World, hint: str) -> None:
    head, body, signature = hint.split(".")
    for modified in (f"{head}.{body}.{'A' * len(signature)}", f"{head}.{body[:-2]}xx.{signature}", hint[:-1] + "~"):
        response = logout(world, id_token_hint=modified, post_logout_redirect_uri=AFTER)
        assert response.status_code == 400
    assert alive(world)


def test_a_hint_of_another_session_or_app_ends_nothing_by_itself(world: World, hint: str) -> None:
    world.sign_in()
    page = logout(world, id_token_hint=hint, post_logout_redirect_uri=AFTER)
    assert "Sign out?" in page.text
    assert alive(world)
    world.client("other")
    assert logout(world, id_token_hint=hint, client_id="other").status_code == 400


def test_an_expired_hint_still_names_its_session(world: World, hint: str) -> None:
    from datetime import timedelta

    from freezegun import freeze_time

    from idp import clock

    with freeze_time(clock.now() + timedelta(minutes=14), real_asyncio=True):
        assert logout(world, id_token_hint=hint, post_logout_redirect_uri=AFTER).headers["location"] == AFTER


def test_a_posted_request_goes_on_as_a_get(world: World, hint: str) -> None:
    posted = world.http.post("/oauth/logout", data={"id_token_hint": hint, "post_logout_redirect_uri": AFTER})
    assert posted.status_code == 303
    assert world.http.get(posted.headers["location"]).headers["location"] == AFTER
    assert not alive(world)


def test_duplicates_and_strangers_get_a_page(world: World, hint: str) -> None:
    assert world.http.get("/oauth/logout?state=a&state=b", headers=HTML).status_code == 400
    assert logout(world, client_id="nobody").status_code == 400
    assert world.http.get("/oauth/logout?state=%ff", headers=HTML).status_code == 400
    assert alive(world)


def test_security_20_tokens_end_with_the_session(world: World, hint: str) -> None:
    tokens = world.tokens()
    assert claims_of(tokens["access_token"])["sid"]
    logout(world, id_token_hint=hint)
    assert world.introspect(tokens["access_token"]) == {"active": False}
    assert world.refresh(tokens["refresh_token"]).json()["error_description"] == "session_ended"
