"""What a route receives: the service of this process and one session, committed before the answer leaves."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any

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


def _transaction(request: Request) -> Iterator[Session]:
    with database.transaction(service_of(request).database) as session:
        yield session


# scope="function": the commit happens before the response leaves, not after it (a failed commit answered 200).
Transaction = Annotated[Session, Depends(_transaction, scope="function")]
TheService = Annotated[Service, Depends(service_of)]
