"""What an organization tells us by itself in a signed message: verified outside a transaction, believed once."""

from collections.abc import Callable
from datetime import datetime
from typing import NoReturn, TypeVar

from sqlalchemy import text
from sqlmodel import Session as Db

from idp import clock, configuration
from idp.database import reading
from idp.federation import upstreams
from idp.federation.contract import AnswerRefused, Connector, Told, TrustedUpstream
from idp.federation.flow import Federation
from idp.outbound import OutboundFailed

_Said = TypeVar("_Said")
_SEEN = text(
    "INSERT INTO seen_logout (upstream_id, jti, expires_at, created_at) VALUES (:u, :j, :e, :now) "
    "ON CONFLICT DO NOTHING RETURNING 1"
)


def understood(
    federation: Federation,
    upstream_id: str,
    read: Callable[[Connector, Told], _Said],
    refuse: Callable[[TrustedUpstream, str], NoReturn],
) -> tuple[Told, _Said]:
    """Return what a message says once its connector believes it; `refuse` raises with the reason it does not.

    No transaction is open while keys are fetched. Raises LoginPaused, NotFound, and what `refuse` raises.
    """
    with reading(federation.database) as db:
        upstream = upstreams.trusted(db, upstream_id)
        clocks = configuration.current(db).clocks
    told = Told(upstream, clock.now(), clocks.leeway, clocks.upstream_metadata)
    try:
        with federation.breaker.call(upstream_id):
            return told, read(federation.connector(upstream.kind), told)
    except (AnswerRefused, OutboundFailed) as problem:
        refuse(upstream, problem.reason)


def first_time(db: Db, upstream_id: str, identifier: str, until: datetime) -> bool:
    """Remember a message's id until it could no longer be believed; say whether it was new, over all workers."""
    values = {"u": upstream_id, "j": identifier, "e": clock.micros(until), "now": clock.micros(clock.now())}
    return bool(db.execute(_SEEN, values).all())
