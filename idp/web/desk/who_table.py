"""SE-6 as a table: who could do something for a practice in a stretch of time, and why; for the page and exports."""

from collections.abc import Iterator
from datetime import datetime

from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock
from idp.accounts.tables import Account
from idp.audit import log
from idp.audit.events import Event
from idp.database.lane import drive
from idp.entitlements import coulds
from idp.entitlements.coulds import Period
from idp.entitlements.question import OURSELVES, Question

COLUMNS = (
    "person",
    "name",
    "from",
    "until",
    "rests_on",
    "given_by",
    "given_from",
    "given_until",
    "agreement",
    "policy",
)
PAGE = 100


def find(db: Db, question: Question, starts: datetime, ends: datetime, after: str = "") -> coulds.Page:
    """Return one page of people with their periods; recorded as a search."""
    work = coulds.people(question, clock.micros(starts), clock.micros(ends), after=after, limit=PAGE)
    found = drive(db, work)
    assert isinstance(found, coulds.Page)
    log.record(
        db,
        Event(
            "entitlements.search.answered",
            provider=question.provider_id,
            entitlement=question.entitlement,
            details={
                "sought": "who",
                "results": len(found.found),
                "line": question.asked_line,
                "day": clock.iso(starts),
                "until": clock.iso(ends),
            },
        ),
    )
    return found


def asked(function: str, provider: str, line: str) -> Question:
    """Return the question every person is asked about."""
    return Question("*", function, provider, OURSELVES, line=line, assume_authenticated=True)


def rows(db: Db, question: Question, starts: datetime, ends: datetime) -> Iterator[list[str]]:
    """Yield the whole table, its columns' names first."""
    yield list(COLUMNS)
    after = ""
    while True:
        page = find(db, question, starts, ends, after)
        names = names_of(db, [name for name, _ in page.found])
        for name, periods in page.found:
            for period in periods:
                yield row(period, names.get(name, ""))
        if page.goes_on is None:
            return
        after = page.goes_on


def row(period: Period, name: str) -> list[str]:
    """Return one period as texts; nothing a spreadsheet would take for a formula."""
    first = period.sources[0] if period.sources else None
    return [
        period.account_id,
        name if name[:1] not in "=+-@\t\r" else "'" + name,
        _text(period.starts_at),
        _text(period.ends_at),
        " ".join(period.decision.because),
        first.by if first else "",
        _text(first.starts_at) if first else "",
        _text(first.ends_at) if first and first.ends_at is not None else "",
        period.decision.agreement or "",
        "" if period.policy_version is None else str(period.policy_version),
    ]


def names_of(db: Db, ids: list[str]) -> dict[str, str]:
    """Return the names people are shown by."""
    found = db.exec(select(Account.id, Account.display_name).where(col(Account.id).in_(ids)))
    return dict(found.all())


def _text(at: int) -> str:
    return clock.iso(clock.from_micros(at))
