"""W-8: who has what, now and on any past day; what changed; who is idle; as CSV that no spreadsheet executes."""

import csv
import io
from datetime import timedelta

from freezegun import freeze_time
from sqlalchemy import text

from idp import clock
from idp.database import transaction
from idp.entitlements import grants
from idp.wam import reports
from tests.audit.hostile import HOSTILE
from tests.flows.managing import Managed, filling, managed
from tests.wam.world import LINE

__all__ = ["filling", "managed"]
FORMULA = "=+-@\uff1d\uff0b\uff0d\uff20\t\r"


def test_w8_who_had_what_on_a_past_day_is_what_held_then(managed: Managed) -> None:
    world, start = managed.world, clock.now()
    managed.give("ana", "remit.view")
    with freeze_time(start + timedelta(days=10)), transaction(world.database) as db:
        [mine] = grants.live(db, world.ana, world.lakeside, clock.now())
        grants.end(db, mine, by=world.wes, reason="role_change")
    with transaction(world.database) as db:
        for days, expected in ((-1, set()), (1, {"Remittance"}), (9, {"Remittance"}), (10, set()), (30, set())):
            had = reports.as_of(db, world.lakeside, [LINE], start + timedelta(days=days))
            assert {h.function for h in had if h.account_id == world.ana} == expected, days
        steps = reports.history(db, world.lakeside, [LINE], since=start - timedelta(days=1), most=50)
    assert [(s.what, s.by) for s in steps if s.name == "Ana Ruiz"] == [("Ended", "Wes Kane"), ("Given", "the insurer")]


def test_w8_the_page_and_the_export_say_the_same_and_both_are_recorded(managed: Managed) -> None:
    wes = managed.as_("wes").get(f"{managed.here}/reports")
    assert "Finn Oakes" in wes.text
    assert "Manage people's access" in wes.text
    wes.get(f"{managed.here}/reports/access.csv")
    rows = list(csv.DictReader(io.StringIO(wes.response.text)))
    assert {r["Function"] for r in rows if r["Name"] == "Finn Oakes"} >= {"Secure messages"}
    assert {r["Name"] for r in rows} == {"Finn Oakes", "Wes Kane", "Mia Ode"}
    assert "Given" in wes.get(f"{managed.here}/reports/history.csv").response.text
    assert managed.events("wam.report.viewed") == 1
    assert managed.events("wam.report.exported") == 2
    wes.get(f"{managed.here}/reports?day=01/02/2020")
    assert "0 people with 0 functions" in wes.text
    assert wes.get(f"{managed.here}/reports?day=01/02/2999").status == 422
    assert wes.get(f"{managed.here}/reports?day=yesterday").status == 422


def test_w8_no_cell_of_an_export_is_a_formula(managed: Managed) -> None:
    plain = managed.as_("wes").get(f"{managed.here}/reports/access.csv").response.text.count("\r\n")
    for name in HOSTILE:
        with transaction(managed.world.database) as db:
            found = {"a": managed.world.finn, "n": name.replace("\x00", "")}
            db.execute(text("UPDATE account SET display_name = :n WHERE id = :a"), found)
        wes = managed.as_("wes").get(f"{managed.here}/reports/access.csv")
        rows = list(csv.reader(io.StringIO(wes.response.text, newline="")))
        assert len(rows) == plain, name
        assert not [cell for row in rows for cell in row if cell.lstrip()[:1] in FORMULA and cell], name


def test_w8_idle_people_are_named_and_who_was_seen_is_not(managed: Managed) -> None:
    world = managed.world
    with freeze_time(clock.now() + timedelta(days=61)):
        world.sign_in("finn")
        with transaction(world.database) as db:
            names = {a.display_name for a, _ in reports.idle(db, world.lakeside)}
    assert names == {"Ana Ruiz", "Wes Kane", "Mia Ode"}


def test_security_62_another_practices_reports_are_not_there(managed: Managed) -> None:
    for where in ("reports", "reports/access.csv", "reports/history.csv"):
        assert managed.as_("otto").get(f"{managed.here}/{where}").status == 404
        assert managed.as_("ana").get(f"{managed.here}/{where}").status in (403, 404)
