"""The log as it grows, sent to the desk: what comes, who may, for how long, how many."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson
import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from idp.audit import log, origin
from idp.audit.events import Event
from idp.audit.search import Filters
from idp.database import Database, transaction
from idp.errors import TooMany
from idp.web.boundary import Service
from idp.web.desk import tailing
from tests.audit.test_desk_pages import _as, _recorded, desk  # noqa: F401 - the desk's world

SAM = tailing.Watcher("acc_sam", "ses_sam", "prv_insurer")
EVENTS = "/security/tail/events"


def _service(desk: TestClient) -> Service:  # noqa: F811
    service: Service = desk.app.state.service  # type: ignore[attr-defined]
    return service


def _ended(database: Database, provider: str = "prv_lake", reason: str | None = None) -> None:
    with transaction(database) as db, origin.acting_as("acc_wes", provider_id=provider):
        log.record(db, Event("entitlements.grant.ended", account="acc_ana", reason=reason))


async def _next(changes: AsyncIterator[str | None]) -> str:
    async with asyncio.timeout(20):
        async for rows in changes:
            if rows is not None:
                return rows
    raise AssertionError("it ended")


def _in_the_loop(desk: TestClient, work: Callable[[], Any]) -> Any:  # noqa: F811
    assert desk.portal is not None
    return desk.portal.call(work)


def test_se5_new_records_are_sent_with_the_searchs_filters_kept(desk: TestClient, database: Database) -> None:  # noqa: F811
    async def watch() -> None:
        changes = tailing.rows(_service(desk), SAM, Filters(provider="prv_lake", event="entitlements.grant.ended"))
        assert "Nothing yet." in await _next(changes)
        await asyncio.to_thread(_ended, database, "prv_elsewhere")
        await asyncio.to_thread(_ended, database, "prv_lake", "<script>alert(1)</script>")
        rows = await _next(changes)
        assert rows.count("<tr>") == 1
        assert "Access was removed" in rows
        assert "&lt;script&gt;" in rows
        await changes.aclose()  # type: ignore[attr-defined]
        assert not tailing._open(_service(desk))

    _in_the_loop(desk, watch)


@pytest.mark.parametrize(
    "taken",
    [
        "UPDATE session SET ended_at = 1 WHERE id = 'ses_sam'",
        "UPDATE \"grant\" SET ended_at = 1 WHERE account_id = 'acc_sam' AND entitlement = 'audit.search'",
        "UPDATE account SET status = 'suspended' WHERE id = 'acc_sam'",
    ],
)
def test_security_79_who_loses_session_right_or_account_is_sent_nothing_more(
    desk: TestClient,  # noqa: F811
    database: Database,
    taken: str,
) -> None:
    async def watch() -> None:
        changes = tailing.rows(_service(desk), SAM, Filters())
        await _next(changes)

        def take() -> None:
            with transaction(database) as db:
                assert db.execute(text(taken)).rowcount == 1  # type: ignore[attr-defined]
            _ended(database)

        await asyncio.to_thread(take)
        async with asyncio.timeout(20):
            assert [rows async for rows in changes] == []

    _in_the_loop(desk, watch)


def test_se5_the_stream_ends_by_itself_is_counted_and_recorded_once(
    desk: TestClient,  # noqa: F811
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tailing, "LASTS", 0.05)
    assert 'data-events="/security/tail/events?provider=prv_lake"' in desk.get("/security/tail?provider=prv_lake").text
    answer = desk.get(f"{EVENTS}?provider=prv_lake")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-store"
    first, *_, last, rest = answer.text.split("\n\n")
    kind, data = first.split("\n")
    assert kind == "event: rows"
    assert "Access was given" in orjson.loads(data.removeprefix("data: "))
    assert last.startswith("event: over")
    assert rest == ""
    assert len(_recorded(database, "audit.log.watched")) == 1  # the page and its stream are one watching
    desk.get(EVENTS)
    assert len(_recorded(database, "audit.log.watched")) == 2  # another search is another one
    service = _service(desk)
    tailing._open(service)["ses_sam"] = tailing.EACH
    assert desk.get(EVENTS).status_code == 429
    tailing._open(service).clear()
    tailing._open(service)["ses_of_others"] = tailing.ALL
    with pytest.raises(TooMany):
        tailing.room(service, SAM)
    tailing._open(service).clear()
    assert desk.get(f"{EVENTS}?until=2026-11-21T09:00Z").status_code == 422
    service.parts["stopping"] = True
    assert desk.get(EVENTS).text.startswith("event: over")


def test_security_79_the_stream_is_for_the_desk_only(desk: TestClient) -> None:  # noqa: F811
    _as(desk, "ana")
    assert desk.get(EVENTS).status_code == 404
    _as(desk, None)
    assert desk.get(EVENTS).status_code in (302, 303, 307, 401)
