"""The demo world fits its applied file, and applying it again changes nothing (D-6)."""

from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlmodel import select

from idp import clock
from idp.apply.run import apply_file
from idp.audit import months
from idp.database import transaction
from idp.demo import history
from idp.entitlements import asking, coulds
from idp.entitlements.question import OURSELVES, Question
from idp.entitlements.tables import Appointment
from idp.partners.tables import FunctionOwner, Partner
from idp.signals import epochs
from idp.web import dates
from idp.web.desk import who_table
from tests.world import World, world

__all__ = ["world"]
pytestmark = pytest.mark.usefixtures("world")


def test_d6_applying_the_world_again_changes_nothing(world: World) -> None:
    assert not apply_file(world.database, world.places.secrets / "meridian.yaml")


def test_d6_the_world_has_a_manager_at_each_practice_and_one_suspended_partner(
    world: World,
) -> None:
    with transaction(world.database) as db:
        managers = {(a.account_id, a.provider_id) for a in db.exec(select(Appointment)).all()}
        partners = {p.name: p.status for p in db.exec(select(Partner)).all()}
        owners = {o.entitlement for o in db.exec(select(FunctionOwner)).all()}
    assert managers == {(world.wes, world.lakeside), (world.hana, world.harbor)}
    assert partners["Evergreen Health"] == "active"
    assert partners["Cascade Billing Services"] == "suspended"
    assert owners == {"claim.status.view"}


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_se6_what_the_made_up_log_permits_the_world_permitted_at_that_moment(world: World) -> None:
    """Who reads the log and asks "Who could" about the same day gets one answer; the review knows of the use, too."""
    months.ensure(world.database, since=clock.now() - timedelta(days=history.DAYS + 1))
    with transaction(world.database) as db:
        history.add(db, world.database)
        told = text(
            "SELECT entitlement, at FROM audit_record WHERE event = 'entitlements.decision.made' "
            "AND outcome = 'permit' AND account_id = :who"
        )
        permitted = db.execute(told, {"who": history.WHO}).all()
        assert len(permitted) > 100
        for function, at in permitted:
            asked = Question(
                history.WHO, function, history.WHERE, OURSELVES, line=history.LINE, assume_authenticated=True,
                at=clock.from_micros(at),
            )  # fmt: skip
            assert asking.decide_in_session(db, asked).allowed, (function, clock.from_micros(at))
    history.find(world.database)
    with transaction(world.database) as db:
        last = max(at for _, at in permitted)
        used = db.execute(text("SELECT max(started_at) FROM token_family WHERE account_id = 'acc_ben'")).scalar()
        assert 0 <= last - used < timedelta(hours=8) / timedelta(microseconds=1)


def test_se6_who_could_do_anything_in_any_line_is_complete_over_its_pages(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts = dates.start_of(clock.now().date() - timedelta(days=3), "America/Chicago")
    ends = starts + timedelta(days=1)

    def told(asked: who_table.Asked) -> list[tuple[str, str, str]]:
        table = who_table.exported(world.database, asked, starts, ends)
        at = {name: place for place, name in enumerate(next(table))}
        return [(row[at["person"]], row[at["function"]], row[at["line"]]) for row in table]

    front_desk = {"eligibility.view", "network.verify", "idcard.view", "estimate.view", "precert.view", "message.send"}
    managing = {"access.view", "access.manage", "delegation.approve"}
    whole = {("acc_ben", key, "medicare_advantage") for key in front_desk}
    whole |= {("acc_wes", key, line) for key in managing for line in ("medical", "medicare_advantage")}
    for size, looks in ((100, 200), (1, 200), (4, 200), (100, 1), (3, 2)):
        monkeypatch.setattr(who_table, "PAGE", size)
        monkeypatch.setattr(coulds, "LOOKED_AT", looks)
        found = told(who_table.Asked(world.lakeside, None, None))
        assert len(found) == len(whole)
        assert set(found) == whole
    assert {row[2] for row in told(who_table.Asked(world.lakeside, "access.view", None))} == {
        "medical",
        "medicare_advantage",
    }
    assert {row[0] for row in told(who_table.Asked(world.lakeside, None, "medical"))} == {world.wes}
    assert told(who_table.Asked(world.harbor, "eligibility.view", None)) == []


def test_se6_a_page_looks_at_so_many_people_whatever_they_had_and_an_export_keeps_nobody_from_writing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any function in any line of a practice of 2,000 takes a minute: the write lock is not held for it."""
    asked, later = who_table.Asked(world.lakeside, None, None), clock.now() + timedelta(days=1)
    monkeypatch.setattr(coulds, "LOOKED_AT", 3)
    with transaction(world.database) as db:
        for name in ('"grant"', "appointment"):
            ended = text(f"UPDATE {name} SET ended_at = :now WHERE ended_at IS NULL")
            db.execute(ended, {"now": clock.micros(clock.now())})
        nobody = who_table.find(db, asked, later, later + timedelta(days=1))
    assert nobody.goes_on is not None
    assert (nobody.could, nobody.held) == ((), ())
    monkeypatch.setattr(who_table, "PAGE", 1)
    table = who_table.exported(world.database, asked, later - timedelta(days=3), later)
    assert next(table) == list(who_table.COLUMNS)
    assert next(table)
    with transaction(world.database) as db:
        epochs.changed_account(db, world.wes)
    assert next(table)
