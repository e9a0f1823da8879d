"""A practice's access managers read what the log says of their practice, and of nothing else (issue 5)."""

import csv
import io

import pytest
from sqlalchemy import text

from idp.audit import log, origin
from idp.audit.events import Event
from idp.database import transaction
from tests.console.conftest import Api

SQLITE = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


def _written(api: Api) -> None:
    world = api.world
    lakeside = {"provider": world.lakeside, "account": world.finn}
    with transaction(api.world.database) as db:
        with origin.acting_as(world.wes):
            log.record(db, Event("wam.person.viewed", **lakeside))
            log.record(db, Event("entitlements.grant.ended", entitlement="claim.status.view", reason="=left", details={"line": "medical"}, **lakeside))  # fmt: skip # noqa: E501
            log.record(db, Event("entitlements.grant.ended", reason="dental_only", details={"line": "dental"}, **lakeside))  # fmt: skip # noqa: E501
        with origin.acting_as(world.hana):  # of the insurer, for all this practice knows
            log.record(db, Event("entitlements.grant.suspended", reason="by_hana", **lakeside))
            log.record(db, Event("security.case.opened", reason="a_case", **lakeside))
        with origin.acting_as(world.otto):
            log.record(db, Event("wam.person.viewed", provider=world.harbor, account=world.hana, reason="of_harbor"))
        with origin.acting_as("claims", client_id="claims"):
            log.record(db, Event("entitlements.decision.made", outcome="deny", reason="grant_expired", **lakeside))


@SQLITE
def test_issue_5_the_practice_s_log_shows_its_own_records_in_plain_words_and_nothing_else(api: Api) -> None:
    _written(api)
    world = api.world
    here = f"/p/{world.lakeside}/log"
    wes = api.as_("wes")
    shown = wes.get(here).text
    assert "What access managers did" in shown
    for words in ("Finn Oakes", "Claim status", "grant expired", "An app", "Somebody outside the practice", "by hana"):
        assert words in shown, words
    for words in ("a case", "of harbor", "dental only", "Hana Cho", world.harbor):
        assert words not in shown, words
    assert "grant expired" not in wes.get(f"{here}?kind=wam.").text
    assert "by hana" not in wes.get(f"{here}?outcome=deny&who={world.finn}").text
    assert "by hana" in wes.get(f"{here}?who={world.finn}&since=01/01/2020").text
    rows = list(csv.reader(io.StringIO(wes.get(f"{here}.csv?kind=entitlements.grant.&who={world.finn}").response.text)))
    assert [row[7] for row in rows[1:3]] == ["by hana", "'=left"]
    with transaction(api.world.database) as db:
        seen = db.execute(text("SELECT event FROM audit_record WHERE event LIKE 'wam.log.%' ORDER BY seq")).scalars()
        assert list(seen) == ["wam.log.viewed"] * 4 + ["wam.log.exported"]


@SQLITE
def test_security_17_strangers_find_no_log_and_no_query_leads_to_another_practice(api: Api) -> None:
    _written(api)
    world = api.world
    here = f"/p/{world.lakeside}/log"
    for stranger in ("otto", "finn"):
        for path in (here, f"{here}.csv"):
            assert api.as_(stranger).get(path).status in (403, 404)
    assert api.as_("otto").get(here).status == 404
    wes = api.as_("wes")
    for query in (f"provider={world.harbor}", f"who={world.hana}", f"kind=wam.&provider={world.harbor}"):
        assert "of harbor" not in wes.get(f"{here}?{query}").text
    for bad in (
        "kind=security.",
        "kind=accounts.",
        "outcome=x",
        "who=Finn%20Oakes",
        "since=yesterday",
        "cursor=b2JveA",
    ):
        answer = wes.get(f"{here}?{bad}")
        assert (answer.status, "by hana" in answer.text) == (422, False), bad
    assert "There is a problem" in wes.get(f"{here}?since=soon").text
