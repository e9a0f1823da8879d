"""Who may give what, and what ends with it (invariants 6 and 8, T-09)."""

from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlmodel import Session, col, select

from idp import clock
from idp.accounts.tables import Session as BrowserSession
from idp.accounts.tables import TokenFamily
from idp.database import Database, transaction
from idp.entitlements import bundles, catalog, grant_rows, grants, pauses
from idp.entitlements.rules import MayNotGive
from idp.entitlements.tables import Assignment, Bundle, BundleItem, Entitlement, Grant
from idp.errors import Conflict, Invalid
from idp.leaving import people
from idp.signals import epochs
from idp.signals.tables import Revocation

WHERE = {"account_id": "acc_ana", "provider_id": "prv_lake", "line": "medical"}


def _family(db: Session, provider: str = "prv_lake") -> str:
    family = TokenFamily(session_id="ses_ana", client_id="claims", account_id="acc_ana", provider_id=provider)
    db.add(family)
    db.flush()
    return family.id


def _ended(database: Database, family_id: str) -> bool:
    with transaction(database) as db:
        family = db.get(TokenFamily, family_id)
        assert family is not None
        return family.ended_at is not None


def _epoch(database: Database) -> int:
    with transaction(database) as db:
        return epochs.authz_epoch(db, "acc_ana")


def _events(database: Database) -> list[str]:
    with transaction(database) as db:
        return list(db.execute(text("SELECT event FROM audit_record ORDER BY seq")).scalars())


def test_t09_a_grant_keeps_who_gave_what_why_and_until_when_and_takes_nothing_away(ana: Database) -> None:
    before = _epoch(ana)
    with transaction(ana) as db:
        family = _family(db)
        until = clock.now() + timedelta(days=30)
        made = grants.grant(db, **WHERE, entitlement="remit.view", by="acc_bo", reason="new job", expires_at=until)
    assert (made.granted_by, made.reason, made.expires_at) == ("acc_bo", "new job", until)
    assert _epoch(ana) == before
    assert not _ended(ana, family)
    assert _events(ana)[-1] == "entitlements.grant.added"


def test_ending_a_grant_outdates_tokens_ends_families_there_and_tells_the_apps_once(ana: Database) -> None:
    before = _epoch(ana)
    with transaction(ana) as db:
        here, elsewhere = _family(db), _family(db, "prv_other")
    with transaction(ana) as db:
        row = db.get(Grant, "grt_msg")
        assert row is not None
        assert grants.end(db, row, by="acc_bo", reason="left")
        assert not grants.end(db, row, by="acc_bo", reason="left")
    assert _epoch(ana) == before + 1
    assert _ended(ana, here)
    assert not _ended(ana, elsewhere)
    with transaction(ana) as db:
        assert [r.kind for r in db.exec(select(Revocation)).all()] == ["grant_ended"]
        session = db.get(BrowserSession, "ses_ana")
        assert session is not None
        assert session.ended_at is None  # the browser session lives on
    assert _events(ana).count("entitlements.grant.ended") == 1


def test_a_grant_is_never_edited_and_never_deleted(ana: Database) -> None:
    for statement in (
        "UPDATE \"grant\" SET expires_at = 1 WHERE id = 'grt_msg'",
        "UPDATE \"grant\" SET entitlement = 'eft.manage' WHERE id = 'grt_msg'",
        'DELETE FROM "grant"',
    ):
        with pytest.raises(Exception, match="never"), transaction(ana) as db:
            db.execute(text(statement))


def test_replacing_from_the_same_moment_ends_nothing_and_a_gap_does(ana: Database) -> None:
    before = _epoch(ana)
    with transaction(ana) as db:
        family = _family(db)
        row = db.get(Grant, "grt_msg")
        assert row is not None
        made = grants.replace(db, row, by="acc_bo", reason="longer", expires_at=clock.now() + timedelta(days=9))
        with pytest.raises(Conflict):
            grants.replace(db, row, by="acc_bo", reason="again")
    assert _epoch(ana) == before
    assert not _ended(ana, family)
    with transaction(ana) as db:
        row = db.get(Grant, made.id)
        assert row is not None
        grants.replace(db, row, by="acc_bo", reason="later", not_before=clock.now() + timedelta(days=1))
    assert _epoch(ana) == before + 1
    assert _ended(ana, family)


def test_a_pause_takes_away_and_its_end_gives_back(ana: Database) -> None:
    before = _epoch(ana)
    with transaction(ana) as db:
        place = grant_rows.Place("acc_ana", "prv_lake", "medical")
        [pause] = pauses.suspend(db, place, ["message.send"], by="acc_bo", reason="leave")
    assert _epoch(ana) == before + 1
    with transaction(ana) as db:
        row = db.get(Grant, pause.id)
        assert row is not None
        assert grants.end(db, row, by="acc_bo", reason="back")
    assert _epoch(ana) == before + 1


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"entitlement": "claim.everything"}, Invalid),
        ({"line": "vision"}, Invalid),
        ({"expires_at": timedelta(0)}, Invalid),
        ({"expires_at": timedelta(days=-1)}, Invalid),
        ({"entitlement": "access.manage"}, Invalid),
        ({"entitlement": "delegation.approve", "by": "operator"}, Invalid),
        ({"entitlement": "eft.manage", "by": "acc_ana"}, MayNotGive),
        ({"entitlement": "eft.manage", "account_id": "acc_bo", "by": "acc_ana"}, MayNotGive),  # identity too low
        ({"entitlement": "audit.search", "by": "acc_bo"}, MayNotGive),  # the insurer's own, not a practice's
        ({"provider_id": "prv_insurer", "by": "acc_bo"}, MayNotGive),
    ],
)
def test_invariant_6_what_may_not_be_given_is_refused(ana: Database, change: dict, refusal: type) -> None:
    values = {**WHERE, "entitlement": "remit.view", "by": "acc_bo", "reason": "job", **change}
    if isinstance(values.get("expires_at"), timedelta):
        values["expires_at"] = clock.now() + values["expires_at"]
    with pytest.raises(refusal), transaction(ana) as db:
        grants.grant(db, **values)
    with transaction(ana) as db:
        assert len(db.exec(select(Grant)).all()) == 2


def test_domain_6_moving_money_and_directory_or_access_are_never_in_one_person(ana: Database) -> None:
    with transaction(ana) as db:
        grants.grant(db, **WHERE, entitlement="demographics.update", by="acc_bo", reason="job")
    with pytest.raises(MayNotGive), transaction(ana) as db:
        grants.grant(db, **WHERE, entitlement="eft.manage", by="acc_bo", reason="job")


def test_the_catalogue_is_loaded_once_and_says_what_domain_5_says(database: Database) -> None:
    with transaction(database) as db:
        assert catalog.load_default(db)
    with transaction(database) as db:
        assert not catalog.load_default(db)
        rows = {e.key: e for e in db.exec(select(Entitlement)).all()}
        assert len([e for e in rows.values() if not e.insurer_side]) == 30
        ours = {"support.view", "catalogue.manage", "duty.except"}
        assert len([e for e in rows.values() if e.insurer_side and e.key not in ours]) == 9
        assert ours <= set(rows)
        assert (rows["eft.manage"].fresh, rows["eft.manage"].ial, rows["eft.manage"].sensitivity) == (True, 2, 5)
        assert rows["claim.status.view"].purposes == ["CLAIM_REDUCTION_REVIEW", "PROSPECTIVE_SERVICE"]
        assert rows["appeal.status.view"].purposes == ["CLAIM_REDUCTION_REVIEW"]
        assert rows["roster.view"].needs == ["capitation", "credentialed"]
        assert {k for k, e in rows.items() if "licence" in e.needs} == {
            "precert.clinical",
            "referral.manage",
            "epa.launch",
            "clinical.record.view",
        }
        assert all(("credentialed" in e.needs) != e.non_participating for e in rows.values())
        assert {k for k, e in rows.items() if e.insurer_side and e.fresh} - ours == {
            "security.access.revoke",
            "audit.export",
            "terms.publish",
        }
        biller = db.exec(select(BundleItem).where(col(BundleItem.bundle) == "biller")).all()
        assert {"claim.submit", "claim.recon.submit", "eft.view"} <= {item.entitlement for item in biller}
        assert "eft.manage" not in {item.entitlement for item in biller}


def test_a_bundle_becomes_grants_and_ends_as_one(ana: Database) -> None:
    with transaction(ana) as db:
        assignment, made = bundles.assign(db, **WHERE, bundle="biller", by="acc_bo", reason="biller")
        assert {g.entitlement for g in made} == set(bundles.items(db, bundles.find(db, "biller")))
        assert all(g.assignment_id == assignment.id for g in made)
        assert bundles.assigned(db, "acc_ana", "prv_lake") == [assignment]
    with transaction(ana) as db:
        row = db.get(Assignment, assignment.id)
        assert row is not None
        assert bundles.end_assignment(db, row, by="acc_bo", reason="left") == len(made)
        assert bundles.end_assignment(db, row, by="acc_bo", reason="left") == 0
        assert [g.id for g in grants.live(db, "acc_ana", "prv_lake", clock.now())] == ["grt_claim", "grt_msg"]


def test_the_newest_version_of_a_bundle_is_the_one_assigned(ana: Database) -> None:
    with transaction(ana) as db:
        db.add(Bundle(key="front_desk", version=2, name="Front desk"))
        db.add(BundleItem(bundle="front_desk", version=2, entitlement="message.send"))
        db.add(Bundle(key="tpa_analyst", version=2, name="x", retired_at=clock.now()))
    with transaction(ana) as db:
        assert bundles.items(db, bundles.find(db, "front_desk")) == ["message.send"]
        assert "tpa_analyst" not in {b.key for b in bundles.current(db)}
        for bundle, more in (("wam", {}), ("tpa_analyst", {}), ("nothing", {}), ("delegated_vendor", {})):
            with pytest.raises(Invalid):
                bundles.assign(db, **WHERE, bundle=bundle, by="acc_bo", reason="x", **more)


def test_t17_ceasing_ends_sessions_families_grants_and_affiliations_in_one_step(ana: Database) -> None:
    with transaction(ana) as db:
        family = _family(db)
    with transaction(ana) as db:
        assert people.cease(db, "acc_ana", because="retired", by="system")
        assert not people.cease(db, "acc_ana", because="retired", by="system")
    assert _ended(ana, family)
    with transaction(ana) as db:
        assert grants.live(db, "acc_ana", "prv_lake", clock.now()) == []
        session = db.get(BrowserSession, "ses_ana")
        assert session is not None
        assert session.ended_at is not None
        other = db.get(BrowserSession, "ses_bo")
        assert other is not None
        assert other.ended_at is None
        kinds = {r.kind for r in db.exec(select(Revocation)).all()}
        assert {"account_ended", "session_ended", "grant_ended", "affiliation_ended"} <= kinds


def test_a_hold_keeps_grants_and_leaving_one_practice_keeps_the_session_but_misuse_does_not(ana: Database) -> None:
    with transaction(ana) as db:
        assert people.suspend(db, "acc_ana", because="case", by="operator")
        assert people.reinstate(db, "acc_ana", because="cleared", by="operator")
        assert len(grants.live(db, "acc_ana", "prv_lake", clock.now())) == 2
        db.execute(text("UPDATE session SET ended_at = NULL WHERE id = 'ses_ana'"))
    with transaction(ana) as db:
        family = _family(db)
        assert people.leave(db, "acc_ana", "prv_lake", reason="left", by="acc_bo")
        assert not people.leave(db, "acc_ana", "prv_lake", reason="left", by="acc_bo")
    assert _ended(ana, family)
    with transaction(ana) as db:
        session = db.get(BrowserSession, "ses_ana")
        assert session is not None
        assert session.ended_at is None
        grants.grant(db, **WHERE, entitlement="remit.view", by="operator", reason="again")
        assert people.leave(db, "acc_ana", "prv_lake", reason="misuse", by="acc_bo")
        db.refresh(session)
        assert session.ended_at is not None
