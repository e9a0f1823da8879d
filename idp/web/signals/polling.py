"""Security events for receivers that fetch them (RFC 8936)."""

import asyncio
from typing import Any

from sqlmodel import Session as Db
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from idp.transmitter import polling, streams
from idp.web.bearer import bearer
from idp.web.boundary import Service
from idp.web.signals.asked import Malformed, answer, body_of, in_transaction, own

LONGEST_WAIT = 8.0
"""Seconds an empty answer is held back where the receiver does not ask for it at once."""
_EVERY = 0.25
_WAITING_MOST = 200
"""Receivers of this worker that may wait at the same time; more are answered at once."""


def routes(service: Service) -> list[BaseRoute]:
    """Return the routes of this part of the lane."""
    waiting = 0

    async def poll(request: Request) -> Response:
        nonlocal waiting
        client = own(await bearer(service, request, "signals:read"))
        stream_id = str(request.path_params["stream_id"])
        body = await body_of(request, empty=True)
        most, at_once, acknowledged, refused = _asked(body)

        def fetched(db: Db, *, settle: bool) -> tuple[dict[str, str], bool]:
            stream = streams.find(db, client, stream_id)
            if settle:
                polling.settle(db, stream, acknowledged, refused)
            return polling.waiting(db, stream, most) if most else ({}, False)

        sets, more = await in_transaction(service, lambda db: fetched(db, settle=True))
        if sets or at_once or not most or waiting >= _WAITING_MOST:
            return answer({"sets": sets, "moreAvailable": more})
        waiting += 1
        try:
            until = asyncio.get_running_loop().time() + LONGEST_WAIT
            while not sets and asyncio.get_running_loop().time() < until and not await request.is_disconnected():
                await asyncio.sleep(_EVERY)
                sets, more = await in_transaction(service, lambda db: fetched(db, settle=False))
        finally:
            waiting -= 1
        return answer({"sets": sets, "moreAvailable": more})

    return [Route("/signals/v1/poll/{stream_id}", poll, methods=["POST"])]


def _asked(body: dict[str, Any]) -> tuple[int, bool, list[str], dict[str, str]]:
    """Return how many are wanted, whether at once, what is acknowledged and what refused; raise Malformed."""
    most, at_once = body.get("maxEvents", polling.MOST), body.get("returnImmediately", False)
    acknowledged, refused = body.get("ack", []), body.get("setErrs", {})
    if type(most) is not int or most < 0 or type(at_once) is not bool:
        raise Malformed("maxEvents is a whole number and returnImmediately true or false.")
    if not isinstance(acknowledged, list) or not all(isinstance(one, str) for one in acknowledged):
        raise Malformed("ack is a list of ids.")
    if not isinstance(refused, dict) or not all(isinstance(one, dict) for one in refused.values()):
        raise Malformed("setErrs maps ids to errors.")
    if len(acknowledged) + len(refused) > 1000:
        raise Malformed("Settle at most 1000 events at once.")
    errors = {jti: str(one.get("err", ""))[:60] for jti, one in refused.items()}
    return min(most, polling.MOST), at_once, acknowledged, errors
