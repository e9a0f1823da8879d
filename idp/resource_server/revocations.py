"""Hear what was taken away, and refuse tokens that outlived it (security.md 92).

The signed feed is asked again and again in one background task; it answers at once when there is news and every
250 ms otherwise (the heartbeat). What it says holds here at once. When no question that was asked within the lease
(900 ms) has been answered whole, a token is in doubt, and doubt is settled by introspection or refused.

The lease runs from the moment a question was *sent*: what it brought was read after that. So no clock is compared
with another, a slow or a repeated answer gains nothing, and nothing passes 900 ms after it was taken away.
"""

import asyncio
import enum
import logging
import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import httpx2

from idp.resource_server.frames import LIMIT, Frames, entries_of, last_of
from idp.resource_server.heard import Heard
from idp.resource_server.issuer import Issuer
from idp.resource_server.problems import IssuerUnavailable
from idp.resource_server.service import ServiceToken
from idp.resource_server.verify import AccessToken

_log = logging.getLogger("idp.resource_server")
_SOON = 0.02
"""Seconds between an answer and the next question, and after a failure at first."""


class Standing(enum.Enum):
    """What the feed knows of a token."""

    LIVE = "live"
    REVOKED = "revoked"
    UNKNOWN = "unknown"
    """The feed is older than its lease, or what the token rests on changed after it was made: ask, or refuse."""


class Feed:
    """Remembers ended sessions, families and tokens, and raised epochs; start it with the app, stop it with the app.

    `every` and `lease` are in seconds. Memory is bounded: an entry is kept for `remember` seconds, which must be
    longer than an access token lives, and at most `most` accounts and sessions are kept; when there are more, the
    feed declares itself stale rather than forget one.
    """

    def __init__(
        self,
        issuer: Issuer,
        token: ServiceToken,
        *,
        every: float = 0.25,
        lease: float = 0.9,
        remember: float = 900.0,
        most: int = 200_000,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._issuer = issuer
        self._token = token
        self._every, self._lease = every, lease
        self._now = monotonic
        self._heard = Heard(remember=remember, most=most)
        self._frames = Frames(issuer=issuer.url, client_id=token.client_id, keys=issuer)
        self._reader = secrets.token_urlsafe(18)
        self._after: int | None = None
        self._caught_up = -lease
        """When the last question whose answer left nothing unread was *sent*."""
        self._task: asyncio.Task[None] | None = None

    @property
    def after(self) -> int | None:
        """Number of the last revocation heard; None before the first answer."""
        return self._after

    def fresh(self) -> bool:
        """Say whether the feed is within its lease."""
        return not self._heard.full and self._now() - self._caught_up < self._lease

    def standing(self, token: AccessToken) -> Standing:
        """Say what is known of a token: a refusal needs no fresh feed, a pass does."""
        if self._heard.revoked(token):
            return Standing.REVOKED
        return Standing.LIVE if self.fresh() and not self._heard.in_doubt(token) else Standing.UNKNOWN

    def hear(self, revocation: Mapping[str, Any]) -> None:
        """Take in one revocation."""
        self._heard.take(revocation, self._now())

    async def poll(self, wait: float = 0.0) -> None:
        """Read everything after the last number heard; raise IssuerUnavailable when that fails.

        `wait`: seconds the service may hold its answer back until there is news. The first question names no
        number: the feed then begins further back than any access token lives.
        """
        while True:
            sent = self._now()
            claims = await self._ask(wait)
            if claims.get("restart") is True and self._after is not None:
                # The feed ends before our number: it was restored from a backup. What was heard stays heard.
                _log.warning("the feed of revocations ends before %s: it is read from its beginning", self._after)
                self._after = None
                continue
            last = last_of(claims, self._after)
            for revocation in entries_of(claims):
                self.hear(revocation)
            self._after = last
            if not claims["more"]:
                self._caught_up = sent
                self._heard.forget(self._now())
                return

    async def _ask(self, wait: float) -> Mapping[str, Any]:
        nonce = secrets.token_urlsafe(18)
        params: dict[str, str | int] = {"nonce": nonce, "reader": self._reader, "wait_ms": int(wait * 1000)}
        if self._after is not None:
            params["after"] = self._after
        answer = await self._token.call(
            "GET", f"{self._issuer.url}/signals/v1/feed", params=params, timeout=httpx2.Timeout(self._lease)
        )
        if answer.status_code != 200:
            raise IssuerUnavailable(f"the feed answered {answer.status_code}")
        if len(answer.content) > LIMIT:
            raise IssuerUnavailable("the feed answered too much")
        return await self._frames.open(answer.content, nonce=nonce, after=self._after)

    async def start(self) -> None:
        """Begin to listen."""
        if self._task is None:
            self._task = asyncio.create_task(self._listen(), name="revocations")

    async def stop(self) -> None:
        """Stop listening."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _listen(self) -> None:
        failing, wait = False, 0.0
        while True:
            pause = _SOON
            try:
                await self.poll(wait)
                wait = self._every
                if failing:
                    _log.warning("revocations are heard again")
                failing = False
            except IssuerUnavailable as problem:
                wait, pause = 0.0, self._every if failing else _SOON
                if not failing:
                    _log.warning("revocations are not heard: %s", problem)
                failing = True
            except Exception:
                # A bug here must not end the listening: the lease then runs out, and doubt is refused.
                _log.exception("revocations: unexpected")
                pause = self._every
            await asyncio.sleep(pause)
