"""How a person stands with an organisation at one moment: what gates 1 to 10 look at, reduced to answers.

Two parts, remembered apart (memo.py): the organisation with its line of business, which many people
share and which only the policy epoch outdates; and the person there, outdated by their own version too.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, NamedTuple

import orjson

from idp.database.lane import Work
from idp.entitlements.before import Before, SessionFacts
from idp.entitlements.dates import Dates
from idp.entitlements.histories import Histories
from idp.entitlements.standing_rows import FIRST, ORGANISATION, PERSON, STATUSES
from idp.entitlements.world import World

__all__ = ["FIRST", "ORGANISATION", "PERSON", "STATUSES", "before_of", "organisation", "person"]


@dataclass(frozen=True, slots=True)
class DelegationFacts:
    """A delegation at that moment, its chain not yet walked."""

    delegation_id: str
    partner_id: str
    parent_id: str | None
    entitlements: frozenset[str]
    lines: frozenset[str]
    in_force: bool
    places: frozenset[str] | None = None
    """Places it is good for; None means all."""


@dataclass(frozen=True, slots=True)
class Organisation:
    """An organisation and one line of business, at one moment."""

    name: str
    exists: bool
    active: bool
    is_insurer: bool
    portal: str | None
    """Id of the insurer's opening in force; None when the portal is closed to it."""
    agreement: str | None
    participates: bool
    capitation: bool
    credentialed: bool
    licences: tuple[frozenset[str] | None, ...]
    """Services each licence in date covers; None means all."""
    delegations: dict[str, DelegationFacts]
    since: int
    until: int
    channels: frozenset[str] | None = None
    """Channels the insurer opened to it; None where all that are open at all."""
    withheld: frozenset[str] = frozenset()
    """Functions the insurer keeps from it in this line."""


class GrantRow(NamedTuple):
    """A stored grant or pause; moments in microseconds. `revoked`: somebody ended it before its own end."""

    grant_id: str
    entitlement: str
    effect: str
    delegation_id: str | None
    not_before: int
    expires_at: int | None
    revoked: bool


class AppointmentRow(NamedTuple):
    """An appointment as access manager for this organisation and line."""

    appointment_id: str
    starts_at: int
    ends_at: int | None
    revoked: bool


@dataclass(slots=True)
class Person:
    """A person at an organisation, at one moment; not frozen, as Facts are not."""

    exists: bool
    active: bool
    """Status `active` or `ceased`; what ceased is gate 3's to say."""
    ceased: bool
    ial: int
    terms_accepted: bool
    attested: bool
    affiliated_once: bool
    """An approved affiliation has begun."""
    affiliated: bool
    """One is in force."""
    affiliation: str | None
    """Id of the one in force."""
    partner_id: str | None
    """The third party the person works for, by the affiliation in force."""
    grants: dict[str, list[GrantRow]]
    """By function, each function's in the order they begin."""
    appointments: tuple[AppointmentRow, ...]
    since: int
    until: int
    places: frozenset[str] | None = None
    """Places a third party's person works for, by the affiliation in force; None means all."""
    joining: bool = False
    """Invited or registering, and not done yet: not active, and never was on hold."""
    given: dict[str, object] = field(default_factory=dict)
    """What Casbin said of each function asked about; lives and dies with this object."""
    settled: dict[str, tuple[Any, ...]] = field(default_factory=dict, compare=False)
    """Gates still to be asked of each function (decision.py: settled); lives and dies with this object."""
    begun: tuple[tuple[Any, ...], bool] | None = field(default=None, compare=False)
    """The first of them, which are the same whatever the function; and whether they end there."""


_GRANTED = attrgetter("not_before", "grant_id")
_APPOINTED = attrgetter("starts_at", "appointment_id")


def organisation(provider_id: str, line: str, dates: Dates) -> Work:
    """Read an organisation and one line of it; return it as of the dates' moment."""
    rows = yield ORGANISATION, (provider_id, line)
    kept = Histories((yield STATUSES, (provider_id,)) if dates.replay else (), dates)
    then = kept.value if dates.replay else _as_it_is
    name, exists, active, kind, arrangement = "", False, False, "", ""
    portal = agreement = None
    participates = credentialed = False
    licences: list[frozenset[str] | None] = []
    delegations: dict[str, DelegationFacts] = {}
    channels: frozenset[str] | None = None
    withheld: set[str] = set()
    for what, row_id, a, b, c, d, e, w, x, y, z, f in rows:
        if what == "provider":
            name, exists, kind = a, True, c
            active = then(row_id, "status", b) == "active"
            arrangement = then(row_id, "payment_arrangement", d)
            opened = orjson.loads(then(row_id, "channels", "null" if e is None else e))
            channels = None if opened is None else frozenset(opened)
        elif what == "portal":
            if dates.holds(w, x, y):
                portal = row_id
        elif what == "agreement":
            if dates.holds(w, x):
                agreement = row_id
        elif what == "participation":
            participates = dates.holds(w, x) or participates
        elif what == "withheld":
            if dates.holds(w, x):
                withheld.add(a)
        elif what == "delegation":
            status = then(row_id, "status", e)
            usable = status == "active" or (status == "ended" and dates.replay and y is not None)
            parent = then(row_id, "parent_id", b or "null")
            delegations[row_id] = DelegationFacts(
                row_id,
                then(row_id, "partner_id", a),
                None if parent == "null" else parent,
                frozenset(orjson.loads(then(row_id, "entitlements", c))),
                frozenset(orjson.loads(then(row_id, "lines", d))),
                dates.holds(w, x, y) and usable,
                _places(then(row_id, "locations", f or "null")),
            )
        else:
            in_date = dates.holds(w, x)
            joined = dates.holds(y, z) and not any(dates.holds(*gap) for gap in kept.gaps(d, "deactivated_at"))
            if in_date and joined and c:
                if a == "credentialing":
                    credentialed = True
                else:
                    services = None if b is None else orjson.loads(b)
                    licences.append(None if services is None else frozenset(services))
    return Organisation(
        name=name,
        exists=exists,
        active=active,
        is_insurer=kind == "insurer",
        portal=portal,
        agreement=agreement,
        participates=participates,
        capitation=arrangement == "capitation",
        credentialed=credentialed,
        licences=tuple(licences),
        delegations=delegations,
        since=dates.at,
        until=dates.until,
        channels=channels,
        withheld=frozenset(withheld),
    )


def before_of(rows: Sequence[Any]) -> Before:
    """Return versions and session out of the rows of `FIRST`."""
    epoch = version = 0
    session = None
    for what, account_id, acr, partner_id, ends, x, y, z in rows:
        if what == "versions":
            epoch, version = x, y
        elif what == "session":
            expires, ended, shut = map(int, ends.split())
            session = SessionFacts(account_id, acr, x, y, z, expires, ended or None, partner_id, shut or None)
    return Before(epoch, version, session)


def person(who: tuple[str, str, str], world: World, dates: Dates, rows: Sequence[Any] | None = None) -> Work:
    """Read a person and what they hold at an organisation; return it as of the dates' moment.

    `who`: account, organisation, line of business. `rows`: those of `FIRST`, where they were read with the versions.
    """
    if rows is None:
        rows = yield PERSON, who
    at, until = dates.at, dates.until
    kept = Histories((yield STATUSES, who[:1]), dates) if dates.replay else None
    status, ial, ceased_at, exists = "", 0, None, False
    accepted: dict[str, int] = {}
    attested = affiliated_once = affiliated = False
    partner_id = affiliation = places = None
    grants: dict[str, list[GrantRow]] = {}
    appointments: list[AppointmentRow] = []
    for what, row_id, a, b, c, x, y, z in rows:
        if what == "grant":
            if at < x < until:
                until = x
            if y is not None and at < y < until:
                until = y
            grant = GrantRow(row_id, a, b, c, x, y, z is not None and _revoked(dates, y, z))
            grants.setdefault(a, []).append(grant)
        elif what == "terms":
            accepted[row_id] = x
        elif what == "account":
            exists, status, ial, ceased_at = True, a, x, y
        elif what == "attestation":
            attested = dates.holds(x, y) or attested
        elif what == "affiliation":
            affiliated_once = dates.begun(x) or affiliated_once
            if dates.holds(x, y, z):
                affiliated, affiliation, partner_id = True, row_id, a
                stored = b or "null"
                places = _places(stored if kept is None else kept.value(row_id, "locations", stored))
        elif what == "appointment":
            dates.turns(x)
            dates.turns(y)
            appointments.append(AppointmentRow(row_id, x, y, z is not None and _revoked(dates, y, z)))
    dates.turns(until)
    if kept is not None and exists:
        dates.turns(ceased_at)
        status = kept.value(who[0], "status", status)
        ial = int(kept.value(who[0], "ial", str(ial)))
    ceased = status == "ceased" and (ceased_at is None or dates.begun(ceased_at))
    for held in (some for some in grants.values() if len(some) > 1):
        held.sort(key=_GRANTED)
    appointments.sort(key=_APPOINTED)
    return Person(
        exists,
        status in ("active", "ceased"),
        ceased,
        ial,
        _accepted(world, accepted, dates),
        attested,
        affiliated_once,
        affiliated,
        affiliation,
        partner_id,
        grants,
        tuple(appointments),
        dates.at,
        dates.until,
        places,
        exists and status in ("invited", "verified"),
    )


def _places(stored: str) -> frozenset[str] | None:
    named = orjson.loads(stored)
    return None if named is None else frozenset(map(str, named))


def _as_it_is(subject_id: str, what: str, now: str) -> str:
    return now


def _revoked(dates: Dates, expires_at: int | None, ended_at: int | None) -> bool:
    """Say whether somebody ended it before its own end; marking an expiry afterwards is not that."""
    if ended_at is None or (expires_at is not None and expires_at <= ended_at):
        return False
    return dates.ended(ended_at)


def _accepted(world: World, accepted: dict[str, int], dates: Dates) -> bool:
    """Say whether the current version of each document, or a later one, was accepted by then."""
    for versions in world.wanted_terms(dates):
        for one in versions:
            if one in accepted and dates.begun(accepted[one]):
                break
        else:
            return False
    return True
