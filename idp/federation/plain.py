"""The plain sign-in through an organization, in the lane: what is read when the browser leaves and when it comes back.

Plain is a try of a journey in which nothing happened yet, at an upstream in use, that ends at a known login of an
active person. Here stands no rule of its own: `flow`, `pending`, `login` and `upstreams` have them, and every other
case is left to the pages' lane.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from idp import clock
from idp.accounts import devices, entering, flows, login, moved, sessions
from idp.accounts.assertion import Assertion
from idp.accounts.assurance import capped
from idp.accounts.entering import Entered, Owner, Proof
from idp.accounts.flows import Kept
from idp.accounts.opening import Browser
from idp.configuration import Clocks
from idp.database import Database
from idp.database.lane import Sql, Work
from idp.envelope import KeyRing
from idp.federation import pending, upstreams
from idp.federation.contract import TrustedUpstream
from idp.federation.pending import Pending
from idp.partners import standing
from idp.provisioning import people as provisioned

_NOTHING = b""
"""Hash of nothing: no row has it."""
_FLOW = ", ".join(f"f.{name}" for name in flows.COLUMNS)
_PENDING = ", ".join(f"t.{name}" for name in pending.COLUMNS)
_UPSTREAM = ", ".join(f"u.{name}" for name in upstreams.COLUMNS)
_TRY = Sql(
    f"SELECT e.epoch, s.id, d.id, {_FLOW}, {_PENDING}, {_UPSTREAM}, p.status "  # noqa: S608 - our own names
    "FROM policy_epoch e "
    "LEFT JOIN pending_login t ON t.state_hash = $1 "
    "LEFT JOIN flow f ON f.id = COALESCE(t.flow_id, $2) "
    "LEFT JOIN session s ON s.token_hash = $3 AND s.ended_at IS NULL "
    "LEFT JOIN device d ON d.token_hash = $4 "
    "LEFT JOIN upstream u ON u.id = $5 "
    "LEFT JOIN partner p ON p.id = u.partner_id WHERE e.id = 1"
)
_LOGIN = Sql(
    f"SELECT l.ceiling, l.held_at, l.facts, {entering.COLUMNS.format(now='$5')} FROM login l "  # noqa: S608 - our own names
    "LEFT JOIN device d ON d.id = $4 "
    f"{entering.JOINS} "
    "WHERE l.issuer = $1 AND l.subject = $2 AND l.upstream_id = $3 AND l.ended_at IS NULL"
)
_USED = Sql(
    "UPDATE login SET last_used_at = $2, facts = $3, facts_at = $2 WHERE id = $1 AND ended_at IS NULL "  # noqa: S608
    "AND held_at IS NULL AND COALESCE(facts, '') = $4 "
    "AND EXISTS (SELECT 1 FROM account a WHERE a.id = login.account_id AND a.status = 'active') "
    "AND EXISTS (SELECT 1 FROM upstream u JOIN partner p ON p.id = u.partner_id WHERE u.id = login.upstream_id "
    f"AND u.status = 'active' AND p.status IN ({standing.GOOD_SQL})) RETURNING 1"
)


@dataclass(frozen=True, slots=True)
class Came:
    """What the statement found: the journey, the try, the browser and the upstream."""

    epoch: int
    flow: Kept | None
    tried: Pending | None
    has_session: bool
    """Somebody is, or was a moment ago, signed in on this browser."""
    device_id: str | None
    upstream: TrustedUpstream | None
    """None where it is not in use, or its connector needs more than its record."""


def read(
    ring: KeyRing,
    upstream_id: str,
    *,
    session: str | None,
    device: str | None,
    flow_id: str = "",
    state: str | None = None,
) -> Work:
    """Read the upstream, this browser's cookies, and the journey: by its id, or by the state that came back."""
    hashes = (sessions.hash_of(session) if session else _NOTHING, devices.hash_of(device) if device else _NOTHING)
    rows = yield _TRY, (pending.hash_of(state) if state else _NOTHING, flow_id, *hashes, upstream_id)
    epoch, session_id, device_id, *found = rows[0]
    kept, found = found[: len(flows.COLUMNS)], found[len(flows.COLUMNS) :]
    tried, found = found[: len(pending.COLUMNS)], found[len(pending.COLUMNS) :]
    return Came(
        epoch=epoch,
        flow=flows.kept(kept),
        tried=pending.pending(tried),
        has_session=session_id is not None,
        device_id=device_id,
        upstream=upstreams.in_lane(ring, found),
    )


@dataclass(frozen=True, slots=True)
class Known:
    """The login an assertion is about, and its owner."""

    whose: Owner
    facts: str
    """As the row had them; empty for none."""
    ceiling: str | None


def known(assertion: Assertion, device_id: str | None, now: datetime) -> Work:
    """Find the login of an active person; None for one nobody has, that is held, or that seems another's.

    What `login.by_assertion` compares, and nothing else (security.md 27, 28).
    """
    values = (assertion.issuer, assertion.subject, assertion.upstream_id, device_id or "", clock.micros(now))
    rows: Sequence[Any] = yield _LOGIN, values
    if not rows:
        return None
    ceiling, held_at, facts, *found = rows[0]
    whose = entering.owner(found)
    if whose is None or whose.status != "active" or held_at is not None:
        return None
    if moved.seems_another(orjson.loads(facts) if facts else None, assertion.facts):
        return None
    return Known(whose, facts or "", ceiling)


def proof_of(one: Known, assertion: Assertion) -> Proof:
    """Return what a proved assertion counts for."""
    return Proof(
        acr=capped(assertion.acr, one.ceiling),
        amr=assertion.amr,
        auth_time=assertion.auth_time,
        upstream_id=assertion.upstream_id,
        partner_id=assertion.partner_id,
        upstream_sid=assertion.upstream_sid,
    )


def opening(
    database: Database,
    one: Known,
    assertion: Assertion,
    entered: Entered,
    browser: Browser,
    *,
    here: Kept,
    clocks: Clocks,
    onward: Callable[[], Work],
    now: datetime,
) -> Callable[[], Work]:
    """Return the work a proved assertion brings; it answers what `onward` does.

    It answers None, and opens nothing, where the login, its facts, its owner, the organization or its partner's
    standing changed meanwhile; raises Overtaken.
    """
    told = orjson.dumps(assertion.facts, option=orjson.OPT_SORT_KEYS).decode()

    def ground() -> Work:
        partner = assertion.partner_id or ""
        if (yield from provisioned.turned_off_as(partner, assertion.subject)) is not None:
            return False
        rows = yield _USED, (one.whose.login_id, clock.micros(now), told, one.facts)
        return bool(rows)

    return entering.opening(
        database,
        one.whose,
        entered,
        browser,
        here=here,
        left=here,
        ground=ground,
        clocks=clocks,
        onward=onward,
        now=now,
        before=(login.received(assertion, one.whose.account_id),),
    )
