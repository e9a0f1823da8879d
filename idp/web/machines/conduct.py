"""One request of the lane: load, decide on what was loaded, commit, answer; again when the world moved."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial

import orjson
from starlette.requests import Request
from starlette.responses import Response

from idp import clock
from idp.audit import log, origin
from idp.audit.events import Event
from idp.database.lane import Stale
from idp.errors import OAuthRefused, Unavailable
from idp.oauth.desk import Asked, Desk, Late, client_of
from idp.oauth.server import Answer
from idp.oauth.status_list.allotment import Unallotted
from idp.web.bearer import memory_of
from idp.web.boundary import Service
from idp.web.machines.allotting import allotments_of

TRIES = 4
Load = Callable[[Desk, dict[str, str]], Awaitable[int | None]]
"""Fills `desk.loaded`; returns the policy epoch its statement saw, None when it read nothing."""
Run = Callable[[Asked], Answer]


async def conduct(service: Service, request: Request, form: dict[str, str], load: Load, run: Run) -> Response:
    """Answer one request; what it rests on is checked in its own commit."""
    memory, allotments = memory_of(service), allotments_of(service)
    picture = await memory.picture(service.lane)
    tries = 0
    while tries < TRIES:
        now = clock.now()
        desk = Desk(picture, service.settings.issuer, now, partial(_row, service, now), recall=tries == 0)
        tries += 1
        desk.allotments = allotments
        epoch = await load(desk, form)
        if epoch is not None and epoch != picture.epoch:
            picture = await memory.renew(service.lane, picture.epoch)
            continue
        asked = Asked(desk, request.method, request.scope["path"], form, request.headers)
        try:
            answer = run(asked)
        except Unallotted as without:  # who asks has proved to be this client by now
            await allotments.lease(service.lane, without.client_id, now)
            tries -= 1  # nothing changed; of many who wait, each block leased serves some
            continue
        if asked.client is not None:
            name = client_of(asked).client_id
            origin.narrow(client_id=name, actor_id=name)
        if answer.error is not None:
            if epoch is None and await memory.epoch(service.lane) != picture.epoch:
                picture = await memory.renew(service.lane, picture.epoch)
                continue
            _note_refusal(desk, asked, answer)
        try:
            late = await desk.commit(service.lane)
        except Stale:
            if await memory.epoch(service.lane) != picture.epoch:
                picture = await memory.renew(service.lane, picture.epoch)
            continue
        if isinstance(late, Late):
            status = 401 if late.error == "invalid_client" else 400
            raise OAuthRefused(late.error, late.detail, status=status)
        return respond(answer)
    raise Unavailable("The configuration is changing. Try again in a moment.")


def respond(answer: Answer) -> Response:
    """Turn the framework's answer into a response."""
    headers = {name: value for name, value in answer.headers if name != "Content-Type"}
    challenge = headers.get("WWW-Authenticate", "")
    if challenge.startswith("Basic ") and "realm=" not in challenge:  # RFC 7617 2
        headers["WWW-Authenticate"] = f'Basic realm="clients", {challenge.removeprefix("Basic ")}'
    return Response(orjson.dumps(answer.body), answer.status, headers, "application/json")


def _row(service: Service, now: datetime, event: Event) -> tuple[object, ...]:
    return log.machine_row(service.database, event, now)


def _note_refusal(desk: Desk, asked: Asked, answer: Answer) -> None:
    """Record a refusal that says something about a client or a person; nonsense from strangers is not kept."""
    if answer.error not in ("invalid_client", "invalid_grant", "unauthorized_client"):
        return
    client = client_of(asked).client_id if asked.client is not None else None
    ground = desk.loaded if hasattr(desk.loaded, "standing") else None
    desk.events.append(
        Event(
            "oauth.token.refused",
            account=ground.standing.account_id if ground else None,
            client=client or asked.form.get("client_id", "")[:100] or None,
            outcome="refused",
            reason=answer.error,
            details={"why": str(answer.body.get("error_description", ""))[:200], "at": asked.uri[len(desk.issuer) :]},
        )
    )
