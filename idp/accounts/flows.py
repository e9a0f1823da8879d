"""A journey through sign-in, kept on the server and bound to one browser.

It remembers where the browser was going (an authorize request or a page of ours) and which steps were
completed in it, so a later step can be refused unless the earlier ones are recorded (security.md 11).
Step pages carry `?flow=<id>`; when a step is done the browser goes back to `resume(flow)`.
"""

from hashlib import sha256
from typing import Any
from urllib.parse import urlencode, urlsplit

from sqlmodel import Session as Db

from idp import clock, configuration
from idp.accounts.tables import Flow
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


def resume(flow: Flow) -> str:
    """Return the path that carries the journey on."""
    parts = urlsplit(flow.target)
    if parts.path.startswith("/oauth/authorize"):
        return "/oauth/authorize?" + urlencode({"flow": flow.id})
    return flow.target
