"""Who, where and on which channel: set at the edge, so domain signatures stay about the domain."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a record comes from; the middleware fills the network half, guards the person half."""

    request_id: str | None = None
    address: str | None = None
    user_agent: str | None = None
    actor_id: str | None = None
    """Account that acts; a client id for services, `system` for jobs, `operator` for the command line."""
    provider_id: str | None = None
    client_id: str | None = None
    channel: str | None = None
    session_id: str | None = None
    device_id: str | None = None
    acr: str | None = None
    amr: tuple[str, ...] = ()


class _Held:
    """Holds the origin of one request; threads of the request share it, so a guard's facts reach the route."""

    __slots__ = ("origin",)

    def __init__(self, origin: Origin) -> None:
        self.origin = origin


_NOWHERE = _Held(Origin())
_held: ContextVar[_Held] = ContextVar("origin", default=_NOWHERE)


def current() -> Origin:
    """Return where the present work comes from."""
    return _held.get().origin


def put(origin: Origin) -> None:
    """Set the origin of this context (one request)."""
    _held.set(_Held(origin))


def narrow(**facts: Any) -> None:
    """Add facts that were just established, such as who is signed in."""
    held = _held.get()
    if held is _NOWHERE:
        put(replace(held.origin, **facts))
    else:
        held.origin = replace(held.origin, **facts)


@contextmanager
def acting_as(actor_id: str, **facts: Any) -> Iterator[None]:
    """Do work as a job, an operator or a person, outside of a request."""
    token = _held.set(_Held(replace(current(), actor_id=actor_id, **facts)))
    try:
        yield
    finally:
        _held.reset(token)
