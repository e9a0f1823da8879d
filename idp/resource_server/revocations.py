"""Hear what was taken away, and refuse tokens that outlived it (security.md 92).

The feed is asked every 250 ms, in one background task. What it says holds here at once; when it has said nothing
for longer than the lease (900 ms), a token is in doubt, and doubt is settled by introspection or refused.
"""

import asyncio
import enum
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import httpx2

from idp.resource_server.issuer import Issuer, read_object
from idp.resource_server.problems import IssuerUnavailable
from idp.resource_server.service import ServiceToken
from idp.resource_server.verify import AccessToken

_log = logging.getLogger("idp.resource_server")


class Standing(enum.Enum):
    """What the feed knows of a token."""

    LIVE = "live"
    REVOKED = "revoked"
    UNKNOWN = "unknown"
    """The feed is older than its lease."""


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
        self._every, self._lease, self._remember, self._most = every, lease, remember, most
        self._now = monotonic
        self._after: int | None = None
        self._caught_up = -lease
        """When the last request that left nothing unread was *sent*."""
        self._sessions: dict[str, float] = {}
        self._families: dict[str, float] = {}
        self._tokens: dict[str, float] = {}
        self._epochs: dict[str, tuple[int, float]] = {}
        self._accounts: dict[str, tuple[float, float]] = {}
        """Accounts that ended without an epoch: (tokens issued until then are refused, remembered until)."""
        self._task: asyncio.Task[None] | None = None
        self._full = False
        self._swept = 0.0

    @property
    def after(self) -> int | None:
        """Number of the last revocation heard; None before the first answer."""
        return self._after

    def fresh(self) -> bool:
        """Say whether the feed is within its lease."""
        return not self._full and self._now() - self._caught_up < self._lease

    def standing(self, token: AccessToken) -> Standing:
        """Say what is known of a token: a refusal needs no fresh feed, a pass does."""
        if token.session_id is not None and token.session_id in self._sessions:
            return Standing.REVOKED
        if token.family_id is not None and token.family_id in self._families:
            return Standing.REVOKED
        if token.jti in self._tokens:
            return Standing.REVOKED
        known = self._epochs.get(token.subject)
        if known is not None and token.authz_epoch is not None and token.authz_epoch < known[0]:
            return Standing.REVOKED
        ended = self._accounts.get(token.subject)
        if ended is not None and token.issued_at <= ended[0]:
            return Standing.REVOKED
        return Standing.LIVE if self.fresh() else Standing.UNKNOWN

    def hear(self, revocation: Mapping[str, Any]) -> None:
        """Take in one revocation."""
        until = self._now() + self._remember
        names = ("session_id", "family_id", "account_id", "authz_epoch")
        session, family, account, epoch = (revocation.get(name) for name in names)
        if isinstance(family, str):
            self._families[family] = until
        elif isinstance(session, str) and revocation.get("kind") != "family_ended":
            self._sessions[session] = until
        one = revocation.get("token_id")
        if isinstance(one, str):
            self._tokens[one] = until
        if isinstance(account, str):
            if type(epoch) is int:
                self._epochs[account] = (max(epoch, self._epochs.get(account, (0, 0.0))[0]), until)
            elif not isinstance(session, str) and not isinstance(family, str):
                self._accounts[account] = (time.time(), until)
        self._full = self._kept() > self._most

    def _kept(self) -> int:
        ended = len(self._sessions) + len(self._families) + len(self._tokens)
        return ended + len(self._epochs) + len(self._accounts)

    async def poll(self) -> None:
        """Read everything after the last number heard; raise IssuerUnavailable when that fails.

        The first request names no number: the feed then begins further back than any access token lives.
        """
        while True:
            sent = self._now()
            answer = await self._token.call(
                "GET",
                f"{self._issuer.url}/signals/v1/revocations",
                params={} if self._after is None else {"after": self._after},
                timeout=httpx2.Timeout(self._lease),
            )
            if answer.status_code == 409 and self._after is not None:
                # The feed ends before our number: it was restored from a backup. Begin again.
                self._after = None
                continue
            if answer.status_code != 200:
                raise IssuerUnavailable(f"the feed answered {answer.status_code}")
            body = read_object(answer.content)
            listed = body.get("revocations")
            if not isinstance(listed, list):
                raise IssuerUnavailable("the feed's answer holds no revocations")
            for revocation in listed:
                if not isinstance(revocation, dict) or type(revocation.get("seq")) is not int:
                    raise IssuerUnavailable("a revocation without a number")
                self.hear(revocation)
            last = body.get("last")
            if type(last) is not int:
                raise IssuerUnavailable("the feed's answer does not say where it ends")
            self._after = last
            if not body.get("more", False):
                self._caught_up = sent
                self._forget()
                return

    def _forget(self) -> None:
        now = self._now()
        if now - self._swept < 10.0 and not self._full:
            return
        self._swept = now
        for ended in (self._sessions, self._families, self._tokens):
            for name in [key for key, until in ended.items() if until <= now]:
                del ended[name]
        for account in [key for key, (_, until) in self._epochs.items() if until <= now]:
            del self._epochs[account]
        for account in [key for key, (_, until) in self._accounts.items() if until <= now]:
            del self._accounts[account]
        self._full = self._kept() > self._most

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
        failing = False
        while True:
            began = self._now()
            try:
                await self.poll()
                if failing:
                    _log.warning("revocations are heard again")
                failing = False
            except IssuerUnavailable as problem:
                if not failing:
                    _log.warning("revocations are not heard: %s", problem)
                failing = True
            except Exception:
                # A bug here must not end the listening: the lease then runs out, and doubt is refused.
                _log.exception("revocations: unexpected")
            await asyncio.sleep(max(0.02, self._every - (self._now() - began)))
