"""Altered evidence is found: by whoever owns the database, with digests made anew, and after a person is shredded."""

from collections.abc import Callable
from hashlib import sha256

import orjson
import pytest
from sqlalchemy import text
from sqlmodel import Session as Db

from idp.audit import log, shredding
from idp.cases import file, questions, telling
from idp.cases.tables import CaseEntry, SecurityCase
from idp.casework import desk
from idp.casework.acting import Wish
from idp.database import transaction
from idp.envelope import seal_with
from tests.cases.test_deciding import SHARED, decide
from tests.cases.test_opening import opened
from tests.wam.world import World


def _stolen_rights(db: Db) -> None:
    """Do what a database superuser can: take the guard away."""
    if db.get_bind().dialect.name == "sqlite":
        for act in ("update", "delete"):
            db.execute(text(f"DROP TRIGGER case_entry_no_{act}"))
    else:
        db.execute(text("DROP TRIGGER case_entry_insert_only ON case_entry"))


def change_the_body(db: Db, case: SecurityCase) -> None:
    """Write other words, sealed rightly, beside the old digest."""
    row = db.get_one(CaseEntry, (case.id, 1))
    key = log.subject_key(db, row.owner)
    assert key is not None
    row.body = seal_with(key, b'{"evidence":{}}', f"case_entry.body:{case.id}:1")
    db.add(row)


def change_the_bytes(db: Db, case: SecurityCase) -> None:
    """Flip what is stored."""
    row = db.get_one(CaseEntry, (case.id, 1))
    assert row.body is not None
    row.body = row.body[:-1] + bytes([row.body[-1] ^ 1])
    db.add(row)


def change_body_and_digests(db: Db, case: SecurityCase) -> None:
    """Make every digest anew: only the log knows better."""
    change_the_body(db, case)
    db.flush()
    previous = ""
    for entry in file.entries(db, case.id):
        row = db.get_one(CaseEntry, (case.id, entry.number))
        row.digest = previous = file.digest_of(case.id, entry, previous)
        db.add(row)
        case.head = previous
    db.add(case)


def remove_the_last(db: Db, case: SecurityCase) -> None:
    """Cut the file and set the case back to before."""
    db.execute(text("DELETE FROM case_entry WHERE case_id = :c AND number = 2"), {"c": case.id})
    case.entries, case.head = 1, db.get_one(CaseEntry, (case.id, 1)).digest
    db.add(case)


def remove_the_first(db: Db, case: SecurityCase) -> None:
    db.execute(text("DELETE FROM case_entry WHERE case_id = :c AND number = 1"), {"c": case.id})


def say_another_did_it(db: Db, case: SecurityCase) -> None:
    db.execute(text("UPDATE case_entry SET \"by\" = 'acc_other' WHERE case_id = :c AND number = 1"), {"c": case.id})


@pytest.mark.parametrize(
    "attack",
    [
        change_the_body,
        change_the_bytes,
        change_body_and_digests,
        remove_the_last,
        remove_the_first,
        say_another_did_it,
    ],
)
@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_se_5_altered_evidence_is_found_and_the_entry_named(
    world: World, attack: Callable[[Db, SecurityCase], None]
) -> None:
    case_id = opened(world, "ana")
    opened(world, "ana")
    with transaction(world.database) as db:
        case = file.hold(db, case_id)
        assert file.check(db, case).whole
        _stolen_rights(db)
        attack(db, case)
    with transaction(world.database) as db:
        found = file.check(db, file.hold(db, case_id))
        assert not found.whole
        assert found.problem.startswith("Entry 2" if attack is remove_the_last else "Entry 1")


def test_se_5_anybody_can_make_the_digest_again_from_what_the_page_shows(world: World) -> None:
    case_id = opened(world, "ana")
    with transaction(world.database) as db:
        [entry] = file.entries(db, case_id)
    whole = {
        "at": entry.at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "body": entry.body,
        "by": "system",
        "case": case_id,
        "kind": "opened",
        "number": 1,
        "previous": "",
    }
    assert sha256(orjson.dumps(whole, option=orjson.OPT_SORT_KEYS)).hexdigest() == entry.digest


def test_domain_11_a_shredded_persons_file_is_unreadable_and_still_holds(world: World) -> None:
    case_id = opened(world, "ana")
    with transaction(world.database) as db:
        shredding.shred(db, world.ana)
    with transaction(world.database) as db:
        [entry] = file.entries(db, case_id)
        assert entry.body is None
        found = file.check(db, file.hold(db, case_id))
        assert found.whole
        assert found.unreadable == 1


def take_the_body_away(db: Db, case: SecurityCase) -> None:
    """Leave nothing the digest could be made from."""
    db.execute(text("UPDATE case_entry SET body = NULL WHERE case_id = :c AND number = 1"), {"c": case.id})


@pytest.mark.parametrize(
    "change", ["\"by\" = 'acc_other'", "kind = 'noted'", "at = at - 86400000000", "owner = 'acc_other'"]
)
@pytest.mark.parametrize("shredded", [False, True])
@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_se_5_hand_kind_and_moment_of_an_entry_hold_where_its_body_cannot_be_read(
    world: World, change: str, shredded: bool
) -> None:
    case_id = opened(world, "ana")
    opened(world, "ana")
    with transaction(world.database) as db:
        if shredded:
            shredding.shred(db, world.ana)
        found = file.check(db, file.hold(db, case_id))
        assert (found.whole, found.unreadable) == (True, 2 if shredded else 0)
        _stolen_rights(db)
        if not shredded:
            take_the_body_away(db, file.hold(db, case_id))
    if not shredded:  # alone it is found too: the key is there, the body is not
        with transaction(world.database) as db:
            assert file.check(db, file.hold(db, case_id)).problem.startswith("Entry 1 was changed")
    with transaction(world.database) as db:
        db.execute(text(f"UPDATE case_entry SET {change} WHERE case_id = :c AND number = 1"), {"c": case_id})
        assert file.check(db, file.hold(db, case_id)).problem.startswith("Entry 1 was changed")


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_se_5_a_case_that_says_other_than_its_file_is_found(world: World) -> None:
    case_id = opened(world, "finn")
    decide(world, case_id)
    for change in (
        "decision = 'innocent'",
        "cause = 'mistake'",
        f"decided_by = '{world.kim}'",
        f"account_id = '{world.ana}'",
        "account_id = NULL",
        "status = 'closed'",
        "status = 'new', decision = NULL, cause = NULL, decided_by = NULL",
    ):
        with transaction(world.database) as db:
            assert file.check(db, file.hold(db, case_id)).whole
            kept = db.begin_nested()
            db.execute(text(f"UPDATE security_case SET {change} WHERE id = :c"), {"c": case_id})
            assert file.check(db, file.hold(db, case_id)).problem.startswith("The case"), change
            kept.rollback()


_MOVED = {
    "security_case SET triage_due_at = triage_due_at + 86400000000": "must be taken up by",
    "security_case SET triaged_at = triaged_at - 86400000000": "was taken up",
    "security_case SET worked_by = 'acc_other'": "who works on it",
    "security_case SET told_at = 1, tell_due_at = NULL": "must be told by",
    "security_case SET escalated_at = 1": "called late",
    "security_case SET score = 3": "score",
    "case_question SET due_at = due_at + 1": "question csq_",
    "case_question SET answer = 'known_leave'": "question csq_",
    "case_action SET asked_by = 'acc_other'": "action csa_",
    "case_action SET reason = 'Somebody else wanted it'": "action csa_",
    "case_label SET label = 'none'": "label cse_",
}


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_se_5_a_moved_clock_a_question_an_action_or_a_label_that_was_rewritten_is_found(world: World) -> None:
    case_id = opened(world, "finn")
    with transaction(world.database) as db:
        desk.take(db, case_id, by=world.sam)
    with transaction(world.database) as db:
        questions.ask_person(db, file.hold(db, case_id), by=world.sam)
    decide(world, case_id, SHARED, Wish("education"))
    with transaction(world.database) as db:
        telling.delay(db, case_id, by=world.sam, why="The person is being spoken to first.")
    for change, named in _MOVED.items():
        with transaction(world.database) as db:
            assert file.check(db, file.hold(db, case_id)).whole
            kept = db.begin_nested()
            db.execute(text(f"UPDATE {change}"))
            problem = file.check(db, file.hold(db, case_id)).problem
            assert named in problem, (change, problem)
            kept.rollback()
    with transaction(world.database) as db:  # a row that is gone
        kept = db.begin_nested()
        db.execute(text("DELETE FROM case_question"))
        assert "question" in file.check(db, file.hold(db, case_id)).problem
        kept.rollback()


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_se_5_looking_at_a_case_leaves_no_record_of_how_it_stands(world: World) -> None:
    case_id = opened(world, "finn")
    with transaction(world.database) as db:
        before = db.execute(text("SELECT count(*) FROM audit_record WHERE event = 'security.case.stood'")).scalar()
        file.check(db, file.hold(db, case_id))
    with transaction(world.database) as db:
        after = db.execute(text("SELECT count(*) FROM audit_record WHERE event = 'security.case.stood'")).scalar()
    assert before == after == 1
