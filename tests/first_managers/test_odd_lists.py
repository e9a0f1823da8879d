"""W-1: what a claim system hands over is read line by line; a line that can't be a claim proves nothing."""

from datetime import timedelta

import pytest

from idp import clock
from idp.database import transaction
from idp.errors import Invalid
from idp.first_managers import facts
from tests.first_managers.world import TIN, Shore, filling, shore

__all__ = ["filling", "shore"]
pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
HEAD = "tin,kind,number,amount,date"


def test_w1_a_day_to_come_proves_nothing_and_stops_no_other_line(shore: Shore) -> None:
    days = ("9999-12-31", (clock.now() + timedelta(days=3)).date().isoformat(), "2026-13-45", "yesterday")
    lines = [f"{TIN},claim,CL-77{n},10.00,{day}" for n, day in enumerate(days)]
    good = f"{TIN},claim,CL-7790,10.00,{clock.now().date().isoformat()}"
    with transaction(shore.world.database) as db:
        loaded = facts.load(db, [HEAD, *lines, good])
    assert loaded.new == 1
    assert [said for _, said in loaded.wrong] == ["the date has not come yet"] * 2 + [
        "the date is not written like 2026-11-21"
    ] * 2


@pytest.mark.parametrize("lines", [[HEAD + ",date"], [HEAD, f'{TIN},claim,"{"1" * 200_000}",1.00,2026-11-11'], []])
def test_w1_what_is_no_such_list_is_refused_as_a_whole(shore: Shore, lines: list[str]) -> None:
    with pytest.raises(Invalid), transaction(shore.world.database) as db:
        facts.load(db, lines)
