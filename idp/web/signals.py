"""The machines' lane: the feed of revocations (decisions.md 3, D-5).

`GET /signals/v1/revocations?after=N&limit=500&wait=5`, bearer scope `signals:read`. The answer:
`{"revocations": [...], "last": N, "more": false}`. Numbers rise in commit order without gaps, so a reader
who asks "after the last number I saw" misses nothing. Without `after` it starts 15 minutes back, longer
than any access token lives. `wait` holds the answer back until there is something, at most so many seconds.

Each entry: `seq`, `kind`, `at` (RFC 3339), `reason`, and where they apply `account_id`, `session_id`,
`family_id`, `token_id`, `provider_id`, `authz_epoch`. What a reader does with it:

| kind | an app |
|---|---|
| session_ended | ends its session with this `session_id` |
| grant_ended, grant_suspended, affiliation_ended | refuses tokens of `account_id` whose epoch is below `authz_epoch` |
| family_ended | refuses tokens whose `jti` begins with `family_id` and a dot; the person may sign in again at once |
| token_revoked | refuses the one token whose `jti` is `token_id`; names no person and no session |
| account_ended | ends every session of `account_id` |
| partner_suspended, provider_suspended, portal_closed | asks for decisions anew; ended sessions have their own entry |

A kind an app does not know: treat `account_id` and `session_id` as ended.
"""

import asyncio
from contextlib import suppress
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from idp import clock
from idp.database.lane import Lane, Sql
from idp.errors import Conflict, Invalid, Unavailable
from idp.web.bearer import bearer
from idp.web.boundary import Service

LIMIT, MOST = 500, 1000
LONGEST_WAIT = 10.0
"""Seconds; shorter than what a stopping worker gives its requests."""
LOOK_BACK = 15 * 60 * 1_000_000
"""Microseconds a reader without a number is given."""
_EVERY = 0.05
_WAITING_MOST = 2000

_NEWEST = Sql("SELECT seq FROM revocation_counter")
_AFTER = Sql(
    "SELECT seq, kind, account_id, session_id, family_id, token_id, provider_id, authz_epoch, reason, at "
    "FROM revocation "
    "WHERE seq > $1 ORDER BY seq LIMIT $2"
)
_RECENT = Sql(
    "SELECT min(seq) FROM (SELECT seq, at FROM revocation ORDER BY seq DESC LIMIT 100000) AS newest WHERE at >= $1"
)


def routes(service: Service) -> list[BaseRoute]:
    """Return the routes of this part of the lane."""

    async def revocations(request: Request) -> Response:
        await bearer(service, request, "signals:read")
        after, limit, wait = _asked(request)
        watch = _watch_of(service)
        newest = await watch.look()
        if after is None:
            [(first,)] = await service.lane.fetch(_RECENT, clock.micros(clock.now()) - LOOK_BACK)
            after = int(first) - 1 if first is not None else newest
        if after > newest:
            raise Conflict(
                f"This feed ends at {newest}, so number {after} is not from it. Start again without `after`.",
                code="ahead_of_feed",
            )
        if wait and after >= newest:
            await watch.beyond(after, wait)
        rows = await service.lane.fetch(_AFTER, after, limit + 1)
        entries = [_entry(row) for row in rows[:limit]]
        body = {
            "revocations": entries,
            "last": entries[-1]["seq"] if entries else after,
            "more": len(rows) > limit,
        }
        return Response(orjson.dumps(body), media_type="application/json")

    return [Route("/signals/v1/revocations", revocations, methods=["GET"])]


def _asked(request: Request) -> tuple[int | None, int, float]:
    """Read the query; raise Invalid for what is unknown, repeated or out of range."""
    fields: dict[str, str] = {}
    found: dict[str, int] = {}
    bounds = {"after": (0, 2**62), "limit": (1, MOST), "wait": (0, int(LONGEST_WAIT))}
    for name, value in request.query_params.multi_items():
        low, high = bounds.get(name, (0, -1))
        if name not in bounds:
            fields[name] = "There is no such parameter."
        elif name in found:
            fields[name] = "Send it once."
        elif not (value.isascii() and value.isdigit() and len(value) < 20 and low <= int(value) <= high):
            fields[name] = f"Send a whole number from {low} to {high}."
        else:
            found[name] = int(value)
    if fields:
        raise Invalid("The query could not be understood.", fields=fields)
    return found.get("after"), found.get("limit", LIMIT), float(found.get("wait", 0))


def _entry(row: Any) -> dict[str, Any]:
    seq, kind, account, session, family, token, provider, epoch, reason, at = row
    entry = {
        "seq": seq,
        "kind": kind,
        "at": clock.iso(clock.from_micros(at)),
        "reason": reason,
        "account_id": account,
        "session_id": session,
        "family_id": family,
        "token_id": token,
        "provider_id": provider,
        "authz_epoch": epoch,
    }
    return {name: value for name, value in entry.items() if value is not None}


class Watch:
    """One look at the counter for all waiting readers of this worker, 20 times a second while any waits."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self._newest = 0
        self._waiting = 0
        self._rang = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def look(self) -> int:
        """Return the newest number."""
        [(newest,)] = await self._lane.fetch(_NEWEST)
        if newest != self._newest:
            self._newest = int(newest)
            self._rang.set()
            self._rang = asyncio.Event()
        return self._newest

    async def beyond(self, number: int, seconds: float) -> None:
        """Return once there is something after the number, or when the time is over."""
        if self._waiting >= _WAITING_MOST:
            return
        self._waiting += 1
        try:
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._run(), name="signals-watch")
            async with asyncio.timeout(seconds):
                while self._newest <= number:
                    await self._rang.wait()
        except TimeoutError:
            return
        finally:
            self._waiting -= 1

    async def _run(self) -> None:
        while self._waiting:
            with suppress(Unavailable):  # those who wait ask the database themselves when their time is over
                await self.look()
            await asyncio.sleep(_EVERY)


def _watch_of(service: Service) -> Watch:
    watch = service.parts.get("signals")
    if watch is None:
        watch = service.parts["signals"] = Watch(service.lane)
    assert isinstance(watch, Watch)
    return watch
