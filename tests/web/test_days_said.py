"""How ends of things are said on pages and in mails (ui.md 4.7)."""

from datetime import UTC, datetime

from freezegun import freeze_time

from idp.notices import saying
from idp.web import pages

ZONE = "America/Chicago"


@freeze_time("2026-11-22T21:45:00Z")
def test_ui_4_7_an_end_in_four_hours_is_told_to_the_minute_and_other_ends_by_their_last_day() -> None:
    soon = pages.last_day(datetime(2026, 11, 23, 1, 45, tzinfo=UTC), ZONE)
    assert ">Nov 22, 2026, 7:45 PM CST<" in soon
    assert ">Nov 22, 2026<" in pages.last_day(datetime(2026, 11, 23, 6, 0, tzinfo=UTC), ZONE), "the end of today"
    assert ">Mar 1, 2027<" in pages.last_day(datetime(2027, 3, 1, 20, 0, tzinfo=UTC), ZONE)


def test_ui_4_7_a_mail_and_a_page_name_the_same_last_day() -> None:
    due = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
    assert saying.end_of_day(due, ZONE) == "the end of Nov 23, 2026"
    assert ">Nov 23, 2026<" in pages.last_day(due, ZONE)
    assert saying.end_of_day(datetime(2026, 11, 24, 15, 0, tzinfo=UTC), ZONE) == "Nov 24, 2026, 9:00 AM CST"
