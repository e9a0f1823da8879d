"""What a route receives: the service of this process and one session, committed before the answer leaves."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any

from anyio import CancelScope, CapacityLimiter, to_thread
from fastapi import Depends, Request
from sqlmodel import Session

from idp import database
from idp.database import Database
from idp.database.lane import Lane
from idp.settings import Settings


@dataclass
class Service:
    """What this process runs on; made once by create_app, kept on `app.state.service`."""

    settings: Settings
    database: Database
    lane: Lane = field(init=False)
    """Opened when the event loop runs."""
    parts: dict[str, Any] = field(default_factory=dict)
    """Long-lived objects of single areas (key set, client memory, decision memo), by area name."""


def service_of(request: Request) -> Service:
    """Return the service a request arrived at."""
    service: Service = request.app.state.service
    return service


async def _transaction(request: Request) -> AsyncIterator[Session]:
    """Open a session for the route, and commit in a thread; opening it asks no database, so it needs none.

    A limiter of its own for each, and a shield: a commit must not wait behind routes that wait for a connection.
    """
    opened = database.transaction(service_of(request).database)
    request.state.db = session = opened.__enter__()
    try:
        yield session
    except BaseException as problem:
        request.state.db = None  # what refusals show is read in a session of its own
        leave = partial(opened.__exit__, type(problem), problem, problem.__traceback__)
        with CancelScope(shield=True):
            handled = await to_thread.run_sync(leave, limiter=CapacityLimiter(1))
        if not handled:
            raise
    else:
        request.state.db = None
        with CancelScope(shield=True):
            await to_thread.run_sync(opened.__exit__, None, None, None, limiter=CapacityLimiter(1))


async def _service(request: Request) -> Service:  # async: a plain function would be called in a thread
    return service_of(request)


# scope="function": the commit happens before the response leaves, not after it (a failed commit answered 200).
Transaction = Annotated[Session, Depends(_transaction, scope="function")]
TheService = Annotated[Service, Depends(_service)]
