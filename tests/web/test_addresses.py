"""The service's own addresses: the front door, what is not there, and what is too large to take in."""

import gzip
import html
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import event
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


FORM = {"content-type": "application/x-www-form-urlencoded"}
Sent = tuple[str, str, dict[str, str], bytes | None]
TURNED_AWAY: tuple[tuple[int, Sent, str], ...] = (
    (400, ("GET", "/login/a%00b", {}, b""), "character"),
    (400, ("GET", "/sign-in?flow=%00", {}, b""), "character"),
    (413, ("POST", "/sign-in", FORM, b"a=" + b"b" * 70_000), "too large"),
    (413, ("POST", "/sign-in", FORM, None), "too large"),  # in pieces, without a length
    (415, ("POST", "/sign-in", {**FORM, "content-encoding": "gzip"}, b"\x1f\x8b\x08"), "compressed"),
    (431, ("GET", "/sign-in", {"cookie": "a=" + "b" * 64_000}, b""), "headers"),
)


def _sent(client: TestClient, accept: str, sent: Sent) -> Any:
    method, path, headers, body = sent
    content = body if body is not None else (b"a" * 65_536 for _ in range(3))
    return client.request(method, path, headers={**headers, "accept": accept}, content=content)


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_security_83_who_asks_for_a_page_is_turned_away_with_a_page_and_a_machine_with_json(client: TestClient) -> None:
    for status, sent, why in TURNED_AWAY:
        page = _sent(client, "text/html", sent)
        assert (page.status_code, page.headers["content-type"]) == (status, "text/html; charset=utf-8"), sent
        assert "We can't take in what was sent" in html.unescape(page.text)
        assert why in page.text
        assert page.headers["x-request-id"] in page.text
        assert "\x00" not in page.text
        machine = _sent(client, "application/json", sent)
        assert (machine.status_code, machine.headers["content-type"]) == (status, "application/problem+json"), sent
        assert why in machine.json()["detail"]
        for answer in (page, machine):
            assert answer.headers["cache-control"] == "no-store"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert "script-src 'self'" in answer.headers["content-security-policy"]
            assert "<script>" not in answer.text


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize("named", [["gzip"], ["identity, br"], ["gzip", "identity"], ["x"]])
@pytest.mark.parametrize("path", ["/oauth/token", "/oauth/introspect", "/access/v1/evaluation", "/scim/v2/Users"])
def test_rfc_9110_15_5_16_a_body_in_another_coding_is_refused_not_read_as_something_else(
    client: TestClient, path: str, named: list[str]
) -> None:
    headers = [*FORM.items(), *(("content-encoding", one) for one in named)]
    answer = client.post(path, content=gzip.compress(b"grant_type=client_credentials"), headers=headers)
    assert (answer.status_code, answer.headers["accept-encoding"]) == (415, "identity")
    told = answer.json()
    assert "Content-Encoding" in told.get("error_description", told.get("detail"))
    assert not path.startswith("/oauth/") or told["error"] == "invalid_request"


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_rfc_9110_8_4_a_body_named_as_it_is_is_read(client: TestClient) -> None:
    headers = {**FORM, "content-encoding": "Identity"}
    answer = client.post("/oauth/token", content=b"grant_type=nothing", headers=headers)
    assert answer.json()["error"] == "unsupported_grant_type"
    assert client.get("/healthz", headers={"content-encoding": "gzip"}).status_code == 200  # nothing to read


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_security_89_who_is_turned_away_costs_no_look_at_the_database(client: TestClient) -> None:
    looked: list[object] = []
    event.listen(client.app.state.service.database.engine, "checkout", lambda *_: looked.append(1))  # type: ignore[attr-defined]
    for status, sent, _why in TURNED_AWAY:
        assert _sent(client, "text/html", sent).status_code == status
    assert looked == []
    client.get("/nowhere", headers={"accept": "text/html"})
    assert looked  # as other refusals do


def test_rfc_7617_a_client_that_fails_is_told_the_realm(client: TestClient) -> None:
    answer = client.post("/oauth/token", data={"grant_type": "client_credentials"}, auth=("nobody", "wrong"))
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith('Basic realm="clients", error="invalid_client"')


def test_security_83_headers_too_large_together_are_refused(client: TestClient) -> None:
    assert client.get("/healthz", headers={"cookie": "a=" + "b" * 40_000}).status_code == 200
    assert client.get("/healthz", headers={"cookie": "a=" + "b" * 64_000}).status_code == 431
    many = [(f"x-{n}", "v" * 100) for n in range(700)]
    assert client.get("/healthz", headers=many).status_code == 431


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_rfc_9110_9_3_2_head_is_answered_wherever_get_is_with_its_fields_and_no_content(client: TestClient) -> None:
    for path in (
        "/",
        "/sign-in",
        "/.well-known/openid-configuration",
        "/healthz",
        "/account",
        "/not/there",
        "/p/prv_x",
    ):
        for accept in ("text/html", "application/json"):
            got = client.get(path, headers={"accept": accept})
            head = client.head(path, headers={"accept": accept})
            assert head.status_code == got.status_code, path
            assert head.content == b"", path
            told = ("content-type", "location", "cache-control", "www-authenticate")
            assert [head.headers.get(n, "").partition("?")[0] for n in told] == [
                got.headers.get(n, "").partition("?")[0] for n in told
            ], path
    assert client.head("/oauth/token").status_code == 405
    assert client.head("/oauth/token").headers["allow"] == "POST"
    assert client.put("/sign-in").headers["allow"] == "GET, HEAD"
    assert client.put("/oauth/jwks").headers["allow"] == "GET, HEAD"
