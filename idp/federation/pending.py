"""One try of a browser at an upstream, in its row: written when it leaves, judged and used up when it comes back.

Both lanes use these statements and this judgement.
"""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from hashlib import sha256
from typing import Any

import orjson

from idp import clock
from idp.accounts.flows import browser_hash
from idp.audit import log
from idp.audit.events import Event
from idp.database.lane import Sql, Work
from idp.envelope import KeyRing
from idp.errors import Refused
from idp.federation.contract import BrowserAnswer, Try


class ReturnRefused(Refused):
    """The browser came back with a try we do not know, that is over, or that began in another browser."""

    status = 400
    code = "return_refused"
    title = "This sign-in can't go on here"

    def __init__(self, reason: str) -> None:
        event = Event("accounts.login.refused", outcome="refused", reason=reason)
        super().__init__(
            "This sign-in was used already, took too long, or was started in another browser. Start again here.",
            then=(partial(log.record, event=event),),
        )


@dataclass(frozen=True, slots=True)
class Pending:
    """A try as it stands in its row; moments in microseconds."""

    state_hash: bytes
    upstream_id: str
    flow_id: str | None
    browser_hash: bytes
    nonce: str
    verifier: bytes = field(repr=False)
    purpose: str
    account_id: str | None
    session_id: str | None
    max_age: int | None
    answer: bytes | None = field(repr=False)
    expires_at: int
    created_at: int
    spent_at: int | None


COLUMNS = tuple(Pending.__annotations__)
"""Order of the values `pending` takes."""
_NAMES = ", ".join(COLUMNS)
_INSERT = Sql(
    "INSERT INTO pending_login (state_hash, upstream_id, flow_id, browser_hash, nonce, verifier, purpose, account_id, "
    "session_id, max_age, expires_at, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) "
    "RETURNING 1"
)
_FIND = Sql(f"SELECT {_NAMES} FROM pending_login WHERE state_hash = $1")  # noqa: S608 - our own names
_SPEND = Sql("UPDATE pending_login SET spent_at = $2 WHERE state_hash = $1 AND spent_at IS NULL RETURNING 1")
_ANSWERED = Sql(
    "UPDATE pending_login SET answer = $3 WHERE state_hash = $1 AND upstream_id = $2 AND answer IS NULL "
    "AND spent_at IS NULL RETURNING 1"
)


def begun(
    ring: KeyRing,
    attempt: Try,
    *,
    browser: str,
    flow_id: str | None,
    ends: datetime,
    purpose: str = "sign_in",
    account_id: str | None = None,
    session_id: str | None = None,
) -> Pending:
    """Return the try that is to be written with `insert`; its verifier is sealed."""
    hashed = hash_of(attempt.state)
    return Pending(
        state_hash=hashed,
        upstream_id=attempt.upstream.id,
        flow_id=flow_id,
        browser_hash=browser_hash(browser),
        nonce=attempt.nonce,
        verifier=ring.seal("upstreams", _place(hashed, "verifier"), attempt.verifier.encode()),
        purpose=purpose,
        account_id=account_id,
        session_id=session_id,
        max_age=attempt.max_age,
        answer=None,
        expires_at=clock.micros(ends),
        created_at=clock.micros(attempt.now),
        spent_at=None,
    )


def insert(one: Pending) -> Work:
    """Write a new try, in either lane."""
    values = (one.state_hash, one.upstream_id, one.flow_id, one.browser_hash, one.nonce, one.verifier, one.purpose)
    yield _INSERT, (*values, one.account_id, one.session_id, one.max_age, one.expires_at, one.created_at)


def find(state: str) -> Work:
    """Find the try of a state; answers a Pending or None."""
    rows = yield _FIND, (hash_of(state),)
    return pending(rows[0]) if rows else None


def pending(row: Sequence[Any]) -> Pending | None:
    """Name the columns of a row; None for a row of nothing."""
    if row[0] is None:
        return None
    values: list[Any] = [bytes(value) if isinstance(value, memoryview) else value for value in row]
    return Pending(*values)


def judged(one: Pending | None, upstream_id: str, browser: str | None, now: datetime) -> Pending:
    """Return a try this browser may finish at this upstream now; raise ReturnRefused (security.md 31, 32)."""
    if one is None or one.upstream_id != upstream_id:
        raise ReturnRefused("state_unknown")
    if browser is None or not hmac.compare_digest(one.browser_hash, browser_hash(browser)):
        raise ReturnRefused("state_of_another_browser")
    if clock.micros(now) >= one.expires_at:
        raise ReturnRefused("state_expired")
    return one


def spend(one: Pending, now: datetime) -> Work:
    """Use a try up, in either lane; answers False where somebody was first."""
    rows = yield _SPEND, (one.state_hash, clock.micros(now))
    return bool(rows)


def keep_answer(ring: KeyRing, upstream_id: str, fields: Mapping[str, str]) -> Work:
    """Keep what a form post brought; answers whether it was the first one for a live try of this upstream."""
    hashed = hash_of(fields.get("state", ""))
    sealed = ring.seal("upstreams", _place(hashed, "answer"), orjson.dumps(dict(fields)))
    rows = yield _ANSWERED, (hashed, upstream_id, sealed)
    return bool(rows)


def verifier_of(ring: KeyRing, one: Pending) -> str:
    """Open the PKCE verifier of a try."""
    return ring.open("upstreams", _place(one.state_hash, "verifier"), one.verifier).decode()


def answer_of(ring: KeyRing, one: Pending, fields: Mapping[str, str]) -> BrowserAnswer:
    """Return what the browser brought: what it posted before, or what is in the address."""
    if one.answer is None:
        return BrowserAnswer(fields)
    clear = ring.open("upstreams", _place(one.state_hash, "answer"), one.answer)
    return BrowserAnswer(orjson.loads(clear), posted=True)


def hash_of(state: str) -> bytes:
    """Return what is stored of a state."""
    return sha256(state.encode()).digest()


def _place(state_hash: bytes, column: str) -> str:
    return f"pending_login.{column}:{state_hash.hex()}"
