"""Every road that gives or takes access leaves the log's signed receipt: asked for, by two, by a case, by a file."""

import json
from typing import Any

import pytest

from idp.audit import checkpoint, export, verifier
from idp.audit.receipts import Receipt
from idp.audit.seal import Sealer
from idp.audit.search import Filters
from idp.cases.tables import CaseAction
from idp.casework import acting
from idp.casework.acting import Wish
from idp.database import Database, transaction
from idp.wam import dual_control, receipts, requests
from tests.cases.test_opening import opened
from tests.wam import acts
from tests.wam.world import LINE, World


def events(database: Database, promise: dict[str, Any] | None) -> list[str]:
    """Check a receipt against a sealed export with the public key alone; return the events it promises."""
    assert promise is not None
    Sealer(database).seal()
    key = checkpoint.load_key(database.settings.audit_key_file).public_key()
    receipt = Receipt.read(json.dumps(promise), key)
    result = verifier.verify(b"".join(export.jsonl(database, Filters())).splitlines(), key, receipt.hashes)
    assert receipt.compared(result).startswith("Kept")
    return [json.loads(record["leaf"])["event"] for record in promise["records"]]


def test_security_73_an_approved_request_and_a_second_word_leave_signed_receipts(world: World) -> None:
    with transaction(world.database) as db:
        asked = requests.ask(
            db, account_id=world.finn, provider_id=world.lakeside, line=LINE, entitlement="remit.view", note="billing"
        )
    with transaction(world.database) as db:
        found = requests.find(db, asked.id, world.lakeside, [LINE])
        requests.approve(db, found, by=world.wes, ends_at=None, form_id="form-" + "r" * 8)
    with transaction(world.database) as db:
        made = receipts.of(db, world.lakeside, world.finn, "request", asked.id)
        assert made is not None
        assert receipts.of(db, world.harbor, world.finn, "request", asked.id) is None
        held = acts.payments_asked(db, world, "finn").id
    assert "entitlements.grant.added" in events(world.database, made.promise)
    with transaction(world.database) as db:
        dual_control.confirm(db, dual_control.find(db, held, world.lakeside, [LINE]), by=world.mia)
    with transaction(world.database) as db:
        second = receipts.of(db, world.lakeside, world.finn, "confirmed", held)
    assert second is not None
    promised = events(world.database, second.promise)
    assert {"entitlements.grant.added", "wam.change.confirmed"} <= set(promised)


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_security_73_what_a_case_takes_leaves_a_signed_receipt_and_what_waits_leaves_none(world: World) -> None:
    case_id = opened(world, "finn")
    with transaction(world.database) as db:
        wish = Wish("pause_access", world.lakeside)
        done = acting.want(db, case_id, wish, by=world.wes, reason="Two people use this login each day.").id
    with transaction(world.database) as db:
        promise = db.get_one(CaseAction, done).promise
    promised = events(world.database, promise)
    assert {"entitlements.grant.suspended", "security.case.acted"} <= set(promised)
    with transaction(world.database) as db:
        waits = acting.want(db, case_id, Wish("close"), by=world.wes, reason="Two people use this login each day.")
        assert waits.status == "waiting"
        assert waits.promise is None


def test_security_73_a_receipt_is_found_however_many_came_after_it(world: World) -> None:
    with transaction(world.database) as db:
        for number in range(250):
            facts: dict[str, Any] = {"delegation": f"dlg_{number}", "lost": [{"delegation": "dlg_nested"}]}
            made = receipts.Receipt(
                provider_id=world.lakeside, kind="delegation_end", made_by="x", form_id=f"f{number}"
            )
            made.facts = facts
            db.add(made)
    with transaction(world.database) as db:
        found = receipts.about(db, world.lakeside, "delegation_end", "delegation", "dlg_1")
        assert found is not None
        assert found.facts["delegation"] == "dlg_1"
        assert receipts.about(db, world.lakeside, "delegation_end", "delegation", "dlg_nested") is None
        assert receipts.about(db, world.lakeside, "delegation_end", "delegation", "dlg%1") is None
