"""No decision is stale after an acknowledged revoke: four worker processes, the writer killed -9, both databases."""

import os
import sys
from typing import Any

import pytest

from idp.database import Database
from idp.settings import Settings
from tests.decisions import world
from tests.entitlements.conftest import noon
from tests.faults.revoking import FUNCTION, PEOPLE, PLACE, account, describe, storm

__all__ = ["noon"]
LONG = int(os.environ.get("IDP_LONG_DECISIONS", "1000000"))
SHORT = LONG // 400 if "IDP_LONG_DECISIONS" not in os.environ else 2_500
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


@pytest.fixture
def crowd(database: Database, noon: None) -> Database:
    """Ana's world, and people who may all do the same."""
    base = world.load("base.yaml")["world"]
    more: dict[str, Any] = {name: {} for name in (*_OF_ANA, "grant")}
    for n in range(PEOPLE):
        for table, row in _OF_ANA.items():
            copied = {**base[table][row]}
            if "account_id" in copied:
                copied["account_id"] = account(n)
            if table == "session":
                copied |= {"token_hash": f"storm{n}", "login_id": f"lgn_ana_{n}"}
            if table == "login":
                copied["subject"] = f"storm{n}"
            ids = {"account": account(n), "session": f"ses_storm{n}"}
            more[table][ids.get(table, f"{row}_{n}")] = copied
        more["terms_acceptance"][f"tac_gen_{n}"] = {**base["terms_acceptance"]["tac_gen"], "account_id": account(n)}
        more["grant"][f"grt_storm{n}"] = {**base["grant"]["grt_msg"], "account_id": account(n)}
    assert base["grant"]["grt_msg"]["entitlement"] == FUNCTION
    assert base["affiliation"]["aff_ana"]["provider_id"] == PLACE
    world.build(database, world.merged(base, more))
    return database


_OF_ANA = {
    "account": "acc_ana",
    "login": "lgn_ana",
    "session": "ses_ana",
    "terms_acceptance": "tac_site",
    "attestation": "att_ana",
    "affiliation": "aff_ana",
}


@pytest.mark.parametrize("wanted", [SHORT, pytest.param(LONG, marks=pytest.mark.faults)])
def test_invariant_8_no_decision_of_four_workers_is_stale_after_an_acknowledged_revoke(
    settings: Settings, crowd: Database, wanted: int
) -> None:
    found = storm(settings, wanted, kill_every=0.25 if wanted == SHORT else 2.0)
    sys.stderr.write(describe(found, crowd.url.get_backend_name()) + "\n")
    assert found.counts["stale"] == 0
    assert found.counts["decisions"] >= wanted, "a part, not the whole"
    assert found.counts["late"] == 0
    assert found.counts["after a revoke"]
    assert found.counts["after a grant"]
    assert found.kills
    assert found.changes


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_a_memory_without_versions_is_seen_by_the_same_storm(settings: Settings, crowd: Database) -> None:
    assert storm(settings, 2_000, naive=True).counts["stale"] > 0
