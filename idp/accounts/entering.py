"""Open a session in the lane for somebody who has just proved a login: what is read of them, and the one group commit.

Only the plain case: an active person, nobody signed in on the browser. `opening` is the other lane's way, for every
case; what both write (a device, a session, a record) is written by the same modules.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from idp import clock, entropy
from idp.accounts import devices, flows, new_device, sessions
from idp.accounts.assurance import AAL2, meets
from idp.accounts.flows import Kept
from idp.accounts.opening import Browser
from idp.accounts.second_factor import STAFF_OR_MANAGER
from idp.audit import log
from idp.audit.events import Event
from idp.audit.log import StoredKey
from idp.configuration import Clocks, Configuration
from idp.database import Database
from idp.database.lane import Work

_MANAGES = STAFF_OR_MANAGER.format(account="a.id", now="CAST({now} AS BIGINT)")
COLUMNS = (
    "l.id, l.account_id, a.status, k.account_id, k.key, kd.device_id, kd.remembered_until, kd.factor_at, "  # noqa: S608 - our own names
    "CASE WHEN EXISTS (SELECT 1 FROM factor fa WHERE fa.account_id = a.id AND fa.ended_at IS NULL "
    "AND fa.kind <> 'recovery' AND fa.confirmed_at IS NOT NULL) THEN 1 ELSE 0 END, "
    f"CASE WHEN EXISTS ({_MANAGES}) THEN 1 ELSE 0 END"
)
"""What a statement reads of the owner of login `l` on device `d`; `{now}` is its parameter of the moment."""
JOINS = (
    "LEFT JOIN account a ON a.id = l.account_id "
    "LEFT JOIN subject_key k ON k.account_id = a.id "
    "LEFT JOIN known_device kd ON kd.device_id = d.id AND kd.account_id = a.id"
)
WIDTH = 10


class Overtaken(Exception):
    """Something the session would rest on changed in the middle of its commit: nothing was written."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose login it is, and what this device knows of them."""

    login_id: str
    account_id: str
    status: str
    subject_key: StoredKey | None
    knows_device: bool
    remembered_until: datetime | None
    """A second step was used on this device, in a session that would have lasted until then (domain.md 9)."""
    factor_at: datetime | None
    has_factor: bool
    staff_or_manager: bool

    def needs_factor(self, settings: Configuration) -> bool:
        """Say whether this person uses a second step at every sign-in, as second_factor.needs_factor does."""
        return self.staff_or_manager or settings.second_factor_for_everyone


def owner(row: Sequence[Any]) -> Owner | None:
    """Name what COLUMNS read; None where there is no such login."""
    login_id, account_id, status, has_key, key, known, remembered_until, factor_at, has_factor, manages = row
    if login_id is None:
        return None
    return Owner(
        login_id=login_id,
        account_id=account_id,
        status=status,
        subject_key=StoredKey(bytes(key) if key is not None else None) if has_key else None,
        knows_device=known is not None,
        remembered_until=None if remembered_until is None else clock.from_micros(remembered_until),
        factor_at=None if factor_at is None else clock.from_micros(factor_at),
        has_factor=bool(has_factor),
        staff_or_manager=bool(manages),
    )


@dataclass(frozen=True, slots=True)
class Proof:
    """How a login was proved, and how strongly."""

    acr: str
    amr: tuple[str, ...]
    auth_time: datetime | None = None
    """When an organization authenticated the person; None for now and here."""
    upstream_id: str | None = None
    partner_id: str | None = None
    upstream_sid: str | None = None


@dataclass(frozen=True, slots=True)
class Entered:
    """The session about to be opened and the secrets for the two cookies."""

    session: sessions.Fresh
    device_secret: str | None = field(repr=False)
    upstream_id: str | None = None


def entering(
    whose: Owner, proof: Proof, *, device_id: str | None, browser: Browser, settings: Configuration, now: datetime
) -> Entered:
    """Make the session a proof entitles to; as strong as a second step remembered here."""
    strong = meets(proof.acr, AAL2)
    limit = None if strong or whose.needs_factor(settings) else whose.remembered_until
    again = limit is not None and now < limit
    session = sessions.Fresh(
        id=entropy.new_id("ses"),
        secret=entropy.token(),
        account_id=whose.account_id,
        login_id=whose.login_id,
        acr=AAL2 if again else proof.acr,
        amr=(*proof.amr, "mfa") if again else proof.amr,
        device_id=device_id or entropy.new_id("dev"),
        channel=browser.channel,
        auth_time=proof.auth_time,
        factor_time=whose.factor_at if again else proof.auth_time if strong else None,
        until=limit if again else None,
        partner_id=proof.partner_id,
        upstream_sid=proof.upstream_sid,
    )
    return Entered(session, None if device_id else entropy.token(), proof.upstream_id)


def opening(
    database: Database,
    whose: Owner,
    entered: Entered,
    browser: Browser,
    *,
    here: Kept,
    left: Kept,
    ground: Callable[[], Work],
    clocks: Clocks,
    onward: Callable[[], Work],
    now: datetime,
    before: Sequence[Event] = (),
) -> Callable[[], Work]:
    """Return the work that opens the session, in a group of the lane, and answers what `onward` does; raises Overtaken.

    `ground` says whether what was proved still holds, and holds it until the commit; where it answers False the work
    answers None. `left` is the journey `here` as the sign-in leaves it. `before`: events to record with it. `onward`
    finds the session there, and says where the browser goes.
    """
    session = entered.session
    arrived = flows.completed(
        flows.changed(left, session_id=session.id), "sign_in", now, now + clocks.flow, session=session.id
    )
    details = {"login": session.login_id, "upstream": entered.upstream_id, "acr": session.acr, "amr": list(session.amr)}
    event = Event(
        "accounts.login.succeeded",
        account=session.account_id,
        session=session.id,
        channel=session.channel,
        details=details,
    )
    first = [log.person_record(database, one, now, whose.subject_key) for one in before]
    recorded = log.person_record(database, event, now, whose.subject_key)
    tell = None
    if not whose.knows_device:
        tell = new_device.telling(
            database, session.account_id, session.device_id, browser.user_agent, now=now, key=whose.subject_key
        )
    # A right password alone does not make a device known where a second step is to follow.
    remember = not whose.knows_device and (meets(session.acr, AAL2) or not whose.has_factor)

    def work() -> Work:
        if not (yield from ground()):
            return None
        until = session.until
        if until is not None and not (
            yield from devices.still_remembered(session.account_id, session.device_id, until)
        ):
            raise Overtaken
        if not (yield from flows.keep_instead(arrived, here)):
            raise Overtaken
        for record in first:
            yield from record()
        if entered.device_secret is not None:
            yield from devices.insert(session.device_id, entered.device_secret, browser.user_agent, now)
        else:
            yield from devices.saw_in_lane(session.device_id, now)
        if remember:
            yield from devices.remember_in_lane(session.account_id, session.device_id, now)
        if tell is not None:
            yield from tell()
        yield from sessions.insert(session, clocks, now)
        yield from recorded()
        return (yield from onward())

    return work
