"""The people of a practice: listed 50 a page with marks, found by name, looked at one by one (W-8)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import and_, or_, true
from sqlalchemy import select as sql_select
from sqlmodel import Session, col, func, select

from idp import clock
from idp.accounts.tables import Account
from idp.accounts.tables import Session as BrowserSession
from idp.audit import log
from idp.audit.events import Event
from idp.entitlements import appointed
from idp.entitlements.tables import Appointment, Assignment, Bundle, Entitlement, Grant
from idp.partners.tables import Partner
from idp.providers.tables import Affiliation
from idp.wam import authority

PAGE = 50
SOON = timedelta(days=30)
"""Access that ends within this time is marked."""


@dataclass(slots=True)
class Entry:
    """One row of the roster; every field is computed for a whole page in one statement each."""

    account: Account
    affiliation: Affiliation
    partner: str | None = None
    managed: int = 0
    """Lines of business in which they manage people's access, which counts as a function of each, as on their page."""
    jobs: list[str] = field(default_factory=list)
    functions: int = 0
    paused: bool = False
    emergency: bool = False
    """Some of their functions were taken for an emergency."""
    ends_at: datetime | None = None
    """When the first of their functions ends, if any has an end."""
    ends_soon: bool = False
    last_seen_at: datetime | None = None

    @property
    def manages(self) -> bool:
        """Say whether they are an access manager here."""
        return self.managed > 0


@dataclass(frozen=True, slots=True)
class Roster:
    """One page of the people of a practice."""

    entries: list[Entry]
    total: int
    page: int
    pages: int
    more: bool = False
    """Whether there is somebody after this page."""

    @property
    def first(self) -> int:
        """The number of the first person on this page; 0 when there is none."""
        return (self.page - 1) * PAGE + 1 if self.total else 0

    @property
    def last(self) -> int:
        """The number of the last person on this page."""
        return min(self.page * PAGE, self.total)


@dataclass(frozen=True, slots=True)
class Held:
    """One function a person holds, as the page shows it."""

    grant: Grant
    function: Entitlement
    given_by: str
    job: str | None
    paused: bool
    emergency: bool = False
    """Taken by the person for an emergency, for a few hours."""


def key_of(entry: Entry) -> tuple[str, str]:
    """Return where an entry stands in the roster; the page after it begins behind it."""
    return entry.account.display_name.lower(), entry.account.id


def people(
    db: Session,
    provider_id: str,
    *,
    words: str = "",
    page: int = 1,
    after: tuple[str, str] | None = None,
    most: int = PAGE,
    lines: Collection[str] | None = None,
) -> Roster:
    """Return one page of the people whose tie to the practice has not ended, by name; marks tell of these `lines`.

    `words` narrows to names that contain every word, whatever their case. Pages are counted, or begin `after` a key.
    """
    now = clock.now()
    query = (
        select(Account, Affiliation)
        .join(Affiliation, col(Affiliation.account_id) == col(Account.id))
        .where(
            col(Affiliation.provider_id) == provider_id,
            col(Affiliation.ended_at).is_(None),
            or_(col(Affiliation.ends_at).is_(None), col(Affiliation.ends_at) > now),
        )
    )
    for word in words.split()[:5]:
        query = query.where(func.lower(col(Account.display_name)).contains(word.lower(), autoescape=True))
    total = int(db.execute(query.with_only_columns(func.count())).scalar_one())
    pages = max(1, -(-total // most))
    page = min(max(1, page), pages)
    name = func.lower(col(Account.display_name))
    if after is not None:
        query = query.where(or_(name > after[0], and_(name == after[0], col(Account.id) > after[1])))
    else:
        query = query.offset((page - 1) * most)
    rows = db.exec(query.order_by(name, col(Account.id)).limit(most + 1)).all()
    entries = {account.id: Entry(account, affiliation) for account, affiliation in rows[:most]}
    if entries:
        _mark(db, provider_id, entries, now, lines)
    return Roster(list(entries.values()), total, page, pages, len(rows) > most)


def entries_of(db: Session, provider_id: str, ids: Sequence[str]) -> dict[str, Entry]:
    """Return the entries of some people whose tie to the practice has not ended, by account."""
    found: dict[str, Entry] = {}
    for start in range(0, len(ids), 500):
        rows = db.exec(
            select(Account, Affiliation)
            .join(Affiliation, col(Affiliation.account_id) == col(Account.id))
            .where(
                col(Affiliation.provider_id) == provider_id,
                col(Affiliation.ended_at).is_(None),
                col(Account.id).in_(ids[start : start + 500]),
            )
        ).all()
        page = {account.id: Entry(account, affiliation) for account, affiliation in rows}
        if page:
            _mark(db, provider_id, page, clock.now())
        found |= page
    return found


def functions_of(db: Session, provider_id: str, account_id: str, line: str | None = None) -> list[Held]:
    """Return what a person holds here, in the catalogue's order, with who gave it."""
    rows = authority.not_ended(db, provider_id, account_id, line)
    pauses = {(g.line_of_business, g.entitlement) for g in rows if g.effect == "deny" and g.not_before <= clock.now()}
    catalogue = {e.key: e for e in db.exec(select(Entitlement)).all()}
    names = names_of(db, {g.granted_by for g in rows})
    jobs = _job_names(db, {g.assignment_id for g in rows if g.assignment_id})
    held = [
        Held(
            g,
            catalogue[g.entitlement],
            "taken in an emergency" if _in_emergency(g.id) else names[g.granted_by],
            jobs.get(g.assignment_id or ""),
            (g.line_of_business, g.entitlement) in pauses,
            _in_emergency(g.id),
        )
        for g in rows
        if g.effect == "allow"
    ]
    return sorted(held, key=lambda h: (h.grant.line_of_business, h.function.app, h.function.name))


def _in_emergency(grant_id: str) -> bool:
    return grant_id.startswith("emg_")


def names_of(db: Session, ids: set[str]) -> dict[str, str]:
    """Return how pages name whoever gave access: a person's name, or the insurer for operators and imports."""
    people = {i for i in ids if i.startswith("acc_")}
    known = {a.id: a.display_name for a in db.exec(select(Account).where(col(Account.id).in_(people))).all()}
    return {i: known.get(i, "the insurer") for i in ids}


def looked_at(db: Session, provider_id: str, account_id: str) -> None:
    """Record that a manager opened a person's page."""
    log.record(db, Event("wam.person.viewed", account=account_id, provider=provider_id))


def searched(db: Session, provider_id: str, words: str, found: int) -> None:
    """Record a search over people; the words are kept as person data of the searcher."""
    log.record(
        db, Event("wam.people.searched", provider=provider_id, details={"found": found}, personal={"words": words})
    )


def _mark(
    db: Session, provider_id: str, entries: dict[str, Entry], now: datetime, lines: Collection[str] | None = None
) -> None:
    ids = list(entries)
    for account_id in db.exec(
        select(Appointment.account_id).where(
            col(Appointment.provider_id) == provider_id,
            col(Appointment.account_id).in_(ids),
            appointed.in_force(),
        )
    ).all():
        entries[account_id].managed += 1
    seen = select(BrowserSession.account_id, func.max(col(BrowserSession.last_seen_at))).where(
        col(BrowserSession.account_id).in_(ids)
    )
    for account_id, last in db.execute(seen.group_by(col(BrowserSession.account_id))).all():
        entries[account_id].last_seen_at = last
    companies = [e.affiliation.partner_id for e in entries.values() if e.affiliation.partner_id]
    if companies:
        names = {p.id: p.name for p in db.exec(select(Partner).where(col(Partner.id).in_(companies))).all()}
        for entry in entries.values():
            entry.partner = names.get(entry.affiliation.partner_id or "")
    _mark_access(db, provider_id, entries, now, lines)


def _mark_access(
    db: Session, provider_id: str, entries: dict[str, Entry], now: datetime, lines: Collection[str] | None
) -> None:
    # Columns, not objects: a page of fifty has hundreds of grants, and making objects of them costs most of its time.
    columns = (Grant.id, Grant.account_id, Grant.line_of_business, Grant.entitlement, Grant.effect, Grant.assignment_id)
    rows = db.execute(
        sql_select(*map(col, columns), col(Grant.expires_at)).where(
            col(Grant.provider_id) == provider_id,
            col(Grant.account_id).in_(list(entries)),
            col(Grant.ended_at).is_(None),
            or_(col(Grant.expires_at).is_(None), col(Grant.expires_at) > now),
            true() if lines is None else col(Grant.line_of_business).in_(lines),
        )
    ).all()
    jobs = _job_names(db, {assignment for *_, assignment, _ in rows if assignment})
    counted: dict[str, set[tuple[str, str]]] = {}
    for grant_id, account_id, line, entitlement, effect, assignment, expires_at in rows:
        entry = entries[account_id]
        entry.emergency = entry.emergency or _in_emergency(grant_id)
        if effect == "deny":
            entry.paused = True
            continue
        counted.setdefault(account_id, set()).add((line, entitlement))
        job = jobs.get(assignment) if assignment else None
        if job and job not in entry.jobs:
            entry.jobs.append(job)
        if expires_at and (entry.ends_at is None or expires_at < entry.ends_at):
            entry.ends_at = expires_at
            entry.ends_soon = expires_at <= now + SOON
    for account_id, functions in counted.items():
        entries[account_id].functions = len(functions)


def _job_names(db: Session, assignments: set[str]) -> dict[str, str]:
    if not assignments:
        return {}
    found = db.exec(
        select(Assignment.id, Bundle.name)
        .join(Bundle, (col(Bundle.key) == col(Assignment.bundle)) & (col(Bundle.version) == col(Assignment.version)))
        .where(col(Assignment.id).in_(assignments), col(Assignment.ended_at).is_(None))
    ).all()
    return dict(found)
