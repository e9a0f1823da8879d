"""The storage of one request: what was loaded before Authlib runs, and what is to be written after it.

Authlib's grants are synchronous. The web layer loads with one statement, runs them on these values,
and commits what they collected together with the audit rows (architecture.md "Two lanes").
"""

import logging
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from authlib.oauth2.rfc6749 import OAuth2Request
from authlib.oauth2.rfc6749.requests import OAuth2Payload

from idp import clock
from idp.audit.events import Event
from idp.database.lane import Append, Lane, OneStatement, RestsOn, Sql, Work
from idp.oauth.client_facts import ClientFacts
from idp.oauth.memory import Picture
from idp.oauth.status_list.allotment import Allotments, Listed

# Authlib's debug lines print whole tokens and PKCE verifiers (stack.md 3.4.6).
logging.getLogger("authlib").setLevel(logging.INFO)

_SPEND_ASSERTION = Sql(
    "INSERT INTO used_assertion (client_id, jti, expires_at, created_at) VALUES ($1, $2, $3, $4) "
    "ON CONFLICT DO NOTHING RETURNING 1"
)
Row = Callable[[Event], tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Late:
    """A refusal that only the commit could find: somebody else was first."""

    error: str
    detail: str


@dataclass(slots=True)
class Desk:
    """One request at the machines' lane."""

    picture: Picture
    issuer: str
    now: datetime
    row: Row
    """Turns an event into an audit row."""
    loaded: Any = None
    """What the request's one statement found, in a form its grant knows."""
    code: str = field(default="", repr=False)
    """The code its grant made, at the authorize endpoint."""
    work: Callable[[], Work] | None = None
    """What to write; answers None or a Late refusal."""
    at_once: OneStatement | None = None
    """The common case of that work in one statement."""
    events: list[Event] = field(default_factory=list)
    assertion: tuple[str, str, int] | None = None
    """(client id, jti, end) of a client assertion, to be spent with the commit."""
    rests_on: RestsOn | None = None
    allotments: Allotments | None = None
    """Where tokens are made: the places in status lists this worker has at hand."""
    recall: bool = False
    """What was read before may serve: whatever is answered rests on it in the commit."""

    @property
    def micros(self) -> int:
        """Return the moment of this request as the database stores it."""
        return clock.micros(self.now)

    def listed(self, client: ClientFacts) -> Listed | None:
        """Return a place in a status list for a token of a client that wants one; raise Unallotted."""
        if not client.token_status_list or self.allotments is None:
            return None
        return self.allotments.take(client.client_id, self.now)

    async def commit(self, lane: Lane) -> Late | None:
        """Write all of it, or only the record of a Late refusal; raise Stale when what it rests on has changed."""
        if self.assertion is None and self.work is None:
            await lane.write(None, [self.row(event) for event in self.events], self.rests_on)
            return None
        # What else is to be written is known to the work alone.
        at_once = self.at_once if self.assertion is None and not self.events else None
        late: Late | None = await lane.write(self.compose, (), self.rests_on, at_once)
        return late

    def compose(self) -> Work:
        """Spend the assertion, do the work, append the events: all or a Late refusal."""
        if self.assertion is not None:
            client_id, jti, ends = self.assertion
            fresh = yield _SPEND_ASSERTION, (client_id, jti, ends, self.micros)
            if not fresh:
                event = Event("oauth.token.refused", client=client_id, outcome="refused", reason="assertion_replayed")
                yield Append(self.row(event))
                return Late("invalid_client", "The client assertion was used before.")
        if self.work is not None:
            late = yield from self.work()
            if late is not None:
                return late
        for event in self.events:
            yield Append(self.row(event))
        return None


at_hand: ContextVar[Desk] = ContextVar("desk")
"""The desk of the request Authlib is working on; set around each of its calls."""


class Payload(OAuth2Payload):
    """The parameters of a request, already known to hold no duplicates."""

    def __init__(self, values: dict[str, str]) -> None:
        self._values = values

    @property
    def data(self) -> dict[str, str]:
        return self._values

    @property
    def datalist(self) -> Any:
        return {name: [value] for name, value in self._values.items()}


class Asked(OAuth2Request):
    """A request as Authlib wants it; its URL is the issuer's, never the Host header's (stack.md 3.4.7)."""

    payload: Payload

    def __init__(self, desk: Desk, method: str, path: str, values: dict[str, str], headers: Any = None) -> None:
        super().__init__(method, desk.issuer + path, headers=headers)
        self.desk = desk
        self.payload = Payload(values)
        self._values = values

    @property
    def form(self) -> Any:
        return self._values

    @property
    def args(self) -> Any:
        return {}


def client_of(request: Any) -> ClientFacts:
    """Return the authenticated client of a request."""
    client = request.client
    assert isinstance(client, ClientFacts)
    return client
