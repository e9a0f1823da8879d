"""What workers remember between decisions: never by time, only for the versions it was read under.

An entry answers only for the very (policy epoch, account version) it was computed from, and only
between the moment it was computed for and the earliest date it used (decisions.md 3). The versions are
read on every decision, before the rows, or, where an earlier reading serves, checked in the commit of the
answer, so there is no staleness to bound. Bounded, oldest out first;
used by one thread, the worker's event loop.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any, NamedTuple

from idp.database.lane import Mark
from idp.entitlements.before import Before, SessionFacts
from idp.entitlements.standing import Organisation, Person
from idp.entitlements.world import World

if TYPE_CHECKING:
    from idp.entitlements.facts import Facts
    from idp.entitlements.question import Question

Asked = tuple[str, str | None, str | None, str, str]
"""Account, session, provider, line and function."""
LIMIT = 8_000
"""Entries of each kind; a few kilobytes each at ten grants."""


class Seen(NamedTuple):
    """What the gates saw for one person, function and practice; nothing of the app, the purpose or the record."""

    mark: Mark | None
    """The database's mark it was read after; None where the lane has none."""
    since: int
    until: int
    epoch: int
    version: int
    session: SessionFacts | None
    facts: Facts
    """All of it, to be decided on again with another question, moment and session in it (`anew`)."""

    def anew(self, question: Question, at: int, session: SessionFacts | None) -> Facts:
        """Return the facts for a question of now: good until the next one is asked, so decide before anything else."""
        facts = self.facts
        facts.question, facts.at, facts.session = question, at, session
        return facts


class Memo:
    """The memory of one worker."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._world: World | None = None
        self._organisations: OrderedDict[tuple[str, str], tuple[int, Organisation]] = OrderedDict()
        self._before: OrderedDict[tuple[str, str | None], Before] = OrderedDict()
        self._people: OrderedDict[tuple[str, str, str], tuple[int, int, Person]] = OrderedDict()
        self._seen: OrderedDict[Asked, Seen] = OrderedDict()
        self._mark: Mark | None = None
        self._marked: dict[tuple[str, str | None], Before] = {}

    def seen(self, asked: Asked, at: int) -> Seen | None:
        """Return what the gates saw when the same was asked; it answers only under the same mark or versions."""
        found = self._seen.get(asked)
        return found if found is not None and found.since <= at < found.until else None

    def keep_seen(self, mark: Mark | None, asked: Asked, facts: Facts) -> None:
        """Remember what the gates saw, read after this mark of the database; no strangers, no made-up functions."""
        person, organisation = facts.person, facts.organisation
        if person.exists and person.affiliated_once and organisation.exists and facts.function is not None:
            since, until = max(person.since, organisation.since), min(person.until, organisation.until)
            seen = Seen(mark, since, until, facts.epoch, facts.version, facts.session, facts)
            _keep(self._seen, asked, seen, self._limit)

    def still_seen(self, mark: Mark, asked: Asked, seen: Seen, session: SessionFacts | None) -> None:
        """Note that what was seen still holds at this mark, its session read anew."""
        self._seen[asked] = seen._replace(mark=mark, session=session)

    def marked(self, mark: Mark, account_id: str, sid: str | None) -> Before | None:
        """Return versions and session, if they were read under this mark of the database: nobody committed since."""
        return self._marked.get((account_id, sid)) if mark == self._mark else None

    def keep_marked(self, mark: Mark, account_id: str, sid: str | None, before: Before) -> None:
        """Remember versions and session while the mark stays; unknown accounts and sessions are not."""
        if not before.version or (sid is not None and before.session is None):
            return
        if mark != self._mark or len(self._marked) >= self._limit:
            self._mark, self._marked = mark, {}
        self._marked[account_id, sid] = before

    def before(self, account_id: str, sid: str | None) -> Before | None:
        """Return versions and session as last read; whoever answers by them has the commit check them."""
        return self._before.get((account_id, sid))

    def keep_before(self, account_id: str, sid: str | None, before: Before) -> None:
        """Remember versions and session; unknown accounts and sessions are not."""
        if before.version and (sid is None or before.session is not None):
            _keep(self._before, (account_id, sid), before, self._limit)

    def forget_before(self, account_id: str, sid: str | None) -> None:
        """Forget them: they no longer hold."""
        self._before.pop((account_id, sid), None)

    def world(self, epoch: int) -> World | None:
        """Return what all decisions share, if remembered for this epoch."""
        return self._world if self._world is not None and self._world.epoch == epoch else None

    def keep_world(self, world: World) -> None:
        """Remember what all decisions share."""
        self._world = world

    def organisation(self, key: tuple[str, str], epoch: int, at: int) -> Organisation | None:
        """Return an organisation's line as remembered for this epoch and moment."""
        found = self._organisations.get(key)
        if found is None or found[0] != epoch or not found[1].since <= at < found[1].until:
            return None
        return found[1]

    def keep_organisation(self, key: tuple[str, str], epoch: int, organisation: Organisation) -> None:
        """Remember an organisation's line; unknown ones are not, so strangers fill no memory."""
        if organisation.exists:
            _keep(self._organisations, key, (epoch, organisation), self._limit)

    def person(self, key: tuple[str, str, str], epoch: int, version: int, at: int) -> Person | None:
        """Return a person at an organisation as remembered for these versions and this moment."""
        found = self._people.get(key)
        if found is None or found[0] != epoch or found[1] != version or not found[2].since <= at < found[2].until:
            return None
        return found[2]

    def knows(self, key: tuple[str, str, str]) -> bool:
        """Say whether anything is remembered of a person at an organisation, whatever it is worth by now."""
        return key in self._people

    def keep_person(self, key: tuple[str, str, str], epoch: int, version: int, person: Person) -> None:
        """Remember a person at an organisation; unknown people and organisations of strangers are not."""
        if person.exists and person.affiliated_once:
            _keep(self._people, key, (epoch, version, person), self._limit)

    def __len__(self) -> int:
        return len(self._organisations) + len(self._people)


def _keep(entries: OrderedDict[Any, Any], key: tuple[Any, ...], entry: Any, limit: int) -> None:
    entries[key] = entry
    entries.move_to_end(key)
    while len(entries) > limit:
        entries.popitem(last=False)
