"""Letters name a day as the pages do, in the deployment's zone (ui.md 4.7)."""

from datetime import UTC, datetime

import pytest

from idp import clock

CHICAGO = "America/Chicago"


@pytest.mark.parametrize(
    ("moment", "said"),
    [
        (datetime(2026, 12, 23, 1, 15, tzinfo=UTC), "Dec 22, 2026"),  # in the evening UTC is a day ahead
        (datetime(2026, 12, 23, 6, 0, tzinfo=UTC), "Dec 23, 2026"),
        (datetime(2026, 7, 1, 4, 59, tzinfo=UTC), "Jun 30, 2026"),  # daylight saving: five hours, not six
        (datetime(2026, 7, 1, 5, 0, tzinfo=UTC), "Jul 1, 2026"),
    ],
)
def test_a_letter_names_the_day_it_is_there_and_not_in_utc(moment: datetime, said: str) -> None:
    assert clock.day_in_words(moment, CHICAGO) == said
