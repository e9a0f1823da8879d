"""From records of the log to the detector's events (docs/sharing.md "In the service").

A record tells who, when, for which practice, which function and in which session; the session tells the device, and
the network is the one the person's own browser was last seen on in it: an app's address is never the person's.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import bindparam, text
from sqlmodel import Session as Db

from idp.audit.leaf import raw
from idp.database import of
from idp.envelope import CannotOpen, KeyRing, open_with
from idp.sharing.events import Act, Factor, FactorChange, Report, Request, SignIn
from idp.sharing.live.networks import Networks, name_of
from idp.sharing.live.stored import POLLS, VISITS, Known, Visit

AT_ONCE, EVEN = 900.0, 2.0
"""Seconds after a sign-in within which a second step answers it; how even the intervals of a page's own refresh are."""
_SESSIONS = text("SELECT id, account_id, device_id FROM session WHERE id IN :ids").bindparams(
    bindparam("ids", expanding=True)
)
_KEYS = text("SELECT account_id, key FROM subject_key WHERE key IS NOT NULL AND account_id IN :ids").bindparams(
    bindparam("ids", expanding=True)
)
_CASES = text("SELECT id, kind FROM security_case WHERE id IN :ids").bindparams(bindparam("ids", expanding=True))
_LEAVES = text(
    "SELECT provider_id, starts_at, ends_at, ended_at FROM absence WHERE account_id = :who ORDER BY starts_at"
)
_FACTORS = {"totp": "totp", "passkey": "passkey"}
_CHANGES = {
    "accounts.factor.added": "added", "accounts.factor.removed": "removed", "accounts.recovery.done": "recovered",
}  # fmt: skip
_NOT_DONE_BY_PERSON = (
    "accounts.", "notices.", "signals.", "audit.record.refused", "security.score.", "security.case.", "cases.",
    "oauth.token.issued", "oauth.token.refreshed", "oauth.token.revoked", "oauth.userinfo.", "oauth.family.",
)  # fmt: skip
"""Beginnings of events that are a consequence or a machine's own doing; a request they belong to has its own record."""
REPORTED, SHREDDED, _AWAY = "security.report.made", "audit.person.shredded", "wam.absence."
DECIDED, OVERTURNED = "security.case.decided", "security.case.appeal_decided"
WHAT = ("sharing", "takeover")
_FOREVER = 4_102_444_800.0


@dataclass(slots=True)
class Cleared:
    """The desk decided, at once or on appeal, that what was seen is innocent: it speaks against this login no more."""

    time: float
    account: str
    what: str
    """The kind of the case: `sharing`, `takeover`; others change nothing."""


@dataclass(slots=True)
class Record:
    """One record of the log, as far as the detector asks."""

    seq: int
    at: int
    """Microseconds."""
    event: str
    outcome: str
    actor_id: str | None
    account_id: str | None
    provider_id: str | None
    entitlement: str | None
    client_id: str | None
    session_id: str | None
    address_hash: bytes | None
    reason: str | None
    leaf: Any

    @property
    def person(self) -> str | None:
        """Return who was at work: the person who acted, or on whose token an app asked."""
        for who in (self.actor_id, self.account_id):
            if who is not None and who.startswith("acc_"):
                return who
        return None

    @property
    def about(self) -> str | None:
        """Return whose memory it changes; None where it tells the detector nothing."""
        if self.event in (REPORTED, SHREDDED, DECIDED, OVERTURNED) or self.event.startswith(_AWAY):
            return self.account_id
        if self.session_id is None or self.event in ("accounts.session.ended", "accounts.device.met"):
            return None
        return self.person


@dataclass(slots=True)
class Around:
    """What a round read beside the records: whose sessions on which devices, whose keys, where addresses are."""

    ring: KeyRing
    places: Networks
    sessions: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Account and device by session."""
    keys: dict[str, bytes] = field(default_factory=dict)
    leaves: dict[str, list[tuple[float, float, str]]] = field(default_factory=dict)
    cases: dict[str, str] = field(default_factory=dict)
    """Kind by case."""


def around(db: Db, records: Sequence[Record], known: Mapping[str, Known], places: Networks) -> Around:
    """Read what these records are understood by."""
    made = Around(of(db).ring, places)
    news = {
        one.session_id
        for one in records
        if one.session_id and one.about and one.session_id not in known[one.about].visits
    }
    if news:
        for session_id, account_id, device_id in db.execute(_SESSIONS, {"ids": sorted(news)}):
            if device_id:
                made.sessions[session_id] = (account_id, device_id)
    people = sorted({one.about for one in records if one.about and _shows_address(one, known[one.about])})
    if people:
        for account_id, key in db.execute(_KEYS, {"ids": people}):
            made.keys[account_id] = made.ring.open("subjects", f"subject_key.key:{account_id}", bytes(key))
    cases = sorted({one.reason for one in records if one.event in (DECIDED, OVERTURNED) and one.reason})
    if cases:
        made.cases = {one[0]: one[1] for one in db.execute(_CASES, {"ids": cases})}
    for account_id in {one.account_id for one in records if one.event.startswith(_AWAY) and one.account_id}:
        made.leaves[account_id] = [
            (begins / 1e6, min(_FOREVER if end is None else end / 1e6 for end in (ends, ended)), provider_id)
            for provider_id, begins, ends, ended in db.execute(_LEAVES, {"who": account_id})
        ][-6:]
    return made


def _shows_address(one: Record, known: Known) -> bool:
    if one.address_hash is None or one.session_id is None:
        return False
    visit = known.visits.get(one.session_id)
    return visit is None or visit.address != bytes(one.address_hash).hex()


def act_of(one: Record, known: Known, found: Around) -> Act | Cleared | None:
    """Return the event of a record; None where it tells nothing. Keeps what the session showed."""
    time, who = one.at / 1e6, known.memory.account
    if one.event == REPORTED:
        return Report(time, who, "user" if one.actor_id == who else "colleague")
    if one.event in (DECIDED, OVERTURNED):
        what, said = found.cases.get(one.reason or "", ""), _details(one)
        innocent = said.get("decision") == "innocent" or said.get("outcome") == "overturned"
        return Cleared(time, who, what) if innocent and what in WHAT else None
    if one.event.startswith(_AWAY):
        known.memory.leaves = found.leaves.get(who, known.memory.leaves)
        return None
    visit = _visit(one, known, found) if one.session_id else None
    if visit is None:
        return None
    _seen_on(one, visit, who, found)
    if not visit.network:
        return None
    if one.event == "accounts.login.succeeded":
        visit.asked = time
        return SignIn(time, who, visit.device, visit.network)
    if one.event == "accounts.factor.confirmed":
        return _factor(one, visit, time, who)
    if one.event in _CHANGES:
        return FactorChange(time, who, visit.device, visit.network, _CHANGES[one.event])  # type: ignore[arg-type]
    if one.event.startswith(_NOT_DONE_BY_PERSON):
        return None
    visit.provider = one.provider_id or visit.provider
    if not visit.provider:
        return None
    function = one.entitlement or (f"app {one.client_id}" if one.event.startswith("oauth.") else one.event)
    return Request(
        time,
        who,
        visit.device,
        visit.network,
        function,
        visit.provider,
        interactive=not _refresh(visit, function, time),
    )


def _visit(one: Record, known: Known, found: Around) -> Visit | None:
    """Find the session of a record, if it is this person's."""
    assert one.session_id is not None
    visit = known.visits.get(one.session_id)
    if visit is None:
        account_id, device_id = found.sessions.get(one.session_id, ("", ""))
        if account_id != known.memory.account:
            return None
        visit = known.visits[one.session_id] = Visit(device_id)
        while len(known.visits) > VISITS:
            del known.visits[next(iter(known.visits))]
    return visit


def _seen_on(one: Record, visit: Visit, who: str, found: Around) -> None:
    """Read the network from the person's own address, which only their key opens."""
    if one.address_hash is None or visit.address == (mark := bytes(one.address_hash).hex()):
        return
    key = found.keys.get(who)
    if key is None:
        return
    try:
        said = orjson.loads(raw(one.leaf))
        if said.get("personal_of") != who:
            return
        personal = orjson.loads(open_with(key, base64.b64decode(said["personal"]), f"audit:{who}"))
    except (orjson.JSONDecodeError, CannotOpen, ValueError, KeyError):
        return
    address = personal.get("address")
    if isinstance(address, str):
        visit.network, visit.address = name_of(found.ring, address, found.places.find(address)), mark


def _factor(one: Record, visit: Visit, time: float, who: str) -> Act | None:
    """Tell how long the answer took, where it answered a sign-in: at other times nobody knows when it was asked."""
    kind = _details(one).get("kind")
    asked, visit.asked = visit.asked, 0.0
    if kind not in _FACTORS or not asked or not 0 <= time - asked <= AT_ONCE:
        return None
    return Factor(time, who, visit.device, visit.network, _FACTORS[kind], round(time - asked, 1))  # type: ignore[arg-type]


def _details(one: Record) -> dict[str, Any]:
    try:
        return orjson.loads(raw(one.leaf)).get("details") or {}
    except orjson.JSONDecodeError:
        return {}


def _refresh(visit: Visit, function: str, time: float) -> bool:
    """Say whether a page asks by itself: the third time in a row at even intervals."""
    last, gap = visit.polls.pop(function, (0.0, 0.0))
    now = time - last if last else 0.0
    visit.polls[function] = (time, now)
    if len(visit.polls) > POLLS:
        del visit.polls[next(iter(visit.polls))]
    return gap >= 5.0 and abs(now - gap) <= EVEN
