"""Who has what at a practice, now or on any past day; what was given and ended; who is idle (W-8).

Grants are never edited, so the past is a question of dates alone. Rows are plain values; names are looked up here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import or_
from sqlalchemy import select as sql_select
from sqlmodel import Session, col, func, select

from idp import clock
from idp.accounts.tables import Account
from idp.accounts.tables import Session as BrowserSession
from idp.audit import log
from idp.audit.events import Event
from idp.entitlements.tables import Appointment, Entitlement, Grant
from idp.providers.tables import Affiliation
from idp.wam import roster

IDLE = timedelta(days=60)
IDLE_SHOWN = 2000
"""People not seen for long that are listed, the longest first; who asks is told when there may be more."""
MANAGING = "Manage people's access"


@dataclass(frozen=True, slots=True)
class Had:
    """One function a person had at the moment asked about."""

    account_id: str
    name: str
    line: str
    function: str
    given_by: str
    since: datetime
    until: datetime | None
    """The end date the grant had; None for none."""
    paused: bool
    grant_id: str


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened to access: it began or it ended."""

    at: datetime
    name: str
    line: str
    function: str
    what: str
    by: str
    reason: str
    grant_id: str
    account_id: str


def as_of(db: Session, provider_id: str, lines: Sequence[str], at: datetime) -> list[Had]:
    """Return who had what in these lines at a moment, by name; managing access is among it."""
    # Columns, not objects: two thousand people have twelve thousand rows.
    columns = (Grant.id, Grant.account_id, Grant.line_of_business, Grant.entitlement, Grant.effect, Grant.granted_by)
    grants = db.execute(
        sql_select(*map(col, columns), col(Grant.not_before), col(Grant.expires_at)).where(
            col(Grant.provider_id) == provider_id,
            col(Grant.line_of_business).in_(lines),
            col(Grant.not_before) <= at,
            or_(col(Grant.expires_at).is_(None), col(Grant.expires_at) > at),
            or_(col(Grant.ended_at).is_(None), col(Grant.ended_at) > at),
        )
    ).all()
    appointments = db.exec(
        select(Appointment).where(
            col(Appointment.provider_id) == provider_id,
            col(Appointment.line).in_(lines),
            col(Appointment.starts_at) <= at,
            or_(col(Appointment.ends_at).is_(None), col(Appointment.ends_at) > at),
            or_(col(Appointment.ended_at).is_(None), col(Appointment.ended_at) > at),
        )
    ).all()
    names = roster.names_of(
        db,
        {i for g in grants for i in (g.account_id, g.granted_by)}
        | {i for a in appointments for i in (a.account_id, a.verified_by)},
    )
    functions = {e.key: e.name for e in db.exec(select(Entitlement)).all()}
    pauses = {(g.account_id, g.line_of_business, g.entitlement) for g in grants if g.effect == "deny"}
    found = [
        Had(
            g.account_id,
            names[g.account_id],
            g.line_of_business,
            functions.get(g.entitlement, g.entitlement),
            names[g.granted_by],
            g.not_before,
            g.expires_at,
            (g.account_id, g.line_of_business, g.entitlement) in pauses,
            g.id,
        )
        for g in grants
        if g.effect == "allow"
    ]
    found += [
        Had(
            a.account_id,
            names[a.account_id],
            a.line,
            MANAGING,
            names[a.verified_by],
            a.starts_at,
            a.ends_at,
            False,
            a.id,
        )
        for a in appointments
    ]
    return sorted(found, key=lambda h: (h.name.lower(), h.account_id, h.line, h.function))


def history(db: Session, provider_id: str, lines: Sequence[str], *, since: datetime, most: int) -> list[Step]:
    """Return what began and ended in these lines since a moment, newest first, at most so many steps."""
    rows = db.exec(
        select(Grant)
        .where(
            col(Grant.provider_id) == provider_id,
            col(Grant.line_of_business).in_(lines),
            or_(col(Grant.not_before) >= since, col(Grant.ended_at) >= since),
        )
        .order_by(func.coalesce(col(Grant.ended_at), col(Grant.not_before)).desc(), col(Grant.id))
        .limit(most)
    ).all()
    names = roster.names_of(db, {i for g in rows for i in (g.account_id, g.granted_by, g.ended_by or "")})
    functions = {e.key: e.name for e in db.exec(select(Entitlement)).all()}
    steps = []
    for g in rows:
        who, what, line = names[g.account_id], functions.get(g.entitlement, g.entitlement), g.line_of_business
        coming = g.not_before > clock.now()
        began, over = (
            ("Will begin" if coming else "Given", "Ended") if g.effect == "allow" else ("Paused", "Pause ended")
        )
        if g.not_before >= since:
            steps.append(Step(g.not_before, who, line, what, began, names[g.granted_by], g.reason, g.id, g.account_id))
        if g.ended_at is not None and g.ended_at >= since:
            steps.append(
                Step(g.ended_at, who, line, what, over, names[g.ended_by or ""], g.end_reason or "", g.id, g.account_id)
            )
    return sorted(steps, key=lambda s: (s.at, s.grant_id), reverse=True)[:most]


def idle(
    db: Session, provider_id: str, *, unseen: timedelta = IDLE, most: int | None = 0
) -> list[tuple[Account, datetime | None]]:
    """Return who works here and was not seen for so long, the longest first; with when they were seen last.

    At most `IDLE_SHOWN`; all of them with `most=None`.
    """
    last = (
        select(BrowserSession.account_id, func.max(col(BrowserSession.last_seen_at)).label("seen"))
        .group_by(col(BrowserSession.account_id))
        .subquery()
    )
    now = clock.now()
    rows = db.exec(
        select(Account, last.c.seen)
        .join(Affiliation, col(Affiliation.account_id) == col(Account.id))
        .outerjoin(last, last.c.account_id == col(Account.id))
        .where(
            col(Affiliation.provider_id) == provider_id,
            col(Affiliation.ended_at).is_(None),
            col(Affiliation.starts_at) <= now - unseen,
            or_(last.c.seen.is_(None), last.c.seen <= now - unseen),
        )
        .order_by(last.c.seen.is_not(None), last.c.seen, col(Account.display_name), col(Account.id))
        .limit(most if most is None else IDLE_SHOWN)
    ).all()
    return [(account, seen) for account, seen in rows]


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """One person of the matrix: for each function of the page whether they have it, and whether it is paused."""

    account_id: str
    name: str
    has: tuple[bool, ...]
    paused: tuple[bool, ...]

    def can(self, functions: Sequence[str]) -> list[str]:
        """Return the names of what they can do, of the page's functions."""
        return [f for f, has, paused in zip(functions, self.has, self.paused, strict=True) if has and not paused]

    def pauses(self, functions: Sequence[str]) -> list[str]:
        """Return the names of what is paused."""
        return [f for f, has, paused in zip(functions, self.has, self.paused, strict=True) if has and paused]


@dataclass(frozen=True, slots=True)
class Matrix:
    """Who can do what: people by functions, a page of both."""

    functions: tuple[str, ...]
    rows: tuple[MatrixRow, ...]
    page: int
    pages: int


MATRIX_PEOPLE, MATRIX_FUNCTIONS = 25, 12


def matrix(had: Sequence[Had], *, page: int = 1) -> Matrix:
    """Return one page of people by functions; pages go over the functions of 25 people before the next 25 people."""
    functions = sorted({h.function for h in had})
    people = sorted({(h.name.lower(), h.account_id, h.name) for h in had})
    across = max(1, -(-len(functions) // MATRIX_FUNCTIONS))
    pages = across * max(1, -(-len(people) // MATRIX_PEOPLE))
    page = min(max(1, page), pages)
    down, right = divmod(page - 1, across)
    some = functions[right * MATRIX_FUNCTIONS :][:MATRIX_FUNCTIONS]
    cells: dict[tuple[str, str], bool] = {}
    for h in had:
        key = (h.account_id, h.function)
        cells[key] = cells.get(key, True) and h.paused
    rows = tuple(
        MatrixRow(
            account,
            name,
            tuple((account, f) in cells for f in some),
            tuple(cells.get((account, f), False) for f in some),
        )
        for _, account, name in people[down * MATRIX_PEOPLE :][:MATRIX_PEOPLE]
    )
    return Matrix(tuple(some), rows, page, pages)


def looked(db: Session, provider_id: str, event: str, **details: str | int) -> None:
    """Record that a report was looked at or exported."""
    log.record(db, Event(event, provider=provider_id, details=dict(details)))
