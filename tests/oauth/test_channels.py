"""Channels: enabled at all, per app and per organisation; carried in token and log; native apps (T-29)."""

from typing import Any

import pytest

from idp.configuration import ConfigurationRow
from idp.database import transaction
from idp.providers import organisations
from idp.signals import epochs
from tests.oauth.world import VERIFIER, World, answer_of, claims_of

PHONE = "https://app.claims.example/signed-in"
LOOPBACK = "http://127.0.0.1/callback"


@pytest.fixture
def phone(world: World) -> World:
    """A native app: a claimed https address and loopback, no secret, PKCE (RFC 8252)."""
    world.client(
        "phone", channel="mobile", auth_method="none", redirect_uris=[PHONE, LOOPBACK, "http://[::1]/callback"]
    )
    world.sign_in()
    return world


def only(world: World, *channels: str) -> None:
    """Open just these channels to the clinic."""
    with transaction(world.database) as db:
        organisations.change(db, organisations.find(db, world.clinic), channels=list(channels))


def spend(world: World, code: str, address: str, verifier: str = VERIFIER) -> Any:
    """Spend a code as an app without a secret does."""
    form = {"grant_type": "authorization_code", "client_id": "phone", "code": code, "redirect_uri": address}
    return world.http.post("/oauth/token", data={**form, "code_verifier": verifier})


def signed_in(world: World, address: str) -> dict[str, str]:
    code = world.code(client_id="phone", redirect_uri=address)
    response = spend(world, code, address)
    assert response.status_code == 200, response.text
    return dict(response.json())


@pytest.mark.parametrize("address", [PHONE, "http://127.0.0.1:51004/callback", "http://[::1]:8/callback", LOOPBACK])
def test_t29_a_native_app_signs_in_by_claimed_https_or_any_loopback_port(phone: World, address: str) -> None:
    claims = claims_of(signed_in(phone, address)["access_token"])
    assert claims["channel"] == "mobile"
    channels = phone.run("SELECT leaf FROM audit_record WHERE event = 'oauth.token.issued' ORDER BY seq DESC LIMIT 1")
    assert b'"channel":"mobile"' in bytes(channels[0][0])


@pytest.mark.parametrize(
    "address",
    [
        "http://localhost:51004/callback",  # RFC 8252 8.3: the name may lead elsewhere
        "http://127.0.0.2:51004/callback",
        "http://127.0.0.1:51004/callback/",
        "http://127.0.0.1:51004/callback?x=1",
        "http://u@127.0.0.1:51004/callback",
        "https://127.0.0.1:51004/callback",
        PHONE + "/",
        "http://app.claims.example/signed-in",
    ],
)
def test_t29_no_other_address_of_a_native_app_is_sent_to(phone: World, address: str) -> None:
    response = phone.authorize(client_id="phone", redirect_uri=address)
    assert response.status_code == 400
    assert "location" not in response.headers


def test_rfc_7636_a_native_app_gets_nothing_without_its_verifier(phone: World) -> None:
    code = phone.code(client_id="phone", redirect_uri=PHONE)
    wrong = spend(phone, code, PHONE, "w" * 64)
    assert wrong.json()["error"] == "invalid_grant"


def test_t29_a_channel_that_is_not_enabled_is_refused_before_anybody_signs_in(phone: World) -> None:
    with transaction(phone.database) as db:
        db.merge(ConfigurationRow(id=1, body='{"channels": ["site"]}'))
        epochs.changed_policy(db)
    answer = answer_of(phone.authorize(client_id="phone", redirect_uri=PHONE))
    assert (answer["error"], answer["error_description"]) == ("unauthorized_client", "channel_not_enabled")
    assert "code" in answer_of(phone.authorize()), "the site goes on"


def test_t29_a_channel_closed_to_the_organisation_is_refused_to_its_people(phone: World) -> None:
    only(phone, "site")
    for more in ({}, {"acting_for": phone.clinic}):
        answer = answer_of(phone.authorize(client_id="phone", redirect_uri=PHONE, **more))
        assert (answer["error"], answer["error_description"]) == ("access_denied", "channel_not_enabled")
    assert "code" in answer_of(phone.authorize())


def test_t29_closing_a_channel_ends_what_its_tokens_are_good_for_and_tells_the_apps(phone: World) -> None:
    token = signed_in(phone, PHONE)["access_token"]
    assert phone.userinfo(token).status_code == 200
    only(phone, "site")
    assert phone.userinfo(token).status_code == 401
    news = phone.run("SELECT kind, reason, provider_id FROM revocation")
    assert [tuple(row) for row in news] == [("portal_closed", "channel_not_enabled", phone.clinic)]
    only(phone, "site", "mobile")
    assert phone.userinfo(token).status_code == 200


def test_t29_a_channel_nobody_knows_cannot_be_opened(world: World) -> None:
    from idp.errors import Invalid

    with pytest.raises(Invalid), transaction(world.database) as db:
        organisations.change(db, organisations.find(db, world.clinic), channels=["fax"])
    assert world.run("SELECT channels FROM provider WHERE id = :p", p=world.clinic)[0][0] is None
