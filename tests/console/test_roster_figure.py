"""The figure of a big roster in short: `python -m bench.roster` prints it whole."""

import pytest

from bench.roster import crowd, measure
from tests.console.conftest import Api

SLACK = 2.0
"""Other tests share the processor's caches."""


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_performance_a_page_of_a_roster_of_two_thousand_costs_at_most_thirty_milliseconds(api: Api) -> None:
    crowd(api.world.database, api.world, 2000)
    found = {one.name: one for one in measure(api.world, api.settings, 3)}
    for name in ("first page", "last page", "searched page"):
        assert found[name].best <= 30.0 * SLACK, found[name]
        assert found[name].size <= 60_000
