"""The signed feed and its bell at the service: heartbeat, receipts, and that no road forgets to tell."""

import asyncio
import time
from threading import Timer
from typing import Any

import orjson
import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from idp import clock
from idp.database import reading, transaction
from idp.signals import epochs, revocations
from idp.signatures import keys_from_jwks, unverified_header, verify
from tests.signals.test_feed import browser, reader

__all__ = ["browser", "reader"]
FEED = "/signals/v1/feed"
NONCE = "a-nonce-of-the-app-itself"


@pytest.fixture
def ask(browser: TestClient, reader: Any) -> Any:
    """Ask the signed feed and return its proved claims."""
    reader()  # makes the client and its token
    headers = reader.headers
    issuer = browser.app.state.service.settings.issuer  # type: ignore[attr-defined]

    def asking(query: str = "", *, client: str = "claims") -> Any:
        answer = browser.get(f"{FEED}?nonce={NONCE}{query}", headers=headers)
        if answer.status_code != 200:
            return answer
        assert answer.headers["content-type"] == "application/revocations+jwt"
        keys = keys_from_jwks(browser.get("/oauth/jwks").json())
        found = verify(
            answer.text,
            keys,
            algorithms=["ES256"],
            typ="revocations+jwt",
            issuer=issuer,
            audience=client,
            now=clock.now(),
        )
        assert unverified_header(answer.text)["kid"]
        return found

    return asking


def test_se3_an_answer_is_signed_for_the_asker_and_its_question(reader: Any, ask: Any) -> None:
    reader.announce(2)
    said = ask("&after=0")
    assert said["nonce"] == NONCE
    assert (said["after"], said["last"], said["more"]) == (0, 2, False)
    assert [one["session_id"] for one in said["revocations"]] == ["ses_0", "ses_1"]
    assert ask("&after=7")["restart"] is True
    assert "last" not in ask("&after=7")


def test_security_92_the_heartbeat_comes_after_250_ms_and_news_at_once(reader: Any, ask: Any) -> None:
    ask("&after=0&wait_ms=1")
    begun = time.monotonic()
    assert ask("&after=0&wait_ms=250")["revocations"] == []
    assert 0.2 < time.monotonic() - begun < 1.5
    timer = Timer(0.1, reader.announce)
    timer.start()
    begun = time.monotonic()
    said = ask("&after=0&wait_ms=1000")
    timer.join()
    assert [one["seq"] for one in said["revocations"]] == [1]
    assert time.monotonic() - begun < 0.9, "it did not wait for its time to be over"


@pytest.mark.parametrize("engine", ["postgres"], indirect=True)
def test_a_commit_rings_and_nobody_has_to_look(browser: TestClient, reader: Any) -> None:
    """On PostgreSQL the worker listens: with looking made useless, the news still comes at once."""
    service = browser.app.state.service  # type: ignore[attr-defined]

    async def heard() -> float:
        rang = asyncio.Event()
        assert await service.lane.hears("idp_revocations", rang.set)
        rang.clear()
        begun = time.monotonic()
        await asyncio.to_thread(reader.announce)
        async with asyncio.timeout(5):
            await rang.wait()
        return time.monotonic() - begun

    assert browser.portal is not None
    assert browser.portal.call(heard) < 2


def test_se3_asking_on_is_the_receipt(browser: TestClient, reader: Any, ask: Any) -> None:
    database = browser.app.state.service.database  # type: ignore[attr-defined]
    reader.announce(3)
    ask("&after=0&reader=the-first-process-of-the-app")
    ask("&after=3&reader=the-first-process-of-the-app")
    ask("&after=3&reader=the-first-process-of-the-app")
    until = time.monotonic() + 5
    rows: list[Any] = []
    while len(rows) < 2 and time.monotonic() < until:
        time.sleep(0.05)
        with reading(database) as db:
            rows = list(db.execute(text("SELECT client_id, seq FROM feed_receipt ORDER BY seq")))
    assert [tuple(row) for row in rows] == [("claims", 0), ("claims", 3)]


@pytest.mark.parametrize(
    "query", ["&after=-1", "&after=1&after=2", "&wait_ms=1001", "&limit=5", "&reader=short", "&nonce=" + NONCE]
)
def test_security_50_a_question_that_makes_no_sense_is_refused(ask: Any, query: str) -> None:
    assert ask(query).status_code == 422


def test_security_61_the_signed_feed_needs_a_token(browser: TestClient) -> None:
    assert browser.get(f"{FEED}?nonce={NONCE}").status_code == 401


def test_d5_an_epoch_that_rises_is_in_the_feed_whatever_road_raised_it(reader: Any, browser: TestClient) -> None:
    database = browser.app.state.service.database  # type: ignore[attr-defined]
    reader()
    with transaction(database) as db:
        epochs.changed_account(db, "acc_ana", takes_away=True)
        epochs.changed_account(db, "acc_wes", takes_away=True)
        epochs.changed_account(db, "acc_ben")
        revocations.announce(db, "grant_ended", reason="left", account_id="acc_wes", provider_id="prv_x")
    found = reader("?after=0").json()
    assert [(one["kind"], one["account_id"], one["authz_epoch"]) for one in found["revocations"]] == [
        ("grant_ended", "acc_wes", 2),
        ("access_reduced", "acc_ana", 2),
    ]


def test_d5_what_takes_nothing_away_is_not_in_the_feed_but_keeps_its_number(reader: Any, browser: TestClient) -> None:
    database = browser.app.state.service.database  # type: ignore[attr-defined]
    reader.announce()
    with transaction(database) as db:
        revocations.announce(db, "credential_changed", reason="set", account_id="acc_a", facts={"type": "password"})
    assert orjson.loads(reader("?after=1").content) == {"revocations": [], "last": 2, "more": False}


def test_se3_a_reader_told_to_start_anew_has_heard_nothing(browser: TestClient, reader: Any, ask: Any) -> None:
    """A number ahead of the feed is given anew after a restore: it may not prove that somebody heard of it."""
    database = browser.app.state.service.database  # type: ignore[attr-defined]
    reader.announce(3)
    name = "&reader=the-first-process-of-the-app"
    assert ask(f"&after=999999{name}")["restart"] is True
    ask(f"&after=0{name}")
    until = time.monotonic() + 5
    rows: list[Any] = []
    while not rows and time.monotonic() < until:
        time.sleep(0.05)
        with reading(database) as db:
            rows = list(db.execute(text("SELECT seq FROM feed_receipt ORDER BY seq")).scalars())
    assert rows == [0]
