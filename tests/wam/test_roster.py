"""The roster: one's own practice only, searched by name, 50 a page, marked."""

from datetime import timedelta

from sqlalchemy import text

from idp import clock
from idp.accounts import people
from idp.database import Database, transaction
from idp.entitlements import grants, pauses
from idp.entitlements.grant_rows import Place
from idp.providers import affiliations
from idp.wam import roster
from tests.wam.world import LINE, World


def test_w8_the_roster_shows_the_people_of_one_practice_and_nobody_elses(world: World) -> None:
    with transaction(world.database) as db:
        found = roster.people(db, world.lakeside)
    assert [e.account.display_name for e in found.entries] == ["Ana Ruiz", "Finn Oakes", "Mia Ode", "Wes Kane"]
    assert (found.total, found.first, found.last, found.pages) == (4, 1, 4, 1)


def test_w8_marks_say_who_manages_what_job_they_have_and_what_ends_soon(world: World) -> None:
    with transaction(world.database) as db:
        grants.grant(
            db,
            account_id=world.ana,
            provider_id=world.lakeside,
            line=LINE,
            entitlement="remit.view",
            by=world.wes,
            reason="stand-in",
            expires_at=clock.now() + timedelta(days=10),
        )
        pauses.suspend(db, Place(world.finn, world.lakeside, LINE), ["message.send"], by=world.wes, reason="leave")
        ana, finn, _, wes = roster.people(db, world.lakeside).entries
    assert (ana.functions, ana.ends_soon, ana.jobs) == (1, True, [])
    assert (finn.functions, finn.jobs, finn.paused, finn.manages) == (6, ["Front desk"], True, False)
    assert (wes.manages, wes.functions) == (True, 0)


def test_w8_search_takes_every_word_in_any_case_and_means_percent_and_underscore_literally(world: World) -> None:
    with transaction(world.database) as db:
        assert [e.account.id for e in roster.people(db, world.lakeside, words="RUIZ an").entries] == [world.ana]
        assert roster.people(db, world.lakeside, words="%").total == 0
        assert roster.people(db, world.lakeside, words="_").total == 0
        assert roster.people(db, world.lakeside, words="hana").total == 0


def test_w8_fifty_a_page_with_the_total_and_pages_past_the_end_show_the_last(world: World) -> None:
    with transaction(world.database) as db:
        for number in range(120):
            account = people.create(db, display_name=f"Person {number:03}")
            affiliations.approve(db, account_id=account.id, provider_id=world.lakeside, by="operator")
    with transaction(world.database) as db:
        first, last = roster.people(db, world.lakeside), roster.people(db, world.lakeside, page=99)
    assert (first.total, first.pages, len(first.entries), first.last) == (124, 3, 50, 50)
    assert (last.page, last.first, last.last, len(last.entries)) == (3, 101, 124, 24)
    assert not {e.account.id for e in first.entries} & {e.account.id for e in last.entries}


def test_w8_a_page_of_the_roster_costs_the_same_few_statements_however_many_people(world: World) -> None:
    with transaction(world.database) as db:
        few = _statements(world.database, world.lakeside)
        for number in range(60):
            account = people.create(db, display_name=f"Person {number:03}")
            affiliations.approve(db, account_id=account.id, provider_id=world.lakeside, by="operator")
    assert _statements(world.database, world.lakeside) == few <= 8


def test_security_76_the_words_of_a_search_are_person_data_in_the_log(world: World) -> None:
    with transaction(world.database) as db:
        roster.searched(db, world.lakeside, "Ana Ruiz", 1)
        leaf = db.execute(text("SELECT leaf FROM audit_record WHERE event = 'wam.people.searched'")).scalar_one()
    assert b"Ruiz" not in leaf


def _statements(database: Database, provider_id: str) -> int:
    from sqlalchemy import event

    seen: list[str] = []

    def note(_c: object, _cur: object, statement: str, *_rest: object) -> None:
        seen.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        with transaction(database) as db:
            roster.people(db, provider_id)
    finally:
        event.remove(database.engine, "before_cursor_execute", note)
    return sum(1 for s in seen if s.startswith("SELECT"))
