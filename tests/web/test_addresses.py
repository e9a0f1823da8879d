"""The service's own addresses: the front door, what is not there, and what is too large to take in."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from idp import metrics
from idp.app import create_app
from idp.settings import Settings


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(settings), base_url=settings.issuer, follow_redirects=False) as made:
        yield made


def test_who_comes_to_the_front_door_is_led_to_their_home_page(client: TestClient) -> None:
    page = client.get("/", headers={"accept": "text/html"})
    assert (page.status_code, page.headers["location"]) == (303, "/account")
    assert client.get("/account", headers={"accept": "text/html"}).headers["location"].startswith("/sign-in")


@pytest.mark.parametrize("path", ["/sign-in/", "/oauth/token/", "/login/ups_x/?code=secret", "/account/"])
def test_security_83_no_address_is_guessed_and_nothing_sent_is_carried_elsewhere(client: TestClient, path: str) -> None:
    for answer in (client.get(path), client.post(path, data={"client_secret": "secret"})):
        assert answer.status_code in (404, 405), answer.headers.get("location")
        assert "location" not in answer.headers


@pytest.mark.parametrize("path", ["/oauth/token", "/sign-in"])
def test_security_83_a_body_too_large_in_pieces_is_refused_and_counted_as_the_callers_fault(
    client: TestClient, path: str
) -> None:
    def count(status: int) -> float:
        return float(metrics.REQUESTS.labels("POST", path, status)._value.get())

    before = count(413), count(500)
    pieces = (b"a" * 65_536 for _ in range(32))
    answer = client.post(path, content=pieces, headers={"content-type": "application/x-www-form-urlencoded"})
    assert answer.status_code == 413
    assert (count(413), count(500)) == (before[0] + 1, before[1])


def test_rfc_7617_a_client_that_fails_is_told_the_realm(client: TestClient) -> None:
    answer = client.post("/oauth/token", data={"grant_type": "client_credentials"}, auth=("nobody", "wrong"))
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith('Basic realm="clients", error="invalid_client"')


def test_security_83_headers_too_large_together_are_refused(client: TestClient) -> None:
    assert client.get("/healthz", headers={"cookie": "a=" + "b" * 40_000}).status_code == 200
    assert client.get("/healthz", headers={"cookie": "a=" + "b" * 64_000}).status_code == 431
    many = [(f"x-{n}", "v" * 100) for n in range(700)]
    assert client.get("/healthz", headers=many).status_code == 431
