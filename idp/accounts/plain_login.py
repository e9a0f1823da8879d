"""The plain password sign-in, in the lane: one read, one counted try, the hash, one group commit.

Plain means what happens a thousand times a minute: an active person's right password, in a browser nobody is
signed in on. Whatever is not plain is left to `login.by_password` and its parts, which know every case; what both
write (a counter, a device, a session, a record) is written by the same modules.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from idp import clock
from idp.accounts import attempts, devices, entering, flows, local_logins, sessions
from idp.accounts.assurance import AAL1
from idp.accounts.entering import Entered, Owner, Proof
from idp.accounts.flows import Kept
from idp.accounts.login import Tried
from idp.accounts.opening import Browser
from idp.configuration import Clocks
from idp.database import Database
from idp.database.lane import Sql, Work

PROOF = Proof(AAL1, ("pwd",))
_NOTHING = b""
"""Hash of no cookie: no row has it."""
_FLOW = ", ".join(f"f.{name}" for name in flows.COLUMNS)
_STATEMENT = Sql(
    f"SELECT e.epoch, s.id, d.id, w.hash, w.changed_at, {_FLOW}, {entering.COLUMNS.format(now='$6')} "  # noqa: S608 - our own names
    "FROM policy_epoch e "
    "LEFT JOIN flow f ON f.id = $1 "
    "LEFT JOIN session s ON s.token_hash = $2 AND s.ended_at IS NULL "
    "LEFT JOIN device d ON d.token_hash = $3 "
    "LEFT JOIN login l ON l.issuer = $4 AND l.subject = $5 AND l.ended_at IS NULL "
    "LEFT JOIN password w ON w.login_id = l.id "
    f"{entering.JOINS}"
)
_USED = Sql(
    "UPDATE login SET last_used_at = $2 WHERE id = $1 AND ended_at IS NULL "
    "AND EXISTS (SELECT 1 FROM account a WHERE a.id = login.account_id AND a.status = 'active') RETURNING 1"
)


@dataclass(frozen=True, slots=True)
class Met:
    """What the statement found: the journey, the browser, and whose name was typed."""

    epoch: int
    flow: Kept | None
    has_session: bool
    """Somebody is, or was a moment ago, signed in on this browser."""
    device_id: str | None
    whose: Owner | None
    """The owner of the name that was typed, if it has a password."""
    stored: str | None = field(repr=False)
    since: int | None

    @property
    def plain(self) -> bool:
        """Say whether nothing about the person or the browser asks for more than opening a session."""
        return self.whose is not None and self.whose.status == "active" and not self.has_session


def read(
    *, issuer: str, now: datetime, flow_id: str, session: str | None, device: str | None, user_name: str | None = None
) -> Work:
    """Read the journey, this browser's cookies and the login of a user name; answers Met."""
    name = local_logins.normalised_name(user_name) if user_name is not None else None
    session_hash = sessions.hash_of(session) if session else _NOTHING
    device_hash = devices.hash_of(device) if device else _NOTHING
    [row] = yield _STATEMENT, (flow_id, session_hash, device_hash, issuer, name, clock.micros(now))
    return _met(row)


def _met(row: Sequence[Any]) -> Met:
    epoch, session_id, device_id, stored, since, *found = row
    width = len(flows.COLUMNS)
    return Met(
        epoch=epoch,
        flow=flows.kept(found[:width]),
        has_session=session_id is not None,
        device_id=device_id,
        whose=entering.owner(found[width:]) if stored is not None else None,
        stored=stored,
        since=since,
    )


def tried(database: Database, met: Met, user_name: str) -> Tried:
    """Say which counter a try belongs to, and against what it is checked."""
    whose = met.whose
    account_id, login_id = (whose.account_id, whose.login_id) if whose is not None else (None, None)
    key = attempts.key_of(
        database.ring,
        "password",
        account_id=account_id,
        name=local_logins.normalised_name(user_name)[:256],
        known_device=met.device_id if whose is not None and whose.knows_device else None,
    )
    return Tried(key, account_id, login_id, met.stored, met.since)


def opening(
    database: Database,
    met: Met,
    trial: Tried,
    entered: Entered,
    browser: Browser,
    *,
    clocks: Clocks,
    onward: Callable[[], Work],
    now: datetime,
) -> Callable[[], Work]:
    """Return the work a right password brings; it answers what `onward` does.

    It answers None, and opens nothing, where the login or its password changed meanwhile; raises Overtaken.
    """
    assert met.flow is not None
    assert met.whose is not None
    login_id = met.whose.login_id

    def ground() -> Work:
        used = yield _USED, (login_id, clock.micros(now))
        if not used or not (yield from local_logins.unchanged(login_id, met.since)):
            return False
        yield from attempts.forgetting(trial.key)
        return True

    return entering.opening(
        database,
        met.whose,
        entered,
        browser,
        here=met.flow,
        left=flows.noted(met.flow, "identifier", None),
        ground=ground,
        clocks=clocks,
        onward=onward,
        now=now,
    )
