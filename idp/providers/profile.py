"""Everything we know of an organisation, with its dates: what the insurer opened, and on what it rests."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from idp import clock
from idp.providers.registry_tables import ProviderLocation, ProviderNpi
from idp.providers.tables import (
    LINES,
    Agreement,
    Credential,
    Participation,
    PortalAccess,
    Practitioner,
    PractitionerMembership,
    Provider,
)

MOST = 100
"""Practitioners of a page; a larger organisation says how many there are."""


@dataclass(frozen=True, slots=True)
class Span:
    """One thing with dates."""

    what: str
    """`portal`, `continuity`, `agreement`, `participation`, or the kind of a fact."""
    line: str
    who: str
    starts_at: datetime
    ends_at: datetime | None
    source: str = ""
    verified_at: datetime | None = None

    def state(self, now: datetime) -> str:
        """Return `coming`, `in_force` or `ended`."""
        if now < self.starts_at:
            return "coming"
        return "in_force" if self.ends_at is None or now < self.ends_at else "ended"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of business now."""

    line: str
    portal: bool
    agreement: bool
    participates: bool
    continuity: bool


@dataclass(slots=True)
class Profile:
    """An organisation as staff and its access managers read it; never a whole TIN."""

    provider: Provider
    at: datetime
    lines: list[Line] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    facts: list[Span] = field(default_factory=list)
    npis: list[ProviderNpi] = field(default_factory=list)
    locations: list[ProviderLocation] = field(default_factory=list)
    practitioners: list[tuple[Practitioner, PractitionerMembership]] = field(default_factory=list)
    further: int = 0
    """Practitioners not listed."""


def read(db: Session, provider: Provider) -> Profile:
    """Return what is known of an organisation now."""
    now = clock.now()
    found = Profile(provider, now)
    for row in _of(db, PortalAccess, provider.id):
        ends_at = min((end for end in (row.ends_at, row.ended_at) if end), default=None)
        what = "continuity" if row.basis == "continuity" else "portal"
        found.spans.append(Span(what, row.line, "", row.starts_at, ends_at, source=row.reference))
    for row in _of(db, Agreement, provider.id):
        found.spans.append(Span("agreement", row.line, "", row.starts_at, row.ends_at))
    for row in _of(db, Participation, provider.id):
        found.spans.append(Span("participation", row.line, "", row.starts_at, row.ends_at, source=row.network))
    found.spans.sort(key=lambda span: (LINES.index(span.line), span.what, span.starts_at))
    found.lines = [line for name in LINES if (line := _line(found, name))]
    found.npis = _of(db, ProviderNpi, provider.id)[:MOST]
    found.locations = [
        place for place in _of(db, ProviderLocation, provider.id) if place.ends_at is None or now < place.ends_at
    ][:MOST]
    _people(db, found)
    return found


def _of(db: Session, table: type[Any], provider_id: str) -> list[Any]:
    return list(db.exec(select(table).where(table.provider_id == provider_id).order_by(col(table.created_at))))


def _line(found: Profile, line: str) -> Line | None:
    of_it = [span for span in found.spans if span.line == line]
    now = {span.what for span in of_it if span.state(found.at) == "in_force"}
    if not of_it:
        return None
    opened = bool(now & {"portal", "continuity"})
    return Line(line, opened, "agreement" in now, "participation" in now, "continuity" in now)


def _people(db: Session, found: Profile) -> None:
    joined = db.exec(
        select(PractitionerMembership, Practitioner)
        .join(Practitioner, col(Practitioner.id) == col(PractitionerMembership.practitioner_id))
        .where(col(PractitionerMembership.provider_id) == found.provider.id)
        .order_by(col(Practitioner.name), col(PractitionerMembership.starts_at))
    ).all()
    here = [(person, member) for member, person in joined if member.ends_at is None or found.at < member.ends_at]
    found.practitioners, found.further = here[:MOST], max(0, len(here) - MOST)
    names = {person.id: person.name for person, _ in found.practitioners}
    facts = db.exec(
        select(Credential)
        .where(col(Credential.practitioner_id).in_(list(names)))
        .order_by(col(Credential.kind), col(Credential.starts_at))
    )
    for fact in facts:
        where = f"{fact.state} {fact.number}".strip()
        found.facts.append(
            Span(
                fact.kind,
                where,
                names[fact.practitioner_id],
                fact.starts_at,
                fact.ends_at,
                source=fact.source,
                verified_at=fact.verified_at,
            )
        )
    found.facts.sort(key=lambda span: (span.who, span.what, span.starts_at))
