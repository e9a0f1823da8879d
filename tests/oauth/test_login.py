"""The happy path: from the app to its tokens and back."""

from tests.oauth.world import CALLBACK, World, answer_of, claims_of, signs_in_at


def test_a_signed_in_person_gets_a_code_and_the_app_its_tokens(world: World) -> None:
    sid = world.sign_in()
    answer = answer_of(world.authorize())
    assert answer["state"] == "st-1"
    assert answer["iss"] == "http://localhost:8000"
    response = world.exchange(answer["code"])
    assert response.status_code == 200, response.text
    assert response.headers["cache-control"] == "no-store"
    tokens = response.json()
    assert set(tokens) == {"access_token", "token_type", "expires_in", "scope", "id_token", "refresh_token"}
    assert tokens["expires_in"] == 300
    access = claims_of(tokens["access_token"])
    assert access["sub"] == world.ana
    assert access["sid"] == sid
    assert access["provider"] == world.clinic
    assert access["aud"] == access["iss"] == "http://localhost:8000"
    assert access["terms"] == "general:4.1 site:2.0"
    assert access["authz_epoch"] == 1
    identity = claims_of(tokens["id_token"])
    assert identity["aud"] == "claims"
    assert identity["nonce"] == "n-1"
    assert identity["provider_name"] == "Lakeside Clinic"
    assert world.introspect(tokens["access_token"])["active"] is True
    person = world.userinfo(tokens["access_token"])
    assert person.status_code == 200, person.text
    assert person.json() == {
        "sub": world.ana,
        "name": "Ana Ruiz",
        "given_name": "Ana",
        "family_name": "Ruiz",
        "locale": "en",
    }
    again = world.refresh(tokens["refresh_token"])
    assert again.status_code == 200, again.text
    assert "nonce" not in claims_of(again.json()["id_token"])
    assert world.events[-5:] == [
        "oauth.code.issued",
        "oauth.token.issued",
        "oauth.token.introspected",
        "oauth.userinfo.read",
        "oauth.token.refreshed",
    ]


def test_a_service_gets_a_token_for_itself(world: World) -> None:
    response = world.token("service", grant_type="client_credentials", scope="access:evaluate")
    assert response.status_code == 200, response.text
    claims = claims_of(response.json()["access_token"])
    assert claims["sub"] == claims["client_id"] == "service"
    assert claims["scope"] == "access:evaluate"
    assert not {"sid", "provider", "authz_epoch", "terms"} & claims.keys()
    assert "refresh_token" not in response.json()


def test_who_is_not_signed_in_is_led_through_the_steps(world: World) -> None:
    first = signs_in_at(world.authorize())
    assert first.startswith("/sign-in?flow=flw_")
    sid = world.sign_in()
    onward = world.did(first, "sign_in", session_id=sid)
    done = world.http.get(onward)
    assert done.headers["location"].startswith(CALLBACK + "?code=")
    assert world.http.get(onward, headers={"accept": "text/html"}).status_code == 400  # the journey is over
