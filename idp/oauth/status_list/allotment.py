"""Give each token of an app that wants it a place in a list, without a write for each.

A worker leases places by the block, for one app; two workers never have the same one. A block says whose its places
are, so an app that is shut off is shown by its blocks, the tokens it has for itself among them.
"""

import asyncio
from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta

from idp import clock, entropy
from idp.database.lane import Lane, Sql, Work
from idp.oauth.status_list.order import BLOCKS, block
from idp.signatures import SignedClaims

PATH = "/oauth/status-lists"
LEASE = timedelta(minutes=10)
"""How long a worker may give out the places of a block: a list is over once no token can still be at it."""
INSERT = Sql(
    "INSERT INTO status_entry (list_number, idx, client_id, account_id, session_id, family_id, provider_id, "
    "authz_epoch, expires_at, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
)
"""A person's token at its place."""
GIVE_BACK = Sql(
    "INSERT INTO status_entry (list_number, idx, client_id, account_id, authz_epoch, expires_at, revoked_at, "
    "created_at) SELECT number, CAST($2 AS INTEGER), CAST($3 AS TEXT), CAST($4 AS TEXT), 0, CAST($5 AS BIGINT), "
    "CAST($6 AS BIGINT), CAST($6 AS BIGINT) FROM status_list WHERE name = $1 "
    "ON CONFLICT (list_number, idx) DO UPDATE SET revoked_at = COALESCE(status_entry.revoked_at, excluded.revoked_at)"
)
"""One token that its app gave back, a service's or a person's: $1 the list's name, $2 the place, $3 whose, $4 the
person, $5 its end, $6 now."""
_LEASE = Sql(
    "UPDATE status_list SET leased = leased + 1, filled_at = CASE WHEN leased + 1 >= $2 THEN CAST($1 AS BIGINT) END "
    "WHERE number = (SELECT max(number) FROM status_list) AND leased < $2 RETURNING number, name, seed, leased"
)
_NEXT = Sql("SELECT COALESCE(max(number), 0) + 1 FROM status_list")
_OPEN = Sql(
    "INSERT INTO status_list (number, name, seed, leased, created_at) VALUES ($1, $2, $3, 0, $4) ON CONFLICT DO NOTHING"
)
_WHOSE = Sql("INSERT INTO status_block (list_number, block, client_id, created_at) VALUES ($1, $2, $3, $4)")


@dataclass(frozen=True, slots=True)
class Listed:
    """A place in a list."""

    number: int
    name: str
    idx: int

    def claim(self, issuer: str) -> dict[str, object]:
        """Return the token's claim (draft-ietf-oauth-status-list 6.2)."""
        return {"status": {"status_list": {"idx": self.idx, "uri": address(issuer, self.name)}}}


def place_of(claims: SignedClaims) -> tuple[str, int] | None:
    """Return the list's name and the place that a token of ours says, if it says one."""
    if "status" not in claims:
        return None
    said = claims["status"]["status_list"]
    return str(said["uri"]).rpartition("/")[2], int(said["idx"])


class Unallotted(Exception):
    """This worker has no place at hand for the app's next token: lease a block, and begin again."""

    def __init__(self, client_id: str) -> None:
        super().__init__(client_id)
        self.client_id = client_id


@dataclass(slots=True)
class _Block:
    number: int
    name: str
    until: datetime
    places: deque[int]


class Allotments:
    """The places this worker has at hand, for each app."""

    def __init__(self) -> None:
        self._blocks: dict[str, _Block] = {}
        self._leasing = asyncio.Lock()

    def take(self, client_id: str, now: datetime) -> Listed:
        """Return a place nobody had before; raise Unallotted when there is none at hand."""
        held = self._blocks.get(client_id)
        if held is None or not held.places or now >= held.until:
            raise Unallotted(client_id)
        return Listed(held.number, held.name, held.places.popleft())

    async def lease(self, lane: Lane, client_id: str, now: datetime) -> None:
        """Have places at hand for an app; many who wait for one lease it once."""
        async with self._leasing:
            held = self._blocks.get(client_id)
            if held is not None and held.places and now < held.until:
                return
            number, name, seed, leased = await lane.write(lambda: _lease(client_id, clock.micros(now)))
            places = block(bytes(seed), leased - 1)
            self._blocks[client_id] = _Block(number, name, now + LEASE, deque(places))


def address(issuer: str, name: str) -> str:
    """Return a list's address."""
    return f"{issuer}{PATH}/{name}"


def _lease(client_id: str, at: int) -> Work:
    rows = yield _LEASE, (at, BLOCKS)
    while not rows:  # there is no list yet, or the newest is full
        [(number,)] = yield _NEXT, ()
        yield _OPEN, (number, entropy.token(16), entropy.raw(32), at)
        rows = yield _LEASE, (at, BLOCKS)
    number, name, seed, leased = tuple(rows[0])
    yield _WHOSE, (number, leased - 1, client_id, at)
    return number, name, seed, leased
