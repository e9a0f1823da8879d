"""The chain of a delegation, from the practice outwards: each link lies within the one above it (W-6)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from idp import clock
from idp.entitlements.tables import Delegation
from idp.errors import Conflict
from idp.partners.standing import is_good
from idp.partners.tables import Partner

LONGEST = 4
"""Links a person may make: practice > company > its subcontractor > theirs > theirs."""


class NotInForce(Conflict):
    """A link of the chain has ended, is paused, or its company is not in good standing."""

    code = "delegation_missing"
    title = "This delegation can't be used now"


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The most that a chain allows: what all of its links have in common."""

    entitlements: frozenset[str]
    lines: frozenset[str]
    locations: frozenset[str] | None
    """None where no link names places."""
    ends_at: datetime | None


@dataclass(frozen=True, slots=True)
class Scope:
    """What somebody wants to hand on: functions, lines of business, places (None: all there are), and its end."""

    entitlements: tuple[str, ...]
    lines: tuple[str, ...]
    locations: tuple[str, ...] | None = None
    ends_at: datetime | None = None


def of(db: Session, delegation: Delegation, *, lock: bool = False) -> list[Delegation]:
    """Return a delegation with all above it, outermost first.

    `lock` keeps each link as it is until this transaction ends: an end of one of them waits for us, or we see it.
    """
    chain = [_fresh(db, delegation.id, lock)]
    while chain[0].parent_id is not None and chain[0].parent_id not in {link.id for link in chain}:
        chain.insert(0, _fresh(db, chain[0].parent_id, lock))
    return chain


def _fresh(db: Session, delegation_id: str, lock: bool) -> Delegation:
    query = select(Delegation).where(col(Delegation.id) == delegation_id)
    if lock:
        query = query.with_for_update(read=True)
    return db.exec(query.execution_options(populate_existing=lock)).one()


def must_hold(db: Session, chain: Sequence[Delegation]) -> None:
    """Raise NotInForce unless every link is in force and every company on the way in good standing."""
    for link in chain:
        partner = db.get(Partner, link.partner_id)
        name = partner.name if partner else "The company"
        if not stands(link):
            raise NotInForce(f"{name}'s permission to work for this practice is not in force.")
        if partner is None or not is_good(partner.status):
            raise NotInForce(f"{name} is paused. Nobody can work through it until that is over.")


def stands(link: Delegation) -> bool:
    """Say whether one link is in force now, its company's standing left aside."""
    now = clock.now()
    return (
        link.status == "active"
        and link.ended_at is None
        and link.starts_at <= now
        and (link.ends_at is None or link.ends_at > now)
    )


def ceiling(chain: Sequence[Delegation]) -> Ceiling:
    """Return the most that a chain allows."""
    places = [frozenset(map(str, link.locations)) for link in chain if link.locations is not None]
    ends = [link.ends_at for link in chain if link.ends_at is not None]
    return Ceiling(
        frozenset.intersection(*(frozenset(link.entitlements) for link in chain)),
        frozenset.intersection(*(frozenset(link.lines) for link in chain)),
        frozenset.intersection(*places) if places else None,
        min(ends) if ends else None,
    )


def below(db: Session, delegation: Delegation) -> list[Delegation]:
    """Return a delegation and all that hang on it, the outermost first; ended ones too."""
    rows = db.exec(select(Delegation).where(col(Delegation.provider_id) == delegation.provider_id)).all()
    children: dict[str, list[Delegation]] = {}
    for row in rows:
        children.setdefault(row.parent_id or "", []).append(row)
    return _below(children, delegation, set())


def _below(children: Mapping[str, list[Delegation]], one: Delegation, seen: set[str]) -> list[Delegation]:
    seen.add(one.id)
    found = [one]
    for child in sorted(children.get(one.id, []), key=lambda row: (row.starts_at, row.id)):
        if child.id not in seen:
            found += _below(children, child, seen)
    return found
