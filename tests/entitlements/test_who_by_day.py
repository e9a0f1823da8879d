"""Who could on a day, where the day is 23 or 25 hours long and where access ends at its very edge (SE-6)."""

from datetime import UTC, date, datetime, timedelta

from sqlalchemy import text

from idp import clock
from idp.database import Database, transaction
from idp.web import dates
from idp.web.desk import who_table

ZONE = "America/Chicago"
ASKED = who_table.Asked("prv_lake", "message.send", "medical")
DAYS = [
    ("2026-03-08", "2026-03-09T04:30", True, False),  # 23 hours: 11:30 PM is 04:30 UTC
    ("2026-03-08", "2026-03-09T05:00", True, False),  # its very end
    ("2026-03-08", "2026-03-09T05:00:00.000001", True, True),
    ("2026-11-01", "2026-11-02T05:30", True, False),  # 25 hours: 11:30 PM is 05:30 UTC
    ("2026-11-01", "2026-11-02T06:00", True, False),
    ("2026-11-01", "2026-11-01T05:00", False, False),  # ended as it began
]


def test_se_6_a_day_begins_and_ends_where_its_zone_says_also_when_clocks_change(ana: Database) -> None:
    for day, ended, on_it, after_it in DAYS:
        moment = datetime.fromisoformat(ended).replace(tzinfo=UTC)
        with transaction(ana) as db:
            update = "UPDATE \"grant\" SET ended_at = :at, ended_by = 'acc_wes' WHERE id = 'grt_msg'"
            db.execute(text(update), {"at": clock.micros(moment)})
            said = []
            for one in (date.fromisoformat(day), date.fromisoformat(day) + timedelta(days=1)):
                found = who_table.find(db, ASKED, dates.start_of(one, ZONE), dates.end_of(one, ZONE))
                said.append([row.period.account_id for row in found.could] == ["acc_ana"])
            assert said == [on_it, after_it], (day, ended)
            db.rollback()  # a grant ends once
