"""Gather what the gates look at: the versions first, then the rows. One generator for both lanes.

What depends on (account, provider, line) alone comes from the memo when it was read under the same
versions; purpose, record, client, channel, session and strength are taken anew for every question.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from idp import clock
from idp.database.lane import Sql, Work
from idp.entitlements import standing, world
from idp.entitlements.before import Before, SessionFacts
from idp.entitlements.dates import FOREVER, Dates
from idp.entitlements.histories import Histories
from idp.entitlements.memo import Memo
from idp.entitlements.question import Question
from idp.entitlements.standing import Organisation, Person
from idp.entitlements.world import Function, World

SHARED = Sql(
    "SELECT s.partner_id, s.starts_at, s.ends_at, o.owner, o.partner_id, o.contact_name, o.contact_phone, "
    "o.contact_url, s.id, o.id FROM shared_account AS s LEFT JOIN function_owner AS o "
    "ON o.shared_account_id = s.id AND o.entitlement = $2 WHERE s.account_number = $1"
)
OWNED = Sql(
    "SELECT subject_id, what, status, before, at FROM status_change WHERE subject_id IN ($1, $2) ORDER BY at, id"
)
"""Who answered for a shared account and a function of it on other days: read for replays alone."""

POLICY_THEN = Sql("SELECT epoch FROM policy_version WHERE since <= $1 ORDER BY since DESC, epoch DESC LIMIT 1")
"""Which policy version held at a moment: for replays alone."""


@dataclass(frozen=True, slots=True)
class SharedFacts:
    """A shared account and who owns the function there; moments in microseconds."""

    known: bool
    partner_id: str = ""
    starts_at: int = 0
    ends_at: int | None = None
    owner: str | None = None
    owner_partner_id: str | None = None
    contact: tuple[str, str, str] = ("", "", "")


@dataclass(slots=True)
class Facts:
    """Everything the gates may look at for one question; nobody changes it.

    Not frozen, because one is made for each question, and a frozen one takes three times as long to make.
    """

    question: Question
    at: int
    """The moment asked about, in microseconds."""
    epoch: int
    version: int
    world: World
    function: Function | None
    """The catalogue's row; None for a key outside it."""
    organisation: Organisation
    person: Person
    session: SessionFacts | None
    shared: SharedFacts | None
    """The shared account the record names; None when it names none."""
    replay: bool = False
    policy_then: int | None = None
    """For replays: the policy version that held at the moment; None before they were kept."""
    until: int = FOREVER
    """For replays: the next moment at which an answer may differ; sessions are not looked at."""
    _fresh: str | None = field(default=None, init=False, compare=False)

    @property
    def policy_version(self) -> int | None:
        """The policy version that held at the moment asked about; None for days before they were kept."""
        return self.policy_then if self.replay else self.epoch

    @property
    def freshness(self) -> str:
        """An opaque token: the state this was computed from, or a later one."""
        if self._fresh is None:
            self._fresh = f"{self.epoch}.{self.version}"
        return self._fresh


def at_hand(question: Question, known: Before, at: int, memo: Memo) -> Facts | None:
    """Return what the gates need for a question of now without reading anything, or None where that can't be."""
    provider_id, line, epoch = question.provider_id or "", question.asked_line, known.epoch
    found = memo.world(epoch)
    organisation = memo.organisation((provider_id, line), epoch, at)
    person = memo.person((question.account_id, provider_id, line), epoch, known.version, at)
    if found is None or organisation is None or person is None:
        return None
    function = found.functions.get(question.entitlement)
    return Facts(question, at, epoch, known.version, found, function, organisation, person, known.session, None)


def gather(question: Question, known: Before, memo: Memo | None, rows: Sequence[Any] | None = None) -> Work:
    """Read what the gates need for a question, under versions read before; return Facts.

    `rows` are the person's, where they were read with the versions (`standing.FIRST`). A replay of another moment
    neither uses nor fills the memo but for what all moments share.
    """
    replay = question.at is not None
    at = clock.micros(question.at if question.at is not None else clock.now())
    epoch = known.epoch
    dates_of_all = Dates(at, replay=replay)
    shared_world = memo.world(epoch) if memo is not None else None
    if shared_world is None:
        shared_world = yield from world.load(epoch)
        if memo is not None:
            memo.keep_world(shared_world)
    if replay:
        memo = None
        shared_world = yield from world.as_of(shared_world, dates_of_all)
    provider_id, line = question.provider_id or "", question.asked_line
    place = (provider_id, line)
    organisation: Organisation | None = memo.organisation(place, epoch, at) if memo is not None else None
    if organisation is None:
        organisation = yield from standing.organisation(provider_id, line, Dates(at, replay=replay))
        assert organisation is not None
        if memo is not None:
            memo.keep_organisation(place, epoch, organisation)
    who = (question.account_id, provider_id, line)
    person: Person | None = memo.person(who, epoch, known.version, at) if memo is not None else None
    if person is None:
        dates = Dates(at, replay=replay)
        dates.turns(organisation.until)  # a grant that names a delegation dies with it
        person = yield from standing.person(who, shared_world, dates, rows)
        assert person is not None
        if memo is not None:
            memo.keep_person(who, epoch, known.version, person)
    number = question.record.get("shared_account")
    shared = None
    if number is not None:
        rows = yield SHARED, (number, question.entitlement)
        if replay and rows:
            history = yield OWNED, (rows[0][8], rows[0][9] or "")
            rows = [_owned_then(rows[0], Histories(history, dates_of_all))]
        shared = _shared(rows)
    policy_then = None
    if replay:
        versions = yield POLICY_THEN, (at,)
        policy_then = versions[0][0] if versions else None
        for edge in (organisation.until, person.until, *((shared.starts_at, shared.ends_at) if shared else ())):
            dates_of_all.turns(edge)
    return Facts(
        question=question,
        at=at,
        epoch=epoch,
        version=known.version,
        world=shared_world,
        function=shared_world.functions.get(question.entitlement),
        organisation=organisation,
        person=person,
        session=known.session,
        shared=shared,
        replay=replay,
        policy_then=policy_then,
        until=dates_of_all.until,
    )


def _owned_then(row: Any, then: Histories) -> Any:
    """Return the row of a shared account and a function's owner as it was at the moment."""
    administrator = then.value(row[8], "partner_id", row[0])
    owner = then.row(row[9], "owner") if row[9] is not None else None
    return (administrator, *row[1:3], *(row[3:8] if owner is None else owner or (None,) * 5), *row[8:])


def _shared(rows: list[Any]) -> SharedFacts:
    if not rows:
        return SharedFacts(known=False)
    partner_id, starts_at, ends_at, owner, owner_partner_id, name, phone, url = rows[0][:8]
    return SharedFacts(
        True, partner_id, starts_at, ends_at, owner, owner_partner_id, (name or "", phone or "", url or "")
    )
