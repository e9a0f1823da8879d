"""Who arrives at the authorize endpoint and what they have done: one statement reads all the steps ask for.

The lane runs it on its reader, the pages of the journey in their transaction (`drive`); the rules in steps.py
and practices.py judge what it found.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from idp import clock
from idp.accounts import flows, sessions
from idp.accounts.flows import Kept
from idp.accounts.second_factor import STAFF_OR_MANAGER
from idp.audit.log import StoredKey
from idp.database.lane import Sql, Work
from idp.oauth.memory import KINDS, Picture
from idp.partners import standing

_NOTHING = b""
"""Hash of no cookie: no row has it."""
_SESSION = (
    "s.id, s.account_id, s.acr, s.amr, s.auth_time, s.factor_time, s.device_id, s.channel, s.last_seen_at, "
    "s.expires_at, s.ended_at, s.partner_id, p.status, COALESCE(l.ended_at, l.held_at), u.status"
)
_FLOW = ", ".join(f"f.{name}" for name in flows.COLUMNS)
_STATEMENT = Sql(
    f"SELECT e.epoch, {_SESSION}, {_FLOW}, a.status, k.account_id, k.key, c.scopes, "  # noqa: S608 - our own names
    f"CASE WHEN EXISTS ({STAFF_OR_MANAGER.format(account='a.id', now='CAST($4 AS BIGINT)')}) THEN 1 ELSE 0 END, "
    "(SELECT count(DISTINCT d.kind) FROM terms_acceptance ta JOIN terms_document d ON d.id = ta.document_id "
    "WHERE ta.account_id = a.id AND d.effective_at >= "
    "CASE d.kind WHEN 'general' THEN CAST($5 AS BIGINT) ELSE CAST($6 AS BIGINT) END), "
    "(SELECT max(t.expires_at) FROM attestation t WHERE t.account_id = a.id AND t.attested_at <= CAST($4 AS BIGINT)), "
    "pr.id, pr.name, pr.tin_last4, pr.status, af.capacity, af.ends_at, af.partner_id, ap.status, pr.channels "
    "FROM policy_epoch e "
    "LEFT JOIN session s ON s.token_hash = $1 "
    "LEFT JOIN partner p ON p.id = s.partner_id "
    "LEFT JOIN login l ON l.id = s.login_id LEFT JOIN upstream u ON u.id = l.upstream_id "
    "LEFT JOIN flow f ON f.id = $2 "
    "LEFT JOIN account a ON a.id = s.account_id "
    "LEFT JOIN subject_key k ON k.account_id = a.id "
    "LEFT JOIN consent c ON c.account_id = a.id AND c.client_id = COALESCE(CAST($3 AS VARCHAR), f.client_id) "
    "AND c.ended_at IS NULL "
    "LEFT JOIN affiliation af ON af.account_id = a.id AND af.ended_at IS NULL AND af.starts_at <= CAST($4 AS BIGINT) "
    "AND (af.ends_at IS NULL OR af.ends_at > CAST($4 AS BIGINT)) "
    "LEFT JOIN provider pr ON pr.id = af.provider_id "
    "LEFT JOIN partner ap ON ap.id = af.partner_id WHERE e.id = 1"
)
_WIDTH_OF_SESSION = 15
_WIDTH_OF_FLOW = len(flows.COLUMNS)


@dataclass(frozen=True, slots=True)
class SessionSeen:
    """A browser session as it stands in its row."""

    id: str
    account_id: str
    acr: str
    amr: list[str]
    auth_time: datetime
    factor_time: datetime | None
    device_id: str | None
    channel: str
    last_seen_at: datetime
    expires_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Practice:
    """One organisation a person is approved to act for."""

    provider_id: str
    name: str
    tin_last4: str
    capacity: str
    ends_at: datetime | None
    channels: str | None = None
    """The JSON list of channels open to it; None where all that are open at all."""

    def open_on(self, channel: str) -> bool:
        """Say whether an app on a channel may act for it (T-29)."""
        return self.channels is None or f'"{channel}"' in self.channels


@dataclass(frozen=True, slots=True)
class Arrival:
    """What the statement found; everything about the person is empty where no session is in force."""

    epoch: int
    flow: Kept | None
    """The journey named in the address, whoever's it is: see flows.check."""
    session: SessionSeen | None = None
    account_status: str | None = None
    subject_key: StoredKey | None = None
    consented: frozenset[str] = frozenset()
    staff_or_manager: bool = False
    terms_accepted: int = 0
    attested_until: int | None = None
    practices: tuple[Practice, ...] = ()
    """In force now, by name: approved, active, the person's employer in good standing."""


def read(
    picture: Picture, now: datetime, *, secret: str | None, flow_id: str | None, client_id: str | None = None
) -> Work:
    """Read who arrives with a session cookie, on which journey, for which app; answers an Arrival."""
    in_force = picture.terms_at(now)
    general, site = (in_force.get(kind, (0, ""))[0] for kind in KINDS)
    token_hash = sessions.hash_of(secret) if secret else _NOTHING
    rows = yield _STATEMENT, (token_hash, flow_id or "", client_id, clock.micros(now), general, site)
    return _arrival(rows, picture, now)


def _arrival(rows: Sequence[Any], picture: Picture, now: datetime) -> Arrival:
    epoch, *found = rows[0]
    stored, found = found[:_WIDTH_OF_SESSION], found[_WIDTH_OF_SESSION:]
    kept, found = flows.kept(found[:_WIDTH_OF_FLOW]), found[_WIDTH_OF_FLOW:]
    session = _session(stored, picture, now)
    if session is None:
        return Arrival(epoch, kept)
    status, has_key, key, scopes, manages, accepted, attested, *_ = found
    return Arrival(
        epoch,
        kept,
        session=session,
        account_status=status,
        subject_key=StoredKey(bytes(key) if key is not None else None) if has_key else None,
        consented=frozenset(orjson.loads(scopes)) if scopes else frozenset(),
        staff_or_manager=bool(manages),
        terms_accepted=accepted,
        attested_until=attested,
        practices=_practices(rows),
    )


def _session(stored: Sequence[Any], picture: Picture, now: datetime) -> SessionSeen | None:
    """Return the session if it is in force: not ended, idle or over-age, its way in still open."""
    (
        session_id, account_id, acr, amr, auth_time, factor_time, device_id, channel, seen, expires, ended,
        partner_id, partner_status, login_shut, upstream_status,
    ) = stored  # fmt: skip
    if session_id is None:
        return None
    session = SessionSeen(
        session_id,
        account_id,
        acr,
        orjson.loads(amr),
        clock.from_micros(auth_time),
        None if factor_time is None else clock.from_micros(factor_time),
        device_id,
        channel,
        clock.from_micros(seen),
        clock.from_micros(expires),
        None if ended is None else clock.from_micros(ended),
    )
    if not sessions.alive(session, picture.configuration.clocks, now):
        return None
    if partner_id is not None and not standing.is_good(partner_status):
        return None  # asked at every use, whether or not somebody also ended the session (security.md 35)
    if not sessions.way_in_stands(login_shut, upstream_status):
        return None
    return session


def _practices(rows: Sequence[Any]) -> tuple[Practice, ...]:
    found = []
    for row in rows:
        provider_id, name, tin, status, capacity, ends_at, partner_id, partner_status, channels = tuple(row)[-9:]
        if provider_id is None or status != "active":
            continue
        if partner_id is not None and not standing.is_good(partner_status):
            continue
        ends = None if ends_at is None else clock.from_micros(ends_at)
        found.append(Practice(provider_id, name, tin, capacity, ends, channels))
    return tuple(sorted(found, key=lambda practice: practice.name.casefold()))
