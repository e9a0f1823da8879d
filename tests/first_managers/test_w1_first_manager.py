"""W-1: the first access manager proves it one of three ways, the insurer confirms, the duties are taken on."""

import re
import threading
from datetime import timedelta

import pytest
from freezegun import freeze_time
from sqlmodel import select

from idp import clock
from idp.database import transaction
from idp.errors import Conflict, NotEntitled, NotFound, Refused, TooMany
from idp.first_managers import confirming, facts, keys
from idp.registration import first_manager
from idp.registration.tables import Application, ProofKey
from idp.wam import appointments
from tests.first_managers.world import ELSEWHERE, TIN, Shore, claim, filling, shore

__all__ = ["filling", "shore"]


def confirmed(shore: Shore, by: str = "una") -> None:
    shore.as_(by).get(shore.desk).submit("Confirm", identity="license by video")


def test_w1_by_a_claim_then_the_insurer_then_the_duties_and_only_then_they_manage(shore: Shore) -> None:
    nina = shore.as_("nina").get(shore.page)
    nina.submit("Check it", kind="claim", number="cl 2026 0001", amount="$1,250.00")
    assert "Proven. We confirm it next" in nina.text
    assert shore.one("SELECT count(*) FROM appointment WHERE account_id = :a", a=shore.world.nina) == 0
    una = shore.as_("una").get("/insurer/first-managers").click("Nina Frost")
    assert "A claim or payment" in una.text
    una.submit("Confirm", identity="")
    assert una.status == 422
    una.submit("Confirm", identity="license by video")
    assert shore.status() == "confirmed"
    nina.get(shore.page).submit("Become access manager")
    assert nina.status == 422, "the duties have to be read"
    nina.submit("Become access manager", duties="yes")
    assert nina.path == f"/p/{shore.shore}/people"
    with transaction(shore.world.database) as db:
        assert appointments.able(db, shore.shore, "medical") == {shore.world.nina}
    assert shore.one("SELECT status FROM account WHERE id = :a", a=shore.world.nina) == "active"
    assert shore.one("SELECT verified_by FROM appointment WHERE provider_id = :p", p=shore.shore) == "fact"
    with pytest.raises(Conflict), transaction(shore.world.database) as db:
        confirming.accept(db, shore.claim, account_id=shore.world.nina)


def test_w1_by_a_letter_whose_key_is_on_paper_alone_and_good_for_60_days(shore: Shore) -> None:
    nina = shore.as_("nina").get(shore.page).submit("Mail me a letter")
    assert "If we have an address" in nina.text
    assert "Shore Road" not in nina.text
    key = shore.printed()
    assert shore.one("SELECT count(*) FROM proof_key WHERE letter IS NOT NULL") == 0
    assert "No letter waits" in shore.as_("una").get("/insurer/first-managers").text
    with transaction(shore.world.database) as db:
        row = db.exec(select(ProofKey)).one()
        assert key.replace(" ", "").encode() not in row.key_hash
        application = db.exec(select(Application).where(Application.account_id == shore.world.nina)).one()
        assert application.expires_at == row.expires_at, "the application waits as long as the letter is good"
        ends = row.expires_at
    with pytest.raises(first_manager.WrongProof), freeze_time(ends), transaction(shore.world.database) as db:
        keys.prove_by_letter(db, shore.claim, account_id=shore.world.nina, key=key)
    with freeze_time(ends - timedelta(seconds=1)), transaction(shore.world.database) as db:
        keys.prove_by_letter(db, shore.claim, account_id=shore.world.nina, key=key)
    sam = shore.as_("sam").get(shore.desk)
    assert "A colleague has to confirm" in sam.text
    with pytest.raises(NotEntitled), transaction(shore.world.database) as db:
        confirming.confirm(db, shore.claim, by=shore.world.sam, identity="seen")
    confirmed(shore)
    assert shore.status() == "confirmed"


def test_w1_by_a_call_back_with_the_number_the_person_reads_out_and_another_one_confirms(shore: Shore) -> None:
    nina = shore.as_("nina").get(shore.page).submit("Ask for a call back")
    found = re.search(r"number then: (\d{6})", nina.text)
    assert found
    sam = shore.as_("sam").get(shore.desk).submit("Check it", code="000000" if found[1] != "000000" else "1")
    assert "4 tries left" in sam.text
    sam.get(shore.desk).submit("Check it", code=found[1])
    assert shore.status() == "proven"
    assert "A colleague has to confirm" in sam.text
    confirmed(shore)
    assert shore.status() == "confirmed"


def test_w1_five_wrong_proofs_of_any_kind_lock_the_claim(shore: Shore) -> None:
    nina = shore.as_("nina").get(shore.page)
    for number in range(4):
        nina.get(shore.page).submit("Check it", kind="claim", number=f"CL-{number:08d}", amount="1.00")
        assert nina.status == 422
    nina.get(shore.page).submit("Check the key", key="1234 5678 9012 3456")
    assert "last try" in nina.text
    assert shore.status() == "locked"
    nina.get(shore.page)
    assert "closed after five tries" in nina.text
    with pytest.raises(TooMany), transaction(shore.world.database) as db:
        facts.prove(db, shore.claim, account_id=shore.world.nina, kind="claim", number="CL-2026-0001", amount="1250.00")


def test_w1_a_fact_proves_once_for_its_own_practice_and_no_longer_than_60_days(shore: Shore) -> None:
    world = shore.world
    with transaction(world.database) as db:
        other = claim(db, world.omar, ELSEWHERE)
        assert other is not None
    for number, amount in (("CL-2026-0009", "77.00"), ("CL-2025-0002", "10.00"), ("CL-2026-0001", "1250.01")):
        with pytest.raises(first_manager.WrongProof), transaction(world.database) as db:
            facts.prove(db, shore.claim, account_id=world.nina, kind="claim", number=number, amount=amount)
    with pytest.raises(NotFound), transaction(world.database) as db:  # somebody else's claim
        facts.prove(db, shore.claim, account_id=world.omar, kind="claim", number="CL-2026-0001", amount="1250.00")
    with (
        pytest.raises(first_manager.WrongProof),
        freeze_time(clock.now() + timedelta(days=51)),
        transaction(world.database) as db,
    ):
        facts.prove(db, shore.claim, account_id=world.nina, kind="payment", number="88123", amount="99.50")
    with transaction(world.database) as db:
        facts.prove(db, other, account_id=world.omar, kind="claim", number="CL-2026-0009", amount="77.00")
    with transaction(world.database) as db:
        spent = db.execute(select(Application.id)).all()
        assert len(spent) == 2
    with transaction(world.database) as db:
        assert facts._spend(db, facts.hash_of(db, b"x", "claim", "CL-2026-0009", "77.00") or b"", "acc_x") is False


def test_w1_a_crowd_of_accounts_cannot_guess_facts_of_one_practice(shore: Shore) -> None:
    shore.one("UPDATE first_manager_claim SET tries = 4 RETURNING tries")
    with transaction(shore.world.database) as db:
        for n, who in enumerate((shore.world.omar, shore.world.hana, shore.world.otto)):
            assert claim(db, who, TIN, f"line{n}")
    shore.one("UPDATE first_manager_claim SET tries = 4 RETURNING tries")
    with pytest.raises(TooMany, match="closed for a day"), transaction(shore.world.database) as db:
        facts.prove(db, shore.claim, account_id=shore.world.nina, kind="claim", number="CL-2026-0001", amount="1250.00")


def test_w1_asking_teaches_nobody_whether_we_know_the_practice(shore: Shore) -> None:
    with transaction(shore.world.database) as db:
        unknown = claim(db, shore.world.omar, "477777777")
    nina = shore.as_("nina").get(shore.page).submit("Mail me a letter").text
    omar = shore.as_("omar").get(f"/register/first-manager/{unknown}").submit("Mail me a letter").text
    assert omar.replace("7777", "5555").replace("Omar Diaz", "Nina Frost") == nina
    until = "SELECT count(DISTINCT expires_at) FROM application"
    assert shore.one(until) == 2
    assert shore.one("SELECT count(*) FROM proof_key") == 2
    assert shore.one("SELECT count(*) FROM proof_key WHERE letter IS NULL") == 1


def test_w1_the_second_claimant_learns_that_somebody_manages_it_and_no_more(shore: Shore) -> None:
    with transaction(shore.world.database) as db:
        assert claim(db, shore.world.omar) is None, "one claim at a time"
        facts.prove(db, shore.claim, account_id=shore.world.nina, kind="payment", number="88123", amount="99.50")
    confirmed(shore)
    with transaction(shore.world.database) as db:
        db.delete(db.exec(select(Application).where(Application.account_id == shore.world.omar)).one())
        db.flush()
        assert claim(db, shore.world.omar) is None, "confirmed, though not yet accepted"
    text = shore.as_("omar").get("/register/waiting").text
    assert "Nina" not in text
    assert shore.as_("omar").get(shore.page).status == 404


def test_w1_staff_confirm_only_what_is_proven_and_never_their_own(shore: Shore) -> None:
    world = shore.world
    with transaction(world.database) as db:
        for by, refusal in ((world.una, Conflict), (world.nina, NotEntitled)):
            with pytest.raises(refusal):
                confirming.confirm(db, shore.claim, by=by, identity="seen")
    assert shore.as_("wes").get("/insurer/first-managers").status == 404
    assert shore.as_("nina").get("/insurer/first-managers").status == 404
    una = shore.as_("una").get(shore.desk).submit("Refuse", reason="The practice does not know her.")
    assert shore.status() == "refused"
    assert "does not know her" in shore.as_("nina").get("/register/waiting").text
    assert "Refused by Una Roe" in una.text
    with pytest.raises(Conflict), transaction(world.database) as db:
        keys.ask_letter(db, shore.claim, account_id=world.nina)


def test_w1_two_of_staff_at_once_decide_once(shore: Shore) -> None:
    with transaction(shore.world.database) as db:
        facts.prove(db, shore.claim, account_id=shore.world.nina, kind="payment", number="88123", amount="99.50")
    together, answers = threading.Barrier(2), []

    def go(by: str, how: str) -> None:
        together.wait()
        try:
            with transaction(shore.world.database) as db:
                if how == "confirm":
                    confirming.confirm(db, shore.claim, by=by, identity="seen")
                else:
                    confirming.refuse(db, shore.claim, by=by, reason="no")
            answers.append("done")
        except Refused as problem:
            answers.append(problem.code)

    jobs = ((shore.world.sam, "confirm"), (shore.world.una, "refuse"))
    threads = [threading.Thread(target=go, args=job) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == ["conflict", "done"]


def test_w1_a_letter_is_asked_for_once_a_week_and_a_newer_call_ends_the_one_before(shore: Shore) -> None:
    world = shore.world
    with transaction(world.database) as db:
        keys.ask_letter(db, shore.claim, account_id=world.nina)
        with pytest.raises(TooMany):
            keys.ask_letter(db, shore.claim, account_id=world.nina)
        first = keys.ask_call(db, shore.claim, account_id=world.nina)
        second = keys.ask_call(db, shore.claim, account_id=world.nina)
    if first != second:
        with pytest.raises(first_manager.WrongProof), transaction(world.database) as db:
            keys.prove_by_call(db, shore.claim, by=world.sam, code=first)
    with (
        pytest.raises(first_manager.WrongProof),
        freeze_time(clock.now() + timedelta(days=3)),
        transaction(world.database) as db,
    ):
        keys.prove_by_call(db, shore.claim, by=world.sam, code=second)
    with transaction(world.database) as db:
        with pytest.raises(NotEntitled):
            keys.prove_by_call(db, shore.claim, by=world.nina, code=second)
        for _ in range(3):
            keys.ask_call(db, shore.claim, account_id=world.nina)
        with pytest.raises(TooMany):
            keys.ask_call(db, shore.claim, account_id=world.nina)


def test_w1_a_list_of_facts_names_its_wrong_lines_and_takes_the_rest(shore: Shore) -> None:
    day = f"{clock.now():%Y-%m-%d}"
    lines = [
        "tin,kind,number,amount,date",
        f"{TIN},claim,CL-7777,5.00,{day}",
        f"{TIN},claim,CL-7777,5.00,{day}",
        f"12,claim,CL-8888,5.00,{day}",
        f"{TIN},loan,CL-8888,5.00,{day}",
        f"{TIN},claim,CL-8888,five,{day}",
        f"{TIN},claim,CL-8888,5.00,yesterday",
    ]
    with transaction(shore.world.database) as db:
        loaded = facts.load(db, lines)
        assert (loaded.new, loaded.known, [number for number, _ in loaded.wrong]) == (1, 1, [4, 5, 6, 7])
        with pytest.raises(Refused):
            facts.load(db, ["a,b", "1,2"])
