"""The feed of revocations: in commit order, nothing missed, for entitled apps only (D-5)."""

import time
from collections.abc import Iterator
from threading import Timer
from typing import Any

import pytest
from starlette.testclient import TestClient

from idp import clock
from idp.app import create_app
from idp.audit.checkpoint import make_key
from idp.database import transaction
from idp.oauth import access_tokens, clients
from idp.settings import Settings
from idp.signals import revocations
from idp.web.bearer import memory_of

FEED = "/signals/v1/revocations"


@pytest.fixture
def browser(settings: Settings) -> Iterator[TestClient]:
    make_key(settings.audit_key_file)
    with TestClient(create_app(settings), base_url=settings.issuer) as client:
        yield client


@pytest.fixture
def reader(browser: TestClient) -> Any:
    """Ask the feed as a service with the scope."""
    return _reader(browser, "signals:read")


def _reader(browser: TestClient, scope: str) -> Any:
    service = browser.app.state.service  # type: ignore[attr-defined]
    with transaction(service.database) as db:
        clients.register(db, client_id="claims", grant_types=["client_credentials"], scopes=[scope])

    async def token() -> str:
        picture = await memory_of(service).recent(service.lane)
        facts = picture.clients["claims"]
        made, _ = access_tokens.mint(
            picture,
            service.settings.issuer,
            facts,
            subject="claims",
            audience=service.settings.issuer,
            scope=scope,
            now=clock.now(),
            jti=access_tokens.new_jti(),
        )
        return made

    assert browser.portal is not None
    headers = {"Authorization": f"Bearer {browser.portal.call(token)}"}

    def ask(query: str = "") -> Any:
        return browser.get(FEED + query, headers=headers)

    def announce(count: int = 1) -> None:
        with transaction(service.database) as db:
            for n in range(count):
                revocations.announce(db, "session_ended", reason="left", account_id=f"acc_{n}", session_id=f"ses_{n}")

    ask.announce = announce  # type: ignore[attr-defined]
    ask.headers = headers  # type: ignore[attr-defined]
    return ask


def test_d5_a_reader_after_n_gets_everything_after_n_in_order(reader: Any) -> None:
    reader.announce(5)
    first = reader("?after=0&limit=3").json()
    assert [entry["seq"] for entry in first["revocations"]] == [1, 2, 3]
    assert (first["last"], first["more"]) == (3, True)
    rest = reader(f"?after={first['last']}").json()
    assert [entry["seq"] for entry in rest["revocations"]] == [4, 5]
    assert rest["more"] is False
    assert reader("?after=5").json() == {"revocations": [], "last": 5, "more": False}
    entry = first["revocations"][0]
    assert entry["kind"] == "session_ended"
    assert entry["session_id"] == "ses_0"
    assert entry["authz_epoch"] == 1
    assert "provider_id" not in entry


def test_d5_a_new_reader_starts_where_tokens_may_still_live(reader: Any) -> None:
    assert reader().json() == {"revocations": [], "last": 0, "more": False}
    reader.announce(2)
    assert [entry["seq"] for entry in reader().json()["revocations"]] == [1, 2]


def test_d5_a_waiting_reader_hears_at_once(reader: Any) -> None:
    timer = Timer(0.3, reader.announce)
    timer.start()
    begun = time.monotonic()
    answer = reader("?after=0&wait=10").json()
    timer.join()
    assert [entry["seq"] for entry in answer["revocations"]] == [1]
    assert time.monotonic() - begun < 3
    begun = time.monotonic()
    assert reader("?after=1&wait=1").json()["revocations"] == []
    assert 0.8 < time.monotonic() - begun < 3


def test_a_reader_ahead_of_the_feed_is_told_instead_of_missing_everything(reader: Any) -> None:
    answer = reader("?after=9")
    assert answer.status_code == 409
    assert answer.json()["type"].endswith("/ahead_of_feed")


@pytest.mark.parametrize("query", ["?after=-1", "?after=x", "?after=1&after=2", "?limit=0", "?limit=1001", "?since=1"])
def test_security_50_a_query_that_makes_no_sense_is_refused(reader: Any, query: str) -> None:
    assert reader(query).status_code == 422


def test_security_61_the_feed_is_for_tokens_with_its_scope(browser: TestClient) -> None:
    assert browser.get(FEED).status_code == 401
    answer = _reader(browser, "access:search")()
    assert answer.status_code == 403
    assert "insufficient_scope" in answer.headers["www-authenticate"]
