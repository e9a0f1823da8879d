"""What a watcher of the log is sent: the newest rows whenever they changed, while they may see them.

Each worker looks at the log's newest number for all its watchers together, four times a second and only while
somebody watches; a bell rung at every record would make all writers wait for each other. Rows with a lower number
that were committed later are found within a second.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass

from anyio import CapacityLimiter, to_thread

from idp.audit import search
from idp.audit.events import VOCABULARY
from idp.audit.search import Filters
from idp.database import reading
from idp.database.lane import Sql
from idp.entitlements import asking
from idp.entitlements.decision import OURSELVES, Question
from idp.errors import TooMany, Unavailable
from idp.web import pages
from idp.web.boundary import Service
from idp.web.desk import shown
from idp.web.signals.watch import Watch

LASTS = 300.0
"""Seconds of one connection: being sent rows is not being there, and a session left alone must end."""
EACH, ALL = 3, 30
"""Connections of one session, and of one worker."""
_LOOKS = 0.25
_ANYWAY = 1.0
"""Seconds between two looks at the newest number; seconds after which rows and rights are looked at anyway."""
_NEWEST = Sql("SELECT max(seq) FROM audit_record")


@dataclass(frozen=True, slots=True)
class Watcher:
    """Who watches, in which session, for the insurer."""

    account_id: str
    session_id: str
    provider_id: str


def room(service: Service, who: Watcher) -> None:
    """Raise TooMany where this session or this worker has as many watchers as it may."""
    open_now = _open(service)
    if open_now[who.session_id] >= EACH or open_now.total() >= ALL:
        raise TooMany("The log is watched in too many places already. Close one, or refresh the page.", retry_after=10)


async def rows(service: Service, who: Watcher, filters: Filters) -> AsyncIterator[str | None]:
    """Return the table's rows at once and after each change, None each second without one.

    It ends after `LASTS` seconds, when the worker stops or its database is away, and within a second of losing the
    session or the right.
    """
    open_now, watch = _open(service), _watch(service)
    loop = asyncio.get_running_loop()
    until, told = loop.time() + LASTS, None
    open_now[who.session_id] += 1
    try:
        limiter = CapacityLimiter(1)  # of its own: a watcher must not wait behind the pages, nor they behind it
        while loop.time() < until and not service.parts.get("stopping"):
            newest = await watch.look()
            found = await to_thread.run_sync(_rendered, service, who, filters, limiter=limiter)
            if found is None:
                return
            yield found if found != told else None
            told = found
            await watch.beyond(newest, min(_ANYWAY, max(0.0, until - loop.time())))
    except Unavailable:
        return
    finally:
        open_now[who.session_id] -= 1
        if not open_now[who.session_id]:
            del open_now[who.session_id]


def _rendered(service: Service, who: Watcher, filters: Filters) -> str | None:
    """Return the newest rows as the page shows them; None for whoever may not see them any more."""
    question = Question(
        account_id=who.account_id,
        entitlement="audit.search",
        provider_id=who.provider_id,
        app=OURSELVES,
        sid=who.session_id,
    )
    with reading(service.database) as db:
        if not asking.decide_in_session(db, question).allowed:
            return None
        found = search.newest(db, filters)
        facts = {
            "rows": found,
            "names": shown.names(db, found),
            "events": VOCABULARY,
            "zone": service.settings.time_zone,
        }
        return pages.environment().get_template("audit/_tail_rows.html").render(facts)


def _open(service: Service) -> Counter[str]:
    counted: Counter[str] = service.parts.setdefault("tails", Counter())
    return counted


def _watch(service: Service) -> Watch:
    made: Watch = service.parts.setdefault("tail", Watch(service.lane, _NEWEST, channel=None, every=_LOOKS))
    return made
