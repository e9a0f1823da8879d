"""Second steps: a code works once, a secret is never readable, recovery codes are spent."""

import threading
from datetime import timedelta

import pyotp
import pytest
from freezegun import freeze_time
from sqlalchemy import text

from idp import clock
from idp.accounts import people, second_factor
from idp.accounts.tables import Account, Factor
from idp.database import Database, transaction
from idp.errors import Conflict, Invalid, NotFound
from tests.sign_in_world import TOTP, World, code_now


def enrolled(world: World, name: str = "ana") -> tuple[str, str, list[str]]:
    with transaction(world.database) as db:
        account = people.find(db, world.ids()[name])
        begun = second_factor.enrol(db, account)
    with transaction(world.database) as db:
        codes = second_factor.confirm(db, account.id, begun.factor_id, code_now(begun.key, -1))
    return account.id, begun.key, codes


def verify(world: World, account_id: str, code: str) -> str | None:
    with transaction(world.database) as db:
        return second_factor.verify(db, account_id, code)


def test_security_15_a_code_works_once(world: World) -> None:
    account_id, key, _ = enrolled(world)
    code = code_now(key)
    assert verify(world, account_id, code) == "otp"
    assert verify(world, account_id, code) is None


def test_security_15_a_code_typed_twice_at_once_lets_one_in(world: World) -> None:
    account_id, key, _ = enrolled(world)
    code = code_now(key)
    answers: list[str | None] = []
    gate = threading.Barrier(4)

    def knock() -> None:
        gate.wait()
        answers.append(verify(world, account_id, code))

    threads = [threading.Thread(target=knock) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(str(one) for one in answers) == ["None", "None", "None", "otp"]


def test_security_15_one_step_either_side_counts_and_no_more(world: World) -> None:
    account_id, key, _ = enrolled(world)
    later = clock.now() + timedelta(minutes=10)
    with freeze_time(later):
        assert verify(world, account_id, code_now(key, 2)) is None
        assert verify(world, account_id, code_now(key, -2)) is None
        assert verify(world, account_id, code_now(key, -1)) == "otp"
        assert verify(world, account_id, code_now(key, 1)) == "otp"
        assert verify(world, account_id, code_now(key)) is None, "an earlier step than the last one used"


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "\u0661\u0662\u0663\u0664\u0665\u0666", "12\x0034"])
def test_a_bent_code_is_wrong_and_nothing_worse(world: World, code: str) -> None:
    account_id, _, _ = enrolled(world)
    assert verify(world, account_id, code) is None


def test_the_secret_is_sealed_and_belongs_to_its_row(world: World) -> None:
    account_id, key, _ = enrolled(world)
    with transaction(world.database) as db:
        [mine] = second_factor.live(db, account_id)
        assert key.encode() not in mine.secret
        [other] = second_factor.live(db, world.ids()["wes"])
        other.secret = mine.secret
        db.add(other)
    with pytest.raises(Exception, match=r"factor\.secret"):
        verify(world, world.ids()["wes"], code_now(key))


def test_security_15_recovery_codes_work_once_and_only_for_their_owner(world: World) -> None:
    account_id, _, codes = enrolled(world)
    assert len(codes) == len(set(codes)) == 10
    assert verify(world, world.ids()["wes"], codes[0]) is None
    assert verify(world, account_id, codes[0].upper()) == "recovery"
    assert verify(world, account_id, codes[0]) is None
    with transaction(world.database) as db:
        assert second_factor.recovery_left(db, account_id) == 9
        stored = [bytes(row[0]) for row in db.execute(text("SELECT secret FROM factor WHERE kind = 'recovery'"))]
        assert not any(code.replace("-", "").encode() in one for code in codes for one in stored)
        assert second_factor.make_recovery_codes(db, account_id)
    assert verify(world, account_id, codes[1]) is None
    assert "recovery_code_used" in world.mails()


def test_a_factor_counts_only_after_its_first_code(world: World) -> None:
    with transaction(world.database) as db:
        account = people.find(db, world.ids()["ana"])
        begun = second_factor.enrol(db, account)
        assert second_factor.enrol(db, account) == begun
        assert not second_factor.has(db, account.id)
    assert verify(world, account.id, code_now(begun.key)) is None
    wrong = "000000" if code_now(begun.key) != "000000" else "111111"
    with pytest.raises(Invalid), transaction(world.database) as db:
        second_factor.confirm(db, account.id, begun.factor_id, wrong)
    with pytest.raises(NotFound), transaction(world.database) as db:
        second_factor.confirm(db, world.ids()["wes"], begun.factor_id, code_now(begun.key))
    with transaction(world.database) as db:
        second_factor.confirm(db, account.id, begun.factor_id, code_now(begun.key))
    with pytest.raises(Conflict), transaction(world.database) as db:
        second_factor.confirm(db, account.id, begun.factor_id, code_now(begun.key, 1))


def test_security_15_a_key_begun_earlier_is_neither_shown_nor_confirmed_later(world: World) -> None:
    with transaction(world.database) as db:
        account = people.find(db, world.ids()["ana"])
        begun = second_factor.enrol(db, account)
    with freeze_time(clock.now() + timedelta(minutes=11)):
        with pytest.raises(Conflict, match="expired"), transaction(world.database) as db:
            second_factor.confirm(db, account.id, begun.factor_id, code_now(begun.key))
        with transaction(world.database) as db:
            assert second_factor.begun(db, account) is None
            anew = second_factor.enrol(db, account)
            assert anew.key != begun.key
            second_factor.confirm(db, account.id, anew.factor_id, code_now(anew.key))


def test_the_last_second_step_stays(world: World) -> None:
    with transaction(world.database) as db:
        [factor] = second_factor.live(db, world.ids()["wes"])
    with pytest.raises(Conflict), transaction(world.database) as db:
        second_factor.remove(db, world.ids()["wes"], factor.id)
    with transaction(world.database) as db:
        second_factor.install(db, world.ids()["wes"], pyotp.random_base32())
        second_factor.remove(db, world.ids()["wes"], factor.id)
    assert world.events("accounts.factor.removed") == 1
    assert verify(world, world.ids()["wes"], code_now(TOTP)) is None


def test_managers_and_staff_need_a_second_step_and_others_do_not(world: World) -> None:
    with transaction(world.database) as db:
        assert second_factor.needs_factor(db, world.ids()["wes"])
        assert not second_factor.needs_factor(db, world.ids()["ana"])
        db.execute(text("UPDATE provider SET kind = 'insurer'"))
        assert second_factor.needs_factor(db, world.ids()["ana"])
        db.execute(text("UPDATE provider SET kind = 'practice'"))
        db.execute(text("UPDATE appointment SET ended_at = :now"), {"now": clock.micros(clock.now())})
        assert not second_factor.needs_factor(db, world.ids()["wes"])


def test_installing_the_same_key_twice_changes_nothing(database: Database) -> None:
    with transaction(database) as db:
        account: Account = people.create(db, display_name="Wes")
        first: Factor = second_factor.install(db, account.id, TOTP)
        assert second_factor.install(db, account.id, "jbsw y3dp ehpk 3pxp jbsw y3dp ehpk 3pxp").id == first.id
        with pytest.raises(Invalid):
            second_factor.install(db, account.id, "not base32!")
