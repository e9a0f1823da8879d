"""W-4, ui.md 4.7: what somebody types or chooses for a change counts, or the page says that it does not."""

import pytest

from tests.flows.managing import Managed, filling, managed

__all__ = ["filling", "managed"]


@pytest.mark.parametrize(("end", "words"), [("year", "One year"), ("none", "No end date")])
def test_w4_a_typed_last_day_beside_another_end_is_never_dropped_in_silence(
    managed: Managed, end: str, words: str
) -> None:
    wes = managed.as_("wes").get(f"{managed.here}/people/{managed.world.ana}/change")
    wes.submit("Check the changes", f="remit.view", end=end, until="12/31/2099")
    assert wes.status == 422
    assert f'You typed a last day, 12/31/2099, and "{words}" was chosen' in wes.text
    wes.submit("Check the changes")  # what the page chose, as it said
    assert wes.status == 200
    assert "until Dec 31, 2099" in wes.text
    wes.get(f"{managed.here}/people/{managed.world.ana}/change")
    wes.submit("Check the changes", f="remit.view", end=end, until="")
    assert wes.status == 200
