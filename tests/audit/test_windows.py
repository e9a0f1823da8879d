"""A search by several filters looks through windows: bounded, and paging on finds every match once (SE-1)."""

import random
from datetime import timedelta

import pytest

from idp import clock
from idp.audit import log, origin, search, windows
from idp.audit.events import Event
from idp.audit.search import Filters
from idp.database import Database, reading, transaction

_EVENTS = ("entitlements.grant.added", "entitlements.grant.ended", "wam.appointment.made")


@pytest.fixture
def written(database: Database) -> list[tuple[int, str, str, str | None, str]]:
    """Write records of a few people, events and outcomes; return number, who acted, about whom, practice, event."""
    chance = random.Random(5)  # noqa: S311 - a repeatable log
    with transaction(database) as db:
        for _ in range(60):
            actor, about = chance.choice("abc"), chance.choice("abc")
            with origin.acting_as(f"acc_{actor}"):
                event = chance.choice(_EVENTS)
                log.record(db, Event(event, account=f"acc_{about}", provider=f"prv_{chance.choice('xy')}"))
    with reading(database) as db:
        found = search.find(db, Filters()).rows + search.find(db, Filters(), search.find(db, Filters()).older).rows
    return [(one.seq, one.actor_id, one.account_id, one.provider_id, one.event) for one in reversed(found)]


def test_se1_paging_through_windows_finds_every_match_once_and_says_how_far_it_looked(
    database: Database, written: list[tuple[int, str, str, str | None, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("MOST", 4), ("_FIRST", 3), ("BUDGET", 0.0)):
        monkeypatch.setattr(windows, name, value)
    wanted = [n for n, actor, about, practice, _ in written if "acc_a" in (actor, about) and practice == "prv_x"]
    filters = Filters(person="acc_a", provider="prv_x")
    met: list[int] = []
    back: list[str] = []
    with reading(database) as db:
        page = search.find(db, filters)
        while True:
            met += [row.seq for row in page.rows]
            if page.newer:
                back.append(page.newer)
            assert (page.looked_to is None) == (page.older is None)
            if page.older is None:
                break
            assert page.at_least
            page = search.find(db, filters, page.older)
        assert met == wanted[::-1]
        newer = search.find(db, filters, back[-1])
        again = [row.seq for row in newer.rows]
        while newer.newer:
            newer = search.find(db, filters, newer.newer)
            again = [row.seq for row in newer.rows] + again
        assert again == [n for n in met if n in set(again)]
        assert again[:3] == met[:3]


def test_se1_a_search_by_several_filters_counts_what_it_looked_at(
    database: Database, written: list[tuple[int, str, str, str | None, str]]
) -> None:
    with reading(database) as db:
        for event in _EVENTS:
            wanted = [n for n, actor, about, _, what in written if "acc_b" in (actor, about) and what == event]
            page = search.find(db, Filters(person="acc_b", event=event))
            assert [row.seq for row in page.rows] == wanted[::-1]
            assert (page.total, page.at_least, page.looked_to) == (len(wanted), False, None)
        hour = timedelta(hours=1)
        assert not search.find(db, Filters(person="acc_b", provider="prv_x", since=clock.now() + hour)).rows
        assert search.find(db, Filters(person="acc_b", provider="prv_x", since=clock.now() - hour)).rows
