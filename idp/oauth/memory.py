"""What every worker keeps in memory: clients, audiences, settings, signing keys, the terms in force.

One picture, valid for exactly one policy epoch (decisions.md 3): whoever uses it either reads the
epoch with the same statement or writes in a group that rests on it. There is no time-based staleness.
"""

import asyncio
import json
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session as Db

from idp import clock, configuration
from idp.configuration import Configuration
from idp.database import Database
from idp.database.lane import Lane, Sql, Work, drive
from idp.errors import Unavailable
from idp.oauth import keys
from idp.oauth.client_facts import Audience, ClientFacts, facts_of
from idp.oauth.keys import KeySet
from idp.oauth.remembered import Standings
from idp.signatures import Key, Remembered

_COLUMNS = (
    "client_id", "name", "client_class", "channel", "status", "partner_id", "auth_method", "secret_hashes", "jwks",
    "redirect_uris", "post_logout_redirect_uris", "backchannel_logout_uri", "grant_types", "scopes", "audiences",
    "entitlements", "lines", "default_line", "acts_for_provider", "first_party", "continue_page", "id_token_alg",
    "pkce", "require_par", "token_status_list", "help_url",
)  # fmt: skip
_EPOCH = Sql("SELECT epoch FROM policy_epoch WHERE id = 1")
_CONFIGURATION = Sql("SELECT body FROM configuration")
_CLIENTS = Sql(
    f"SELECT p.status, {', '.join('c.' + name for name in _COLUMNS)} FROM client c "  # noqa: S608 - our own names
    "LEFT JOIN partner p ON p.id = c.partner_id"
)
_AUDIENCES = Sql("SELECT identifier, name, client_id, access_token_alg, scopes FROM resource_server")
_KEYS = Sql(
    "SELECT kid, alg, state, private, public FROM signing_key WHERE state <> 'removed' ORDER BY created_at, kid"
)
_TERMS = Sql("SELECT kind, effective_at, version FROM terms_document ORDER BY effective_at")
KINDS = ("general", "site")
"""The two documents of terms, in the order their versions stand in a token."""
CHECK_EVERY = 1.0
"""Seconds after which an answer that reads nothing (the JWKS) asks whether its picture is still good."""


@dataclass(frozen=True, slots=True)
class Picture:
    """Everything above at one policy epoch."""

    epoch: int
    clients: dict[str, ClientFacts]
    audiences: dict[str, Audience]
    configuration: Configuration
    keys: KeySet
    terms: tuple[tuple[str, int, str], ...]
    """(kind, effective from in microseconds, version), oldest first."""

    def terms_at(self, now: datetime) -> dict[str, tuple[int, str]]:
        """Return kind -> (effective from, version) of the documents in force at a moment."""
        at = clock.micros(now)
        return {kind: (since, version) for kind, since, version in self.terms if since <= at}

    @property
    def leeway(self) -> timedelta:
        """Clock leeway of every token check."""
        return self.configuration.clocks.leeway


class Memory:
    """Keeps the present picture of this worker."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[str, Key] = {}
        self.proved = Remembered()
        """Access tokens whose signature was proved in this worker."""
        self.standings = Standings()
        """What was read of the people behind them."""
        self._picture: Picture | None = None
        self._checked = 0.0
        self._loading = asyncio.Lock()

    def known(self) -> Configuration:
        """Return the settings last read, for whoever must speak while the database is away."""
        return self._picture.configuration if self._picture is not None else Configuration()

    async def picture(self, lane: Lane) -> Picture:
        """Return the picture at hand, which may be out of date: whoever uses it must check its epoch."""
        return self._picture or await self.renew(lane, 0)

    async def renew(self, lane: Lane, stale_epoch: int) -> Picture:
        """Return a picture newer than the epoch found stale; many callers at once load it once."""
        async with self._loading:
            if self._picture is None or self._picture.epoch <= stale_epoch:
                self._picture = await self._load(lane)
            return self._picture

    async def epoch(self, lane: Lane) -> int:
        """Return the policy epoch as it is now."""
        [(epoch,)] = await lane.fetch(_EPOCH)
        return int(epoch)

    async def recent(self, lane: Lane) -> Picture:
        """Return a picture checked at most a second ago; the one at hand when the database is away."""
        now = time.monotonic()
        if self._picture is not None and 0 <= now - self._checked < CHECK_EVERY:
            return self._picture
        try:
            if self._picture is None:
                await self.renew(lane, 0)
            else:
                [(epoch,)] = await lane.fetch(_EPOCH)
                if epoch != self._picture.epoch:
                    await self.renew(lane, epoch - 1)
        except Unavailable:
            if self._picture is None:
                raise
        self._checked = now
        assert self._picture is not None
        return self._picture

    def in_transaction(self, db: Db) -> Picture:
        """Return the picture as this transaction of the pages' lane sees it."""
        [(epoch,)] = drive(db, _read(_EPOCH))
        if self._picture is None or self._picture.epoch != epoch:
            made = drive(db, self._build())
            if not isinstance(made, Picture):
                raise Unavailable("The service has no signing keys yet. Try again in a moment.")
            # A worker's newest picture wins; this transaction may have begun before it.
            if self._picture is None or self._picture.epoch < made.epoch:
                self._picture = made
            return made
        return self._picture

    async def _load(self, lane: Lane) -> Picture:
        made = await read(lane, self._build())
        if made is None:
            await asyncio.to_thread(keys.ensure, self._database)
            made = await read(lane, self._build())
        if not isinstance(made, Picture):
            raise Unavailable("The service has no signing keys yet. Try again in a moment.")
        return made

    def _build(self) -> Work:
        """Read everything; the epoch first, so that a change made meanwhile is noticed at the next check."""
        [(epoch,)] = yield _EPOCH, ()
        key_rows = yield _KEYS, ()
        if {row[1] for row in key_rows if row[2] == "active"} != set(keys.ALGORITHMS):
            return None
        settings = yield _CONFIGURATION, ()
        clients = yield _CLIENTS, ()
        audiences = yield _AUDIENCES, ()
        terms = yield _TERMS, ()
        return Picture(
            epoch=epoch,
            clients={
                row[1]: facts_of(dict(zip(_COLUMNS, row[1:], strict=True)), row[0]) for row in map(tuple, clients)
            },
            audiences={
                row[0]: Audience(row[0], row[1], row[2], row[3], frozenset(_listed(row[4]))) for row in audiences
            },
            configuration=configuration.parse(settings[0][0] if settings else "{}"),
            keys=keys.load([(r[0], r[1], r[2], bytes(r[3]), r[4]) for r in key_rows], self._database.ring, self._known),
            terms=tuple((row[0], row[1], row[2]) for row in terms),
        )


def _listed(stored: Any) -> list[str]:
    return list(json.loads(stored) if isinstance(stored, str) else stored or [])


def _read(sql: Sql, *values: Any) -> Work:
    rows = yield sql, values
    return rows


async def read(lane: Lane, work: Work) -> Any:
    """Run a generator of reads on the machines' lane; return its answer."""
    answer: list[Any] | None = None
    while True:
        try:
            step = work.send(answer) if answer is not None else next(work)
        except StopIteration as done:
            return done.value
        assert isinstance(step, tuple)
        answer = await lane.fetch(step[0], *step[1])
