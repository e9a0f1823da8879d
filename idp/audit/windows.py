"""Search by two filters or more, bounded: what the rarest filter finds is looked through, window by window.

A planner takes filters for independent. "This robot and an appointment" may then be a million records read for
nothing. So the filter that finds least, counted in its index up to `MOST`, leads; of what it finds a window is read
and the other filters are asked of those rows. When the time is used up the page says how far back it looked.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, true
from sqlmodel import Session, col, select

from idp.audit.tables import AuditRecord

MOST = 5_000
"""Records of one window, and how far filters are counted to compare them."""
_FIRST = 1_000
BUDGET = 0.05
"""Seconds for one way of a search; the window that passes it is the last."""
Named = Mapping[str, Sequence[ColumnElement[bool]]]
"""The conditions of each filter."""
BESIDE = "beside"
"""How the names of conditions begin that never lead."""
Way = Callable[[Callable[[str], Any]], Named]
"""The conditions of each filter on whatever columns it is given."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What one way of a search found."""

    rows: list[Any]
    hits: int
    """Matches among the records that were looked at."""
    edge: int | None
    """Number of the last record that was looked at; None when all were."""


def leading(session: Session, named: Named, bounds: Sequence[ColumnElement[bool]]) -> str:
    """Return the name of the filter that finds least; those that find very many are not told apart."""
    tied = [name for name in named if not name.startswith(BESIDE)]
    for most in (MOST, 10 * MOST):
        counted = {name: _count(session, [*named[name], *bounds], most) for name in tied}
        least = min(counted.values())
        tied = [name for name in tied if counted[name] == least]
        if least <= most:
            break
    return tied[0]


def _count(session: Session, conditions: Sequence[ColumnElement[bool]], most: int) -> int:
    found = select(col(AuditRecord.seq)).where(*conditions).limit(most + 1).subquery()
    return int(session.execute(select(func.count()).select_from(found)).scalar_one())


def look(
    session: Session,
    way: Way,
    bounds: Sequence[ColumnElement[bool]],
    times: Sequence[ColumnElement[bool]],
    shown: Sequence[str],
    *,
    newest_first: bool,
    wanted: int,
) -> Looked:
    """Return `wanted` matches in the order asked for, fewer where there are none left or the budget is used up.

    `bounds` are numbers, which every index ends in; `times` are exact, and cost a look at the record.
    """
    begun = time.monotonic()
    lead = leading(session, way(_stored), bounds)
    rows: list[Any] = []
    hits, size, edge = 0, _FIRST, None
    seq = col(AuditRecord.seq)
    while True:
        onward: list[Any] = [] if edge is None else [seq < edge if newest_first else seq > edge]
        window = _window(way, lead, [*bounds, *times, *onward], shown, newest_first=newest_first, size=size)
        query = _matching(window, way, lead, shown, newest_first=newest_first, wanted=max(wanted - len(rows), 0))
        found = session.execute(query).all()
        rows += [row for row in found if row.seq is not None]
        hits += found[0].hits
        if found[0].read < size:
            return Looked(rows, hits, None)
        edge = found[0].low if newest_first else found[0].high
        if len(rows) >= wanted or time.monotonic() - begun > BUDGET:
            return Looked(rows, hits, edge)
        size = MOST


def _stored(name: str) -> Any:
    return col(getattr(AuditRecord, name))


def _window(
    way: Way, lead: str, bounds: Sequence[ColumnElement[bool]], shown: Sequence[str], *, newest_first: bool, size: int
) -> Select[Any]:
    """Return the next records that the leading filter finds; the limit keeps a planner from mixing in the others."""
    named: set[str] = set()

    def column(name: str) -> Any:
        named.add(name)
        return _stored(name)

    leading_filter = way(column)[lead]
    seq = col(AuditRecord.seq)
    asked: Select[Any] = select(*(_stored(name) for name in dict.fromkeys([*shown, *sorted(named)])))
    asked = asked.where(*leading_filter, *bounds)
    made: Select[Any] = asked.order_by(seq.desc() if newest_first else seq.asc()).limit(size)
    return made


def _matching(
    window: Select[Any], way: Way, lead: str, shown: Sequence[str], *, newest_first: bool, wanted: int
) -> Select[Any]:
    """Return how many the window holds, how many match and where it ends, beside each match, or beside nothing."""
    read = window.cte("w")
    others = way(lambda name: read.c[name])
    hit = and_(true(), *(one for name, some in others.items() if name != lead for one in some))
    whole = select(
        func.count().label("read"),
        func.count().filter(hit).label("hits"),
        func.min(read.c.seq).label("low"),
        func.max(read.c.seq).label("high"),
    ).subquery()
    order = read.c.seq.desc() if newest_first else read.c.seq.asc()
    matches = select(*(read.c[name] for name in shown)).where(hit).order_by(order).limit(wanted).subquery()
    last = matches.c.seq.desc() if newest_first else matches.c.seq.asc()
    made: Select[Any] = select(*whole.c, *matches.c).select_from(whole.outerjoin(matches, true())).order_by(last)
    return made
