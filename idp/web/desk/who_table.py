"""SE-6 as a table: who could do something for a practice in a stretch of time, and why; for the page and exports."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock
from idp.accounts.tables import Account
from idp.audit import log
from idp.audit.events import Event
from idp.audit.forms.csv_line import safe
from idp.database import Database, of, reading
from idp.database.lane import drive
from idp.entitlements import coulds
from idp.entitlements.coulds import Period
from idp.entitlements.defaults import FROM_APPOINTMENT
from idp.entitlements.question import OURSELVES, Question
from idp.entitlements.sentences import sentence
from idp.entitlements.tables import Appointment, Entitlement, Grant
from idp.errors import Invalid
from idp.notices import saying
from idp.providers.tables import Provider
from idp.web import givers

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
    "function",
    "line",
    "could",
    "reason",
    "why",
    "function_name",
    "practice",
    "local_from",
    "local_until",
    "giver",
    "given_because",
)
"""Ids and times in UTC first, for programs; then the same in words and local time, for people."""
PAGE = 100


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked about: one practice, one function or any, one line of business or any."""

    provider: str
    function: str | None
    line: str | None


@dataclass(frozen=True, slots=True)
class Row:
    """One period of one person with one function in one line."""

    function: str
    line: str
    period: Period


@dataclass(frozen=True, slots=True)
class Found:
    """A page of the answer: who could, who held it and could not, and where the next page begins."""

    could: tuple[Row, ...]
    held: tuple[Row, ...]
    goes_on: str | None


def find(db: Db, asked: Asked, starts: datetime, ends: datetime, after: str = "") -> Found:
    """Return one page of people with their periods; recorded as a search. Raises Invalid for a bad `after`."""
    found = _read(db, asked, starts, ends, after)
    log.record(
        db,
        Event(
            "entitlements.search.answered",
            provider=asked.provider,
            entitlement=asked.function,
            details={
                "sought": "who",
                "results": len({row.period.account_id for row in found.could}),
                "line": asked.line or "any",
                "day": clock.iso(starts),
                "until": clock.iso(ends),
            },
        ),
    )
    return found


def _read(db: Db, asked: Asked, starts: datetime, ends: datetime, after: str) -> Found:
    first, who = _place(after)
    could: list[Row] = []
    held: list[Row] = []
    people: set[tuple[str, str, str]] = set()
    looks = coulds.LOOKED_AT
    for line, function in _pairs(db, asked, ends):
        if (line, function) < first:
            continue
        if len(people) >= PAGE or looks <= 0:
            return Found(tuple(could), tuple(held), _after(line, function, ""))
        begin = who if (line, function) == first else ""
        question = Question("*", function, asked.provider, OURSELVES, line=line, assume_authenticated=True)
        span, limit = (clock.micros(starts), clock.micros(ends)), PAGE - len(people)
        page = drive(db, coulds.people(question, *span, after=begin, limit=limit, looks=looks))
        assert isinstance(page, coulds.Page)
        looks -= page.looked
        could += [Row(function, line, period) for _, periods in page.found for period in periods]
        held += [Row(function, line, period) for _, periods in page.held for period in periods]
        people |= {(line, function, name) for name, _ in (*page.found, *page.held)}
        if page.goes_on is not None:
            return Found(tuple(could), tuple(held), _after(line, function, page.goes_on))
    return Found(tuple(could), tuple(held), None)


def _pairs(db: Db, asked: Asked, ends: datetime) -> list[tuple[str, str]]:
    """Return which functions were ever given there until then, by line; the one that was asked about in any case."""
    if asked.function is not None and asked.line is not None:
        return [(asked.line, asked.function)]
    given = db.execute(
        select(Grant.line_of_business, Grant.entitlement)
        .where(col(Grant.provider_id) == asked.provider, col(Grant.not_before) < ends)
        .distinct()
    ).all()
    managed = db.exec(select(Appointment.line).where(col(Appointment.provider_id) == asked.provider).distinct()).all()
    found = {(str(line), str(key)) for line, key in given}
    found |= {(line, key) for line in managed for key in FROM_APPOINTMENT}
    return sorted((line, key) for line, key in found if asked.line in (None, line) and asked.function in (None, key))


def _after(line: str, function: str, account: str) -> str:
    return f"{line}|{function}|{account}"


def _place(after: str) -> tuple[tuple[str, str], str]:
    """Return where a page begins: behind this person of this function in this line."""
    if not after:
        return ("", ""), ""
    parts = after.split("|")
    if len(parts) != 3:
        raise Invalid(fields={"after": "This can't be asked."})
    return (parts[0], parts[1]), parts[2]


def exporting(db: Db, asked: Asked, starts: datetime, ends: datetime) -> None:
    """Record that the whole answer goes out as a table; `exported` reads it, once this is committed."""
    told = {"form": "who", "day": clock.iso(starts), "until": clock.iso(ends), "line": asked.line or "any"}
    log.record(db, Event("audit.log.exported", provider=asked.provider, entitlement=asked.function, details=told))


def exported(database: Database, asked: Asked, starts: datetime, ends: datetime) -> Iterator[list[str]]:
    """Yield the whole table, its columns' names first; who held it and could not use it with the reason.

    Read in short transactions that lock nothing: of a big practice it takes a minute. Recorded by `exporting`.
    """

    def page(after: str) -> tuple[Found, Words]:
        with reading(database) as db:
            found = _read(db, asked, starts, ends, after)
            return found, _words(db, asked, found)

    return _table(page)


@dataclass(frozen=True, slots=True)
class Words:
    """Names for a page's ids, and the zone of local times."""

    people: dict[str, str]
    functions: dict[str, str]
    givers: dict[str, str]
    practice: str
    zone: str


def _words(db: Db, asked: Asked, found: Found) -> Words:
    both = (*found.could, *found.held)
    keys = select(Entitlement.key, Entitlement.name).where(col(Entitlement.key).in_({one.function for one in both}))
    practice = db.get(Provider, asked.provider)
    return Words(
        people_of(db, found),
        dict(db.exec(keys).all()),
        givers.names(db, [one for row in both for one in row.period.sources]),
        practice.name if practice else "",
        of(db).settings.time_zone,
    )


def _table(read: Callable[[str], tuple[Found, Words]]) -> Iterator[list[str]]:
    yield list(COLUMNS)
    after = ""
    while True:
        page, words = read(after)
        for one in (*page.could, *page.held):
            decision = one.period.decision
            why = ["yes", "", ""] if decision.allowed else ["no", decision.reason or "", sentence(decision) or ""]
            name = words.people.get(one.period.account_id, "")
            yield [*row(one.period, name), one.function, one.line, *why, *_told(one, words)]
        if page.goes_on is None:
            return
        after = page.goes_on


def _told(one: Row, words: Words) -> list[str]:
    """Return a row's ids and times as people say them."""
    first = one.period.sources[0] if one.period.sources else None
    moments = [clock.from_micros(at) for at in (one.period.starts_at, one.period.ends_at)]
    return [
        safe(words.functions.get(one.function, one.function)),
        safe(words.practice),
        *(saying.exact_moment(at, words.zone) for at in moments),
        safe(words.givers[first.id]) if first else "",
        safe(givers.REASONS.get(first.reason, first.reason)) if first else "",
    ]


def row(period: Period, name: str) -> list[str]:
    """Return one period as texts, in ids and UTC; the name as a cell may have it."""
    first = period.sources[0] if period.sources else None
    return [
        period.account_id,
        safe(name),
        _text(period.starts_at),
        _text(period.ends_at),
        " ".join(period.decision.because if period.decision.allowed else period.held),
        first.by if first else "",
        _text(first.starts_at) if first else "",
        _text(first.ends_at) if first and first.ends_at is not None else "",
        period.decision.agreement or "",
        "" if period.policy_version is None else str(period.policy_version),
    ]


def people_of(db: Db, found: Found) -> dict[str, str]:
    """Return the names of everybody on a page of the answer."""
    return names_of(db, sorted({one.period.account_id for one in (*found.could, *found.held)}))


def names_of(db: Db, ids: list[str]) -> dict[str, str]:
    """Return the names people are shown by."""
    found = db.exec(select(Account.id, Account.display_name).where(col(Account.id).in_(ids)))
    return dict(found.all())


def _text(at: int) -> str:
    return clock.iso(clock.from_micros(at))
