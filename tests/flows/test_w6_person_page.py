"""W-6: the page of an outside company's person says what the company let them do, and leads to it."""

import pytest
from sqlmodel import select

from idp.database import transaction
from idp.wam import receipts
from idp.wam.tables import Receipt
from tests.flows.managing import Managed, filling, managed
from tests.wam.third_parties import extend
from tests.wam.world import LINE

__all__ = ["filling", "managed"]
pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


def test_w6_what_a_company_gave_is_told_in_words_and_leads_to_the_delegation(managed: Managed) -> None:
    parties = extend(managed.world)
    delegation = parties.delegate()
    parties.assign(delegation)
    page = managed.as_("wes").get(f"{managed.here}/people/{parties.people['bo']}")
    assert "Given by the company" in page.text
    page.click("Receipt of")
    assert page.status == 200
    assert page.path == f"{managed.here}/delegations/{delegation}"


def test_w6_what_companies_do_in_one_line_is_not_told_to_who_looks_at_another(managed: Managed) -> None:
    parties = extend(managed.world)
    parties.assign(parties.delegate())
    kept = managed.one("SELECT count(*) FROM receipt WHERE kind = 'delegation'")
    assert kept == 2
    with transaction(managed.world.database) as db:
        rows = db.exec(select(Receipt).where(Receipt.kind == "delegation")).all()
        assert [receipts.seen(row, ["dental"]) for row in rows] == [False, False]
        assert [receipts.seen(row, [LINE]) for row in rows] == [True, True]
