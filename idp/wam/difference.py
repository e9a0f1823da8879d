"""The difference a change makes: a pure function on plain values, shown before and applied after (W-4)."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256

from idp.entitlements.duties import Clash
from idp.entitlements.tables import Grant


@dataclass(frozen=True, slots=True)
class Wish:
    """What a manager wants a person to be able to do in one line, and for how long."""

    functions: frozenset[str]
    """Functions chosen one by one: those held and kept, and new ones."""
    bundle: str | None = None
    bundle_functions: frozenset[str] = frozenset()
    starts_at: datetime | None = None
    """None means now."""
    ends_at: datetime | None = None
    """None means no end date; the moment after the last day."""
    dates_for_all: bool = False
    """The end date is also for functions the person keeps."""

    @property
    def wanted(self) -> frozenset[str]:
        """Every function the person shall hold afterwards."""
        return self.functions | self.bundle_functions


@dataclass(frozen=True, slots=True)
class Line:
    """One function in the preview."""

    key: str
    grant: Grant | None = None
    """What is held now; None for something added."""
    from_bundle: bool = False


@dataclass(frozen=True, slots=True)
class Difference:
    """What a change would do."""

    added: tuple[Line, ...] = ()
    changed: tuple[Line, ...] = ()
    removed: tuple[Line, ...] = ()
    stay: tuple[Line, ...] = ()
    joined: tuple[Line, ...] = ()
    """Held on their own and as they are; from now on they go with the chosen job, and its versions move them."""
    clashes: tuple[Clash, ...] = field(default=())
    """Pairs that may not be in one person's hands: what is refused, and what an exception allows."""
    ends_at: datetime | None = None

    @property
    def conflicts(self) -> tuple[Clash, ...]:
        """The pairs no exception allows for so long."""
        fresh = {line.key for line in self.added + self.changed}
        return tuple(
            c
            for c in self.clashes
            if not (c.allowed(self.ends_at) if {c.first, c.second} & fresh else c.exception is not None)
        )

    @property
    def excepted(self) -> tuple[Clash, ...]:
        """The pairs an exception allows."""
        return tuple(c for c in self.clashes if c not in self.conflicts)

    @property
    def count(self) -> int:
        """How many functions change."""
        return len(self.added) + len(self.changed) + len(self.removed) + len(self.joined)


def between(
    held: Mapping[str, Grant],
    wish: Wish,
    clashes: Callable[[frozenset[str]], Iterable[Clash]],
    *,
    manages: bool = False,
    elsewhere: frozenset[str] = frozenset(),
    jobs: Collection[str] = (),
) -> Difference:
    """Compare what is held in a line (function -> its grant) with what is wished.

    `clashes` tells the pairs among functions that may not be in one person's hands (entitlements.duties).
    `manages` says that the person is an access manager, which counts as holding `access.manage`;
    `elsewhere` is what they hold in other lines there, which what is given here must go together with. `jobs` are the
    assignments of the chosen bundle that last: what was given otherwise joins the job.
    """
    added, changed, removed, stay, joined = [], [], [], [], []
    for key in sorted(held.keys() | wish.wanted):
        grant, bundled = held.get(key), key in wish.bundle_functions
        line = Line(key, grant, bundled)
        if key not in wish.wanted:
            removed.append(line)
        elif grant is None:
            added.append(line)
        elif grant.expires_at != wish.ends_at and (bundled or wish.dates_for_all):
            changed.append(line)
        elif bundled and grant.assignment_id not in jobs:
            joined.append(line)
        else:
            stay.append(line)
    after = wish.wanted | ({"access.manage"} if manages else frozenset())
    fresh = {line.key for line in added + changed}
    found = tuple(c for c in clashes(after | elsewhere) if {c.first, c.second} <= after or {c.first, c.second} & fresh)
    kept = {"stay": tuple(stay), "joined": tuple(joined)}
    return Difference(tuple(added), tuple(changed), tuple(removed), **kept, clashes=found, ends_at=wish.ends_at)


def seen(grants: Iterable[Grant], of_job: Iterable[str] = ()) -> str:
    """Return the version of what a page was made from; it differs as soon as a grant does, or what a job gives here."""
    rows = [*sorted(f"{g.id}{g.ended_at}" for g in grants), *sorted(of_job)]
    return sha256("\n".join(rows).encode()).hexdigest()[:20]
