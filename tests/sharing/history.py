"""Weeks of a login's life as records of the log, made in a moment: the clock stands where the story says."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest

from idp import clock
from idp.accounts import sessions
from idp.accounts.tables import Device
from idp.audit import checkpoint, log, origin
from idp.audit.events import Event
from idp.audit.seal import Sealer
from idp.database import Database, transaction

HERE, FAR = "203.0.113.9", "198.51.100.7"
FRONT, BACK = ("eligibility.view", "idcard.view", "benefits.view"), ("claim.view", "remit.view", "appeal.file")
"""Two kinds of work."""


class History:
    """Records of one day after the other."""

    def __init__(self, database: Database, provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.database, self.provider, self._patch = database, provider, monkeypatch
        self.now = clock.now()
        self.secrets: dict[str, str] = {}
        """Of the session on a device."""
        self.opened: dict[tuple[str, str], str] = {}
        """Session by account and device."""

    @contextmanager
    def at(self, moment: datetime) -> Iterator[None]:
        """Let it be another time."""
        with self._patch.context() as patch:
            patch.setattr(clock, "now", lambda: moment)
            yield

    def day(self, ago: int, hour: float) -> datetime:
        """Return a moment, so many days ago, at an hour of the clinic (Chicago, standard time)."""
        midnight = self.now.replace(hour=6, minute=0, second=0, microsecond=0)
        return midnight - timedelta(days=ago) + timedelta(hours=hour)

    def device(self, name: str, label: str = "Chrome on Windows") -> None:
        """Make a computer."""
        with transaction(self.database) as db:
            db.add(Device(id=name, token_hash=name.encode(), label=label))

    def session(self, account: str, login: str, device: str) -> str:
        """Open a session, once for each account and device; return its id."""
        if (account, device) not in self.opened:
            with transaction(self.database) as db:
                opened = sessions.open_session(
                    db, account_id=account, login_id=login, acr="aal2", amr=["pwd"], device_id=device
                )
                self.opened[account, device], self.secrets[device] = opened.session.id, opened.secret
        return self.opened[account, device]

    def record(self, db: Any, moment: datetime, who: tuple[str, str], event: Event, address: str = HERE) -> None:
        """Write one record as the service would have then; `who`: account and device."""
        account, device = who
        known = self.opened[account, device]
        with (
            self.at(moment),
            origin.acting_as(account, session_id=known, device_id=device, address=address, user_agent="Chrome"),
        ):
            log.record(db, event)

    def work(
        self, db: Any, ago: int, hour: float, account: str, device: str, *functions: str, address: str = HERE
    ) -> None:
        """Sign in and use functions, ten seconds apart."""
        moment = self.day(ago, hour)
        self.record(db, moment, (account, device), Event("accounts.login.succeeded", account=account), address)
        for number, function in enumerate(functions, 1):
            asked = Event(
                "entitlements.decision.made",
                account=account,
                provider=self.provider,
                entitlement=function,
                outcome="permit",
            )
            self.record(db, moment + timedelta(seconds=10 * number), (account, device), asked, address)

    def seal(self) -> None:
        """Seal what was written."""
        if not self.database.settings.audit_key_file.exists():
            checkpoint.make_key(self.database.settings.audit_key_file)
        Sealer(self.database).seal_all()
