"""The lists as anybody may read them: signed, and true up to the second before.

A worker keeps the last copy of each list. It asks the database at most once a second whether anything was taken away,
reads the marks anew only when something was, and signs anew only then or when the copy grows old.
"""

import asyncio
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from idp import clock
from idp.database.lane import Lane, Sql
from idp.oauth.memory import Memory, Picture
from idp.oauth.status_list.allotment import LEASE, PATH, address
from idp.oauth.status_list.encoding import BITS, packed
from idp.oauth.status_list.marking import Marking
from idp.oauth.status_list.order import SIZE, block, decoys
from idp.signatures import sign

TYP = "statuslist+jwt"
TTL = 10
"""Seconds after which a reader should ask anew; a copy is signed anew as often."""
EXPIRES = 60
"""Seconds a copy may be relied on, so that one held back is believed no longer."""
ASKED_EVERY = 1.0
"""Seconds a copy is given out without asking the database."""
_LINGERS = timedelta(minutes=10)
"""How long a list is there after its last token: clocks differ."""
_KEPT = 256
_LIVE = "(l.filled_at IS NULL OR l.filled_at > {since})"
_ONE = Sql(
    "SELECT l.number, l.seed, c.seq, p.seq, e.epoch FROM status_list l, revocation_counter c, status_place p, "  # noqa: S608
    f"policy_epoch e WHERE l.name = $1 AND {_LIVE.format(since='$2')}"
)
_ALL = Sql(f"SELECT l.name FROM status_list l WHERE {_LIVE.format(since='$1')} ORDER BY l.number")  # noqa: S608
_MARKED = Sql("SELECT idx FROM status_entry WHERE list_number = $1 AND revoked_at IS NOT NULL AND expires_at > $2")
_BLOCKS = Sql("SELECT block, client_id FROM status_block WHERE list_number = $1")


@dataclass(slots=True)
class Copy:
    """A list as it is given out."""

    body: bytes
    etag: str
    state: tuple[int, int]
    """Policy epoch and number of the last revocation that it tells of."""
    revoked: list[int]
    settled: bool
    """Whether what it tells of needs no further look (`marking.py`)."""
    signed_at: datetime
    asked: float


class Published:
    """The copies of this worker."""

    def __init__(self, lane: Lane, memory: Memory, issuer: str) -> None:
        self._lane, self._memory, self._issuer = lane, memory, issuer
        self._marking = Marking(lane, memory)
        self._copies: dict[str, Copy] = {}
        self._making = asyncio.Lock()

    async def copy(self, name: str) -> Copy | None:
        """Return a list; None when there is no such list, or no token can still be in it."""
        known = self._copies.get(name)
        if known is not None and _fresh(known):
            return known
        if known is None and await self._read(name) is None:  # strangers who guess names wait for nobody's list
            return None
        async with self._making:
            known = self._copies.get(name)
            if known is not None and _fresh(known):
                return known
            return await self._renewed(name, known)

    async def names(self) -> list[str]:
        """Return the addresses of the lists in which a token can be."""
        picture = await self._memory.recent(self._lane)
        rows = await self._lane.fetch(_ALL, _since(picture))
        return [address(self._issuer, row[0]) for row in rows]

    async def _read(self, name: str) -> tuple[Any, ...] | None:
        picture = await self._memory.recent(self._lane)
        rows = await self._lane.fetch(_ONE, name, _since(picture))
        return tuple(rows[0]) if rows else None

    async def _renewed(self, name: str, known: Copy | None) -> Copy | None:
        asked, now = time.monotonic(), clock.now()
        row = await self._read(name)
        if row is None:
            self._copies.pop(name, None)
            return None
        number, seed, newest, place, epoch = row
        if place < newest:
            await self._marking.catch_up(place, newest, now)
        picture = await self._memory.picture(self._lane)
        while picture.epoch < epoch:
            picture = await self._memory.renew(self._lane, picture.epoch)
        same = known is not None and known.state == (picture.epoch, newest)
        if known is not None and same and known.settled:
            revoked = known.revoked
        else:
            revoked = await self._revoked(number, seed, picture, now)
        if known is not None and same and revoked == known.revoked and _young(known, now):
            known.asked, known.settled = asked, place >= newest
            return known
        body = self._signed(name, bytes(seed), revoked, picture, now)
        made = Copy(
            body, f'"{sha256(body).hexdigest()[:32]}"', (picture.epoch, newest), revoked, place >= newest, now, asked
        )
        while len(self._copies) >= _KEPT and name not in self._copies:
            del self._copies[min(self._copies, key=lambda one: self._copies[one].asked)]
        self._copies[name] = made
        return made

    async def _revoked(self, number: int, seed: bytes, picture: Picture, now: datetime) -> list[int]:
        """Read the places that were marked, and those of apps that may not be used."""
        since = clock.micros(now - _LINGERS)
        marked = {int(row[0]) for row in await self._lane.fetch(_MARKED, number, since)}
        usable = {name for name, client in picture.clients.items() if client.usable}
        for taken, client_id in await self._lane.fetch(_BLOCKS, number):
            if client_id not in usable:
                marked.update(block(bytes(seed), taken))
        return sorted(marked)

    def _signed(self, name: str, seed: bytes, revoked: list[int], picture: Picture, now: datetime) -> bytes:
        second = clock.micros(now) // 1_000_000
        bits = packed(SIZE, [*revoked, *decoys(seed, second)])
        claims = {
            "iss": self._issuer,
            "sub": address(self._issuer, name),
            "iat": second,
            "exp": second + EXPIRES,
            "ttl": TTL,
            "status_list": {"bits": BITS, "lst": bits, "aggregation_uri": self._issuer + PATH},
        }
        return sign(claims, picture.keys.signer("ES256"), TYP).encode()


def _fresh(copy: Copy) -> bool:
    return 0 <= time.monotonic() - copy.asked < ASKED_EVERY


def _young(copy: Copy, now: datetime) -> bool:
    return now - copy.signed_at < timedelta(seconds=TTL)


def _since(picture: Picture) -> int:
    """Return when a list was filled at the earliest that can hold a token still in force."""
    return clock.micros(clock.now() - picture.configuration.clocks.access_token - LEASE - _LINGERS)
