"""The feed of revocations (decisions.md 3, D-5).

`GET /signals/v1/revocations?after=N&limit=500&wait=5`, bearer scope `signals:read`. The answer:
`{"revocations": [...], "last": N, "more": false}`. Numbers rise in commit order, so a reader who asks "after
`last`" misses nothing (a number may be left out: changes that take nothing away are told as signals only).
Without `after` it starts 15 minutes back, longer than any access token lives. `wait` holds the answer back until
there is something, at most so many seconds.

Each entry: `seq`, `kind`, `at` (RFC 3339), `reason`, and where they apply `account_id`, `session_id`,
`family_id`, `token_id`, `provider_id`, `authz_epoch`. What a reader does with it:

| kind | an app |
|---|---|
| session_ended | ends its session with this `session_id` |
| grant_ended, grant_suspended, affiliation_ended | refuses tokens of `account_id` whose epoch is below `authz_epoch` |
| family_ended | refuses tokens whose `jti` begins with `family_id` and a dot; the person may sign in again at once |
| token_revoked | refuses the one token whose `jti` is `token_id`; names no person and no session |
| account_ended | ends every session of `account_id` |
| access_reduced | as for grant_ended |
| provider_suspended, portal_closed, agreement_ended, delegation_ended | asks the service about older tokens of it |
| client_suspended | asks the service (introspection) about older tokens that `client_id` got |
| partner_suspended | asks for decisions anew; ended sessions and apps have their own entries |

A kind an app does not know: treat `account_id` and `session_id` as ended.
"""

from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from idp import clock
from idp.database.lane import Sql
from idp.errors import Conflict, Invalid
from idp.web.bearer import bearer
from idp.web.boundary import Service
from idp.web.signals.watch import watch_of

LIMIT, MOST = 500, 1000
LONGEST_WAIT = 10.0
"""Seconds; shorter than what a stopping worker gives its requests."""
LOOK_BACK = 15 * 60 * 1_000_000
"""Microseconds a reader without a number is given."""
_AFTER = Sql(
    "SELECT seq, kind, account_id, session_id, family_id, token_id, provider_id, client_id, authz_epoch, reason, at "
    "FROM revocation WHERE seq > $1 AND kind NOT IN ('credential_changed', 'assurance_changed') ORDER BY seq LIMIT $2"
)
_RECENT = Sql(
    "SELECT min(seq) FROM (SELECT seq, at FROM revocation ORDER BY seq DESC LIMIT 100000) AS newest WHERE at >= $1"
)


def routes(service: Service) -> list[BaseRoute]:
    """Return the routes of this part of the lane."""

    async def revocations(request: Request) -> Response:
        await bearer(service, request, "signals:read")
        after, limit, wait = _asked(request)
        page = await read(service, after, limit, wait)
        if page is None:
            raise Conflict(
                f"This feed ends before number {after}, so that number is not from it. Start again without `after`.",
                code="ahead_of_feed",
            )
        body = {"revocations": page.entries, "last": page.last, "more": page.more}
        return Response(orjson.dumps(body), media_type="application/json")

    return [Route("/signals/v1/revocations", revocations, methods=["GET"])]


@dataclass(frozen=True, slots=True)
class Page:
    """What comes after a number: entries, the number to ask on from, and whether more waits."""

    entries: list[dict[str, Any]]
    last: int
    more: bool
    newest: int


async def read(service: Service, after: int | None, limit: int, wait: float) -> Page | None:
    """Return what was taken away after a number, at most `wait` seconds later; None when the feed ends before it.

    Everything committed before this was called is in the answer (or `more` is true): the newest number is read
    here, from the database, and never remembered from before.
    """
    watch = watch_of(service)
    newest = await watch.look()
    if after is None:
        [(first,)] = await service.lane.fetch(_RECENT, clock.micros(clock.now()) - LOOK_BACK)
        after = int(first) - 1 if first is not None else newest
    if after > newest:
        return None
    if wait and after >= newest:
        await watch.beyond(after, wait)
        newest = await watch.look()
    rows = await service.lane.fetch(_AFTER, after, limit + 1)
    more = len(rows) > limit
    entries = [entry(row) for row in rows[:limit]]
    # What only signals tell has a number too, and is passed over.
    last = entries[-1]["seq"] if more else max(newest, entries[-1]["seq"] if entries else after)
    return Page(entries, last, more, newest)


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


def entry(row: Any) -> dict[str, Any]:
    """Return one revocation as apps see it."""
    seq, kind, account, session, family, token, provider, client, epoch, reason, at = row
    shown = {
        "seq": seq,
        "kind": kind,
        "at": clock.iso(clock.from_micros(at)),
        "reason": reason,
        "account_id": account,
        "session_id": session,
        "family_id": family,
        "token_id": token,
        "provider_id": provider,
        "client_id": client,
        "authz_epoch": epoch,
    }
    return {name: value for name, value in shown.items() if value is not None}
