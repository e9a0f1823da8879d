"""What the feed has said: ended sessions, families and tokens, raised epochs, and what is in doubt since."""

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from idp.resource_server.verify import AccessToken

_IN_DOUBT = ("provider_suspended", "portal_closed", "agreement_ended", "delegation_ended", "client_suspended")
"""Kinds that are no one person's: older tokens of the practice or the app are asked about."""


class Heard:
    """Remembers each revocation for `remember` seconds; says so when there are more than `most`."""

    def __init__(self, *, remember: float, most: int) -> None:
        self._remember, self._most = remember, most
        self._sessions: dict[str, float] = {}
        self._families: dict[str, float] = {}
        self._tokens: dict[str, float] = {}
        self._epochs: dict[str, tuple[int, float]] = {}
        self._accounts: dict[str, tuple[float, float]] = {}
        """Accounts that ended without an epoch: (tokens issued until then are refused, remembered until)."""
        self._doubts: dict[tuple[str, str], tuple[float, float]] = {}
        """Practices and apps: (tokens issued until then are asked about, remembered until)."""
        self._swept = 0.0
        self.full = False

    def take(self, revocation: Mapping[str, Any], now: float) -> None:
        """Take in one revocation; `now` is monotonic."""
        until = now + self._remember
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
                self._accounts[account] = (_when(revocation), until)
        elif revocation.get("kind") in _IN_DOUBT:
            for what in ("provider_id", "client_id"):
                named = revocation.get(what)
                if isinstance(named, str):
                    self._doubts[what, named] = (_when(revocation), until)
        self.full = self._kept() > self._most

    def revoked(self, token: AccessToken) -> bool:
        """Say whether a token is refused for what was heard."""
        if token.session_id is not None and token.session_id in self._sessions:
            return True
        if token.family_id is not None and token.family_id in self._families:
            return True
        if token.jti in self._tokens:
            return True
        known = self._epochs.get(token.subject)
        if known is not None and token.authz_epoch is not None and token.authz_epoch < known[0]:
            return True
        ended = self._accounts.get(token.subject)
        return ended is not None and token.issued_at <= ended[0]

    def in_doubt(self, token: AccessToken) -> bool:
        """Say whether something a token rests on changed after it was made: its practice, or its app."""
        for what, named in (("provider_id", token.provider_id), ("client_id", token.client_id)):
            since = self._doubts.get((what, named)) if named is not None else None
            if since is not None and token.issued_at <= since[0]:
                return True
        return False

    def forget(self, now: float) -> None:
        """Drop what is older than any token alive."""
        if now - self._swept < 10.0 and not self.full:
            return
        self._swept = now
        for ended in (self._sessions, self._families, self._tokens):
            for name in [key for key, until in ended.items() if until <= now]:
                del ended[name]
        pairs: tuple[dict[Any, tuple[Any, float]], ...] = (self._epochs, self._accounts, self._doubts)
        for kept in pairs:
            for key in [key for key, (_, until) in kept.items() if until <= now]:
                del kept[key]
        self.full = self._kept() > self._most

    def _kept(self) -> int:
        ended = len(self._sessions) + len(self._families) + len(self._tokens)
        return ended + len(self._epochs) + len(self._accounts) + len(self._doubts)


def _when(revocation: Mapping[str, Any]) -> float:
    """Return the service's own moment of a revocation, in seconds: tokens carry its clock, not this app's."""
    try:
        return datetime.fromisoformat(str(revocation.get("at"))).timestamp()
    except ValueError:
        return time.time()
