"""The plain password sign-in, in the lane: one read, one counted try, the hash, one group commit.

Plain means what happens a thousand times a minute: an active person's right password, in a browser nobody is
signed in on. Whatever is not plain is left to `login.by_password` and its parts, which know every case; what both
write (a counter, a device, a session, a record) is written by the same modules.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from idp import clock, entropy
from idp.accounts import attempts, devices, flows, local_logins, new_device, sessions
from idp.accounts.assurance import AAL1, AAL2
from idp.accounts.flows import Kept
from idp.accounts.login import Tried
from idp.accounts.opening import Browser
from idp.accounts.second_factor import STAFF_OR_MANAGER
from idp.audit import log
from idp.audit.events import Event
from idp.audit.log import StoredKey
from idp.configuration import Clocks, Configuration
from idp.database import Database
from idp.database.lane import Sql, Work

_NOTHING = b""
"""Hash of no cookie: no row has it."""
_FLOW = ", ".join(f"f.{name}" for name in flows.COLUMNS)
_STATEMENT = Sql(
    f"SELECT e.epoch, {_FLOW}, s.id, d.id, l.id, l.account_id, w.hash, w.changed_at, a.status, k.account_id, k.key, "  # noqa: S608 - our own names
    "kd.device_id, kd.remembered_until, kd.factor_at, "
    "CASE WHEN EXISTS (SELECT 1 FROM factor fa WHERE fa.account_id = a.id AND fa.ended_at IS NULL "
    "AND fa.kind <> 'recovery' AND fa.confirmed_at IS NOT NULL) THEN 1 ELSE 0 END, "
    f"CASE WHEN EXISTS ({STAFF_OR_MANAGER.format(account='a.id', now='CAST($6 AS BIGINT)')}) THEN 1 ELSE 0 END "
    "FROM policy_epoch e "
    "LEFT JOIN flow f ON f.id = $1 "
    "LEFT JOIN session s ON s.token_hash = $2 AND s.ended_at IS NULL "
    "LEFT JOIN device d ON d.token_hash = $3 "
    "LEFT JOIN login l ON l.issuer = $4 AND l.subject = $5 AND l.ended_at IS NULL "
    "LEFT JOIN password w ON w.login_id = l.id "
    "LEFT JOIN account a ON a.id = l.account_id "
    "LEFT JOIN subject_key k ON k.account_id = a.id "
    "LEFT JOIN known_device kd ON kd.device_id = d.id AND kd.account_id = a.id"
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
    login_id: str | None
    account_id: str | None
    stored: str | None = field(repr=False)
    since: int | None
    status: str | None
    subject_key: StoredKey | None
    knows_device: bool
    remembered_until: datetime | None
    """A second step was used on this device, in a session that would have lasted until then (domain.md 9)."""
    factor_at: datetime | None
    has_factor: bool
    staff_or_manager: bool

    @property
    def plain(self) -> bool:
        """Say whether nothing about the person or the browser asks for more than opening a session."""
        return self.status == "active" and not self.has_session


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
    epoch, *found = row
    width = len(flows.COLUMNS)
    (
        session_id, device_id, login_id, account_id, stored, since, status, has_key, key,
        known, remembered_until, factor_at, has_factor, manages,
    ) = found[width:]  # fmt: skip
    return Met(
        epoch=epoch,
        flow=flows.kept(found[:width]),
        has_session=session_id is not None,
        device_id=device_id,
        login_id=login_id if stored is not None else None,
        account_id=account_id if stored is not None else None,
        stored=stored,
        since=since,
        status=status,
        subject_key=StoredKey(bytes(key) if key is not None else None) if has_key else None,
        knows_device=known is not None,
        remembered_until=None if remembered_until is None else clock.from_micros(remembered_until),
        factor_at=None if factor_at is None else clock.from_micros(factor_at),
        has_factor=bool(has_factor),
        staff_or_manager=bool(manages),
    )


def tried(database: Database, met: Met, user_name: str) -> Tried:
    """Say which counter a try belongs to, and against what it is checked."""
    key = attempts.key_of(
        database.ring,
        "password",
        account_id=met.account_id,
        name=local_logins.normalised_name(user_name)[:256],
        known_device=met.device_id if met.knows_device else None,
    )
    return Tried(key, met.account_id, met.login_id, met.stored, met.since)


@dataclass(frozen=True, slots=True)
class Entered:
    """The session about to be opened and the secrets for the two cookies."""

    session: sessions.Fresh
    device_secret: str | None = field(repr=False)


def needs_factor(met: Met, settings: Configuration) -> bool:
    """Say whether this person uses a second step at every sign-in, as second_factor.needs_factor does."""
    return met.staff_or_manager or settings.second_factor_for_everyone


def entering(met: Met, browser: Browser, settings: Configuration, now: datetime) -> Entered:
    """Make the session of a person whose password was right; as strong as a second step remembered here."""
    assert met.account_id is not None
    assert met.login_id is not None
    again = met.remembered_until is not None and now < met.remembered_until and not needs_factor(met, settings)
    session = sessions.Fresh(
        id=entropy.new_id("ses"),
        secret=entropy.token(),
        account_id=met.account_id,
        login_id=met.login_id,
        acr=AAL2 if again else AAL1,
        amr=("pwd", "mfa") if again else ("pwd",),
        device_id=met.device_id or entropy.new_id("dev"),
        channel=browser.channel,
        factor_time=met.factor_at if again else None,
        until=met.remembered_until if again else None,
    )
    return Entered(session, None if met.device_id else entropy.token())


def opening(
    database: Database, met: Met, trial: Tried, entered: Entered, browser: Browser, *, clocks: Clocks, now: datetime
) -> Callable[[], Work]:
    """Return the work a right password brings.

    It answers False, and opens nothing, where the login, its password or the journey changed meanwhile.
    """
    session, here = entered.session, met.flow
    assert here is not None
    arrived = flows.completed(
        flows.changed(flows.noted(here, "identifier", None), session_id=session.id),
        "sign_in",
        now,
        now + clocks.flow,
        session=session.id,
    )
    details = {"login": session.login_id, "upstream": None, "acr": session.acr, "amr": list(session.amr)}
    event = Event(
        "accounts.login.succeeded",
        account=session.account_id,
        session=session.id,
        channel=session.channel,
        details=details,
    )
    recorded = log.person_record(database, event, now, met.subject_key)
    tell = None
    if not met.knows_device:
        tell = new_device.telling(
            database, session.account_id, session.device_id, browser.user_agent, now=now, key=met.subject_key
        )

    def work() -> Work:
        used = yield _USED, (session.login_id, clock.micros(now))
        if not used or not (yield from local_logins.unchanged(session.login_id, met.since)):
            return False
        until = session.until
        if until is not None and not (
            yield from devices.still_remembered(session.account_id, session.device_id, until)
        ):
            return False
        if not (yield from flows.keep_instead(arrived, here)):
            return False
        yield from attempts.forgetting(trial.key)
        if entered.device_secret is not None:
            yield from devices.insert(session.device_id, entered.device_secret, browser.user_agent, now)
        else:
            yield from devices.saw_in_lane(session.device_id, now)
        if not met.has_factor and not met.knows_device:
            # A right password alone does not make a device known where a second step is to follow.
            yield from devices.remember_in_lane(session.account_id, session.device_id, now)
        if tell is not None:
            yield from tell()
        yield from sessions.insert(session, clocks, now)
        yield from recorded()
        return True

    return work
