"""A signed receipt is a page in plain words for whoever may have it, and for nobody else (W-5, security.md 73)."""

import re

import pytest
from sqlalchemy import text

from idp.audit.seal import Sealer
from idp.database import transaction
from tests.flows.managing import Managed, filling, managed
from tests.wam import acts
from tests.wam.test_signed_receipts import _erase

__all__ = ["filling", "managed"]


def removed(managed: Managed) -> str:
    """Mia takes all of Finn's access; return where the receipt is."""
    made = acts.remove(managed.world, managed.world.mia, managed.world.finn, function=None, reason="left")
    return f"{managed.here}/receipts/{made.id}"


def test_w5_a_receipt_says_who_did_what_for_whom_when_and_how_to_check_it(managed: Managed) -> None:
    receipt = removed(managed)
    Sealer(managed.world.database).seal_all()
    wes = managed.as_("wes").get(receipt)
    assert wes.status == 200
    said = wes.text
    for words in (
        "Receipt: Access removed", "Practice Lakeside Clinic", "Done by Mia Ode", "About Finn Oakes",
        "Eligibility and benefits", "Medical", "every record is in the log, sealed", receipt.rpartition("/")[2],
        "Check it without us",
    ):  # fmt: skip
        assert words in said, words
    kept = wes.click("Save the signed receipt").response.json()
    assert wes.get("/evidence/key.pem").status == 200
    for record in kept["records"]:
        assert str(record["number"]) in said
    assert kept["format"] == "idp-log-receipt/1"


def test_w5_the_page_of_a_receipt_says_when_the_log_no_longer_holds_what_was_signed(managed: Managed) -> None:
    receipt = removed(managed)
    wes = managed.as_("wes").get(receipt)
    assert "being sealed" in wes.text
    number = wes.click("Save the signed receipt").response.json()["records"][0]["number"]
    _erase(managed.world.database, number)
    said = wes.get(receipt).text
    assert "The log doesn't hold all of it" in said
    assert re.search(rf"record {number} isn't there as it was signed", said)


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_security_62_a_receipt_is_shown_to_the_practices_managers_alone_and_names_no_stranger(managed: Managed) -> None:
    receipt = removed(managed)
    otto = managed.as_("otto")
    assert otto.get(receipt).status == otto.get(f"{managed.here}/receipts/rct_none").status == 404
    assert otto.get(f"/p/{managed.world.harbor}/receipts/{receipt.rpartition('/')[2]}").status == 404
    assert managed.as_("ana").get(receipt).status == 403
    with transaction(managed.world.database) as db:
        db.execute(text("UPDATE receipt SET promise = NULL"))
    assert "before receipts were signed" in managed.as_("wes").get(receipt).text
