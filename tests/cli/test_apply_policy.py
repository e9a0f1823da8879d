"""Jobs, versions to come, separation of duties and withheld functions in the applied file: made, repeated, exported."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from idp import clock
from idp.apply.export import export
from idp.apply.run import apply_file
from idp.apply.source import FileWrong
from idp.catalogue import bundles as jobs
from idp.catalogue import functions
from idp.database import Database, transaction
from idp.entitlements import bundles, catalog, duties
from idp.entitlements.tables import Entitlement
from tests.entitlements.described import Rows

SQLITE = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
SOON = datetime(2031, 5, 1, tzinfo=UTC)


def day(days: int) -> str:
    return (clock.now() + timedelta(days=days)).strftime("%Y-%m-%d")


def world() -> Rows:
    pair = {"first": "fee.view", "second": "claim.submit", "why": "Who sets prices does not bill."}
    person = {"terms": [], "affiliations": [{"provider": "lakeside", "from": "2026-01-01"}]}
    return {
        "functions": [
            {"key": "fee.view", "next": {"effective": SOON.isoformat(), "reason": "New contract", "sensitivity": 4}}
        ],
        "jobs": [
            {
                "bundle": "front_desk",
                "functions": ["eligibility.view", "message.send"],
                "next": {"functions": ["eligibility.view"], "effective": SOON.isoformat(), "reason": "Too much"},
            }
        ],
        "duties": [
            {
                **pair,
                "exceptions": [
                    {
                        "person": "finn",
                        "provider": "lakeside",
                        "reason": "Nobody else this month",
                        "until": day(40),
                        "asked_by": "sam",
                        "confirmed_by": "una",
                    }
                ],
            },
            {"first": "access.manage", "second": "eft.manage", "why": "no more", "ended": True},
        ],
        "providers": [
            {
                "ref": "lakeside",
                "name": "Lakeside Clinic",
                "portals": [{"line": "medical", "from": "2026-01-01"}],
                "agreements": [{"line": "medical", "from": "2026-01-01"}],
                "withheld": [
                    {"line": "medical", "function": "remit.view", "from": "2026-02-01", "reason": "Under review"},
                    {"line": "medical", "function": "fee.view", "from": day(20), "reason": "Contract ends"},
                    {
                        "line": "medical",
                        "function": "idcard.view",
                        "from": "2026-02-01",
                        "ended": "2026-03-01",
                        "reason": "Once",
                    },
                ],
            }
        ],
        "people": [{"ref": ref, "name": ref.title(), **person} for ref in ("finn", "sam", "una")],
    }


def applied(database: Database, folder: Path, file: Rows) -> str:
    path = folder / "policy.yaml"
    path.write_text(yaml.safe_dump(file, sort_keys=False))
    return apply_file(database, path).text()


def test_d4_policy_in_the_applied_file_is_made_once_and_comes_back_from_its_export(
    ready: Database, tmp_path: Path
) -> None:
    told = applied(ready, tmp_path, world())
    assert "~ jobs front_desk" in told
    assert "+ duties finn at lakeside" in told
    assert applied(ready, tmp_path, world()) == "nothing differs"
    with transaction(ready) as db:
        assert bundles.items(db, bundles.find(db, "front_desk")) == ["eligibility.view", "message.send"]
        waits, later = jobs.coming(db, "front_desk"), functions.waiting(db, "fee.view")
        assert waits is not None
        assert later is not None
        assert (waits.effective_at, later.effective_at, later.after) == (SOON, SOON, {"sensitivity": 4})
        standing = {(row.first, row.second) for row in duties.pairs(db)}
        assert standing == {("claim.submit", "fee.view"), ("demographics.update", "eft.manage")}
    first = export(ready)
    path = tmp_path / "exported.yaml"
    path.write_text(first)
    assert not apply_file(ready, path)
    written = yaml.safe_load(first)
    assert len(written["providers"][0]["withheld"]) == 3
    assert [set(entry) for entry in written["jobs"]] == [{"bundle", "functions", "next"}]
    assert written["duties"][0]["exceptions"][0]["confirmed_by"] == "una"
    assert written["duties"][1]["ended"] is True


@SQLITE
def test_security_64_the_file_makes_no_job_and_no_version_that_staff_could_not(ready: Database, tmp_path: Path) -> None:
    applied(ready, tmp_path, world())
    said = (
        ("jobs", [{"bundle": "front_desk", "functions": ["eft.manage"]}], "two people"),
        ("jobs", [{"bundle": "wam", "functions": ["access.view"]}], "appointment"),
        (
            "jobs",
            [{"bundle": "biller", "next": {"functions": ["remit.view"], "effective": day(-2), "reason": "x"}}],
            "day",
        ),
        ("functions", [{"key": "eft.manage", "next": {"effective": day(9), "reason": "x", "fresh": False}}], "guard"),
        ("functions", [{"key": "fee.view", "next": {"effective": day(-2), "reason": "x", "ial": 2}}], "later day"),
        ("duties", [{"first": "fee.view", "second": "no.such", "why": "x"}], "different functions"),
    )
    for section, entries, words in said:
        with pytest.raises(FileWrong, match=words):
            applied(ready, tmp_path, {section: entries})
    with transaction(ready) as db:
        sam_asks = {"asked_by": "sam", "confirmed_by": "sam"}
        kept = catalog.find(db, "eft.manage")
        assert isinstance(kept, Entitlement)
        assert kept.fresh
    file = world()
    file["duties"][0]["exceptions"][0] |= sam_asks | {"until": day(50)}
    with pytest.raises(FileWrong, match="second person"):
        applied(ready, tmp_path, file)


@SQLITE
def test_domain_6_a_job_people_have_changes_only_from_a_day_to_come(ready: Database, tmp_path: Path) -> None:
    file = world()
    file["grants"] = [{"person": "finn", "provider": "lakeside", "bundle": "front_desk", "reason": "works there"}]
    applied(ready, tmp_path, file)
    with pytest.raises(FileWrong, match="People have this job"):
        applied(ready, tmp_path, {"jobs": [{"bundle": "front_desk", "functions": ["message.send"]}]})
    later = {"functions": ["message.send"], "effective": "2032-01-01", "reason": "Changed our mind"}
    assert "+ jobs front_desk: from 2032-01-01" in applied(
        ready, tmp_path, {"jobs": [{"bundle": "front_desk", "next": later}]}
    )
    with transaction(ready) as db:
        waits = jobs.coming(db, "front_desk")
        assert waits is not None
        assert bundles.items(db, waits) == ["message.send"]
