"""Mark what was revoked: who asks for a list first after something was taken away looks at what that concerns.

Every road ends in a numbered revocation (`signals/revocations.py`), so the numbers are the roads. A token is marked
when introspection would call it dead, and stays marked. Nothing is written where something is taken away, and nothing
at all while nothing is.

A number is looked at again for some seconds: a token whose answer was checked just before is in the database just
after, and a worker whose clock is behind calls it dead a moment later than the one that wrote the number.
"""

import time
from collections import deque
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from idp import clock
from idp.database.lane import Lane, Many, Sql, Work
from idp.oauth import liveness
from idp.oauth.memory import Memory, Picture

PAGE = 500
_FAR = 1000
"""Revocations behind from where it is asked which of them can still concern a token."""
_NEWEST = 100_000
_RECENT = Sql(
    "SELECT min(seq), count(*) FROM (SELECT seq, at FROM revocation ORDER BY seq DESC "  # noqa: S608 - our own number
    f"LIMIT {_NEWEST}) AS newest WHERE at >= $1"
)
_KEPT_BACK = timedelta(minutes=10)
SETTLES = 5.0
"""Seconds for which a number is looked at again: longer than a commit takes, or clocks differ."""
AGAIN_EVERY = 1.0
"""Seconds between two looks at the same number."""
_NAMED = (
    "SELECT r.{column} FROM revocation r WHERE r.seq > CAST($4 AS BIGINT) AND r.seq <= CAST($5 AS BIGINT) "
    "AND r.{column} IS NOT NULL{more}"
)
_PERSON = "x.account_id IN (" + _NAMED.format(column="account_id", more="") + ")"
_PRACTICE = "x.provider_id IN (" + _NAMED.format(column="provider_id", more=" AND r.account_id IS NULL") + ")"


def _concerned(whom: str) -> Sql:
    """Read the tokens that the revocations after $4 up to $5 may concern, with all they rest on, from ($6, $7) on."""
    return liveness.statement(
        start=(
            f"JOIN status_entry x ON {whom} AND x.revoked_at IS NULL AND x.expires_at > CAST($3 AS BIGINT) "
            "AND (x.list_number + 0, x.idx) > (CAST($6 AS BIGINT), CAST($7 AS INTEGER))"
        ),
        account="x.account_id",
        session="x.session_id",
        family="x.family_id",
        provider="x.provider_id",
        more=", x.list_number, x.idx, x.client_id, x.authz_epoch",
        order=f"ORDER BY x.list_number + 0, x.idx LIMIT {PAGE}",  # + 0: by whom they concern, not through all places
    )


_CONCERNED = (_concerned(_PERSON), _concerned(_PRACTICE))
_MARK = Sql("UPDATE status_entry SET revoked_at = $3 WHERE list_number = $1 AND idx = $2 AND revoked_at IS NULL")
_MOVE = Sql("UPDATE status_place SET seq = $1 WHERE id = 1 AND seq < $1")


class Marking:
    """How far this worker looked, and when."""

    def __init__(self, lane: Lane, memory: Memory) -> None:
        self._lane, self._memory = lane, memory
        self._seen: deque[tuple[float, int]] = deque()
        self._looked: tuple[int, float] | None = None

    async def catch_up(self, place: int, newest: int, now: datetime) -> None:
        """Mark what the revocations after `place` up to `newest` took away; every worker does, the same.

        Judged by what stands in the database now, so after every commit up to `newest`.
        """
        asked = time.monotonic()
        if self._looked is not None and self._looked[0] == newest and 0 <= asked - self._looked[1] < AGAIN_EVERY:
            return
        if not self._seen or self._seen[-1][1] < newest:
            self._seen.append((asked, newest))
        after = await self._begin(place, newest, now)
        judging = _Judging(self._lane, self._memory, now)
        for concerned in _CONCERNED:
            page: tuple[int, int] | None = (-1, -1)
            while page is not None:
                page = await judging.page(concerned, (after, newest, *page))
                await judging.mark()
        settled = None
        while self._seen and not 0 <= asked - self._seen[0][0] < SETTLES:
            settled = self._seen.popleft()[1]
        if settled is not None:
            await judging.mark(moved=settled)
        self._looked = newest, asked

    async def _begin(self, place: int, newest: int, now: datetime) -> int:
        if newest - place <= _FAR:
            return place
        picture = await self._memory.picture(self._lane)
        since = now - picture.configuration.clocks.access_token - _KEPT_BACK
        [(first, count)] = await self._lane.fetch(_RECENT, clock.micros(since))
        if count >= _NEWEST:  # all since the last look, however long that takes
            return place
        return max(place, (int(first) - 1) if first is not None else newest)


@dataclass(slots=True)
class _Judging:
    lane: Lane
    memory: Memory
    now: datetime
    dead: list[tuple[int, int, int]] = field(default_factory=list)

    async def page(self, concerned: Sql, asked: tuple[int, ...]) -> tuple[int, int] | None:
        """Judge one page; return where the next begins, None after the last."""
        picture = await self.memory.picture(self.lane)
        rows = await self.lane.fetch(concerned, *liveness.moments(picture, self.now), *asked)
        while rows and rows[0][0] != picture.epoch:
            picture = await self.memory.renew(self.lane, picture.epoch)
            rows = await self.lane.fetch(concerned, *liveness.moments(picture, self.now), *asked)
        for row in rows:
            number, idx, client_id, epoch = liveness.added(row)
            if _ended(row, client_id, epoch, picture, self.now):
                self.dead.append((number, idx, clock.micros(self.now)))
        if len(rows) < PAGE:
            return None
        number, idx, *_ = liveness.added(rows[-1])
        return number, idx

    async def mark(self, moved: int | None = None) -> None:
        """Write what was found, and at the end up to where nobody needs to look again."""
        if self.dead or moved is not None:
            dead, self.dead = self.dead, []
            await self.lane.write(lambda: _write(dead, moved))


def _ended(row: Any, client_id: str, epoch: int, picture: Picture, now: datetime) -> bool:
    """Say whether introspection would call the token dead, were it not for its app: blocks tell of that."""
    found = liveness.standing(row)
    if epoch < found.authz_epoch or found.family_id is None:
        return True
    client = picture.clients.get(client_id)
    if client is None:
        return True
    if not client.usable:
        client = replace(client, status="active", partner_in_good_standing=True)
    return liveness.refusal(found, client, picture, now, for_provider=found.provider_id) is not None


def _write(dead: list[tuple[int, int, int]], moved: int | None) -> Work:
    if dead:
        yield Many(_MARK, dead)
    if moved is not None:
        yield _MOVE, (moved,)
