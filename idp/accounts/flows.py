"""A journey through sign-in, kept on the server and bound to one browser.

It remembers where the browser was going (an authorize request or a page of ours) and which steps were
completed in it, so a later step can be refused unless the earlier ones are recorded (security.md 11).
Step pages carry `?flow=<id>`; when a step is done the browser goes back to `resume(flow)`.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode, urlsplit

import orjson
from sqlmodel import Session as Db

from idp import clock, configuration, entropy
from idp.accounts.tables import Flow
from idp.database.lane import Sql, Work
from idp.errors import Refused


class FlowLost(Refused):
    """The journey is unknown, over, or was started in another browser."""

    status = 400
    code = "flow_lost"
    title = "This sign-in can't go on here"

    def __init__(self) -> None:
        super().__init__(
            "This sign-in has expired or was started in another browser. Go back to the app and start again."
        )


def browser_hash(browser: str) -> bytes:
    """Return what is stored of the flow cookie's secret."""
    return sha256(browser.encode()).digest()


def is_own_path(target: str) -> bool:
    """Say whether a target stays on this service whatever a browser makes of it.

    Browsers read a backslash as a slash and drop tabs and line breaks, so neither is accepted.
    """
    if not target.startswith("/") or target.startswith("//") or len(target) > 8192:
        return False
    if "\\" in target or not target.isascii() or not target.isprintable():
        return False
    parts = urlsplit(target)
    return not parts.scheme and not parts.netloc


@dataclass(frozen=True, slots=True)
class Kept:
    """A journey as it stands in its row, for those who only read it or use the lane."""

    id: str
    browser_hash: bytes
    target: str
    client_id: str | None
    session_id: str | None
    facts: dict[str, Any]
    expires_at: int
    """Microseconds, as the row has it."""
    ended_at: int | None


COLUMNS = tuple(Kept.__annotations__)
"""Order of the values `kept` takes."""
_INSERT = Sql(
    "INSERT INTO flow (id, browser_hash, target, client_id, session_id, facts, expires_at, created_at) "
    "VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
)
_KEEP = Sql("UPDATE flow SET session_id = $2, facts = $3, expires_at = $4 WHERE id = $1 AND ended_at IS NULL")
_KEEP_INSTEAD = Sql(
    "UPDATE flow SET session_id = $2, facts = $3, expires_at = $4 WHERE id = $1 AND ended_at IS NULL AND facts = $5 "
    "RETURNING 1"
)
_END = Sql("UPDATE flow SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL")


def kept(row: Sequence[Any]) -> Kept | None:
    """Name the columns of a row; None for a row of nothing."""
    if row[0] is None:
        return None
    flow_id, browser, target, client_id, session_id, facts, expires_at, ended_at = row
    return Kept(flow_id, bytes(browser), target, client_id, session_id, orjson.loads(facts), expires_at, ended_at)


def check(flow: Kept | None, browser: str | None, now: datetime) -> Kept:
    """Return the live journey of this browser, as `find` does; raise FlowLost otherwise."""
    if (
        flow is None
        or browser is None
        or not hmac.compare_digest(flow.browser_hash, browser_hash(browser))
        or flow.ended_at is not None
        or clock.micros(now) >= flow.expires_at
    ):
        raise FlowLost
    return flow


def new(
    *,
    browser: str,
    target: str,
    ends: datetime,
    client_id: str | None = None,
    session_id: str | None = None,
    facts: dict[str, Any] | None = None,
    flow_id: str | None = None,
) -> Kept:
    """Return a journey that is to be written with `insert`; never towards another origin."""
    if not is_own_path(target):
        raise ValueError("a journey goes to a path of this service")
    made = flow_id or entropy.new_id("flw")
    return Kept(made, browser_hash(browser), target, client_id, session_id, facts or {}, clock.micros(ends), None)


def changed(flow: Kept, **values: Any) -> Kept:
    """Return the journey with other values, to be written with `keep`."""
    return replace(flow, **values)


def insert(flow: Kept, now: datetime) -> Work:
    """Write a new journey in a group of the lane."""
    values = (flow.id, flow.browser_hash, flow.target, flow.client_id, flow.session_id, _text(flow.facts))
    yield _INSERT, (*values, flow.expires_at, clock.micros(now))


def keep(flow: Kept) -> Work:
    """Write what changed of a journey in a group of the lane: who signed in, its facts, its end."""
    yield _KEEP, (flow.id, flow.session_id, _text(flow.facts), flow.expires_at)


def keep_instead(flow: Kept, was: Kept) -> Work:
    """Write what changed of a journey unless somebody else changed it meanwhile; answers whether it was written."""
    values = (flow.id, flow.session_id, _text(flow.facts), flow.expires_at)
    rows = yield _KEEP_INSTEAD, (*values, _text(was.facts))
    return bool(rows)


def finish(flow: Kept, now: datetime) -> Work:
    """End a journey in a group of the lane; going back to it is refused."""
    yield _END, (flow.id, clock.micros(now))


def _text(facts: dict[str, Any]) -> str:
    return orjson.dumps(facts, option=orjson.OPT_SORT_KEYS).decode()


def begin(db: Db, *, browser: str, target: str, client_id: str | None = None) -> Flow:
    """Start a journey towards a path of this service (never another origin)."""
    if not is_own_path(target):
        raise ValueError("a journey goes to a path of this service")
    flow = Flow(
        browser_hash=browser_hash(browser),
        target=target,
        client_id=client_id,
        facts={},
        expires_at=clock.now() + configuration.current(db).clocks.flow,
    )
    db.add(flow)
    db.flush()
    return flow


def find(db: Db, flow_id: str, browser: str | None) -> Flow:
    """Return the live journey of this browser; raise FlowLost otherwise."""
    flow = db.get(Flow, flow_id)
    if (
        flow is None
        or browser is None
        or flow.browser_hash != browser_hash(browser)
        or flow.ended_at is not None
        or clock.now() >= flow.expires_at
    ):
        raise FlowLost
    return flow


def completed(flow: Kept, step: str, now: datetime, ends: datetime, **facts: Any) -> Kept:
    """Return the journey with a step completed, as `complete` records it, to be written with `keep`."""
    done = {**flow.facts, step: {"at": clock.iso(now), **facts}}
    return replace(flow, facts=done, expires_at=clock.micros(ends))


def noted(flow: Kept, name: str, value: Any) -> Kept:
    """Return the journey with a fact kept, or forgotten for None, as `note` does it, to be written with `keep`."""
    facts = {**flow.facts, name: value}
    if value is None:
        facts.pop(name)
    return replace(flow, facts=facts)


def complete(db: Db, flow: Flow, step: str, **facts: Any) -> None:
    """Record that a step was completed; the journey's clock starts anew."""
    now = clock.now()
    flow.facts = {**flow.facts, step: {"at": clock.iso(now), **facts}}
    flow.expires_at = now + configuration.current(db).clocks.flow
    db.add(flow)
    db.flush()


def note(db: Db, flow: Flow, name: str, value: Any) -> None:
    """Keep a fact of the journey that is not a completed step, such as the name typed; None forgets it."""
    facts = {**flow.facts, name: value}
    if value is None:
        facts.pop(name)
    flow.facts = facts
    db.add(flow)
    db.flush()


def end(db: Db, flow: Flow) -> None:
    """Finish the journey; going back to it is refused."""
    flow.ended_at = clock.now()
    db.add(flow)
    db.flush()


def resume(flow: Flow | Kept) -> str:
    """Return the path that carries the journey on."""
    parts = urlsplit(flow.target)
    if parts.path.startswith("/oauth/authorize"):
        return "/oauth/authorize?" + urlencode({"flow": flow.id})
    return flow.target
