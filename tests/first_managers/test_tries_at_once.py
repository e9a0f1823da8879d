"""W-1: five tries are five, however many come in one moment."""

import threading

import pytest

from idp.database import transaction
from idp.errors import Refused
from idp.first_managers import facts
from idp.registration import first_manager
from tests.first_managers.world import Shore, filling, shore

__all__ = ["filling", "shore"]


def test_w1_of_twenty_wrong_proofs_in_one_moment_five_are_looked_at(
    shore: Shore, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []
    hashed = facts.hash_of

    def looking(*args: object) -> bytes | None:
        looked.append("one")
        return hashed(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(facts, "hash_of", looking)
    together, said = threading.Barrier(20), []

    def guess(number: int) -> None:
        together.wait()
        try:
            with transaction(shore.world.database) as db:
                who = shore.world.nina
                facts.prove(db, shore.claim, account_id=who, kind="claim", number=f"CL-{number:08d}", amount="1.00")
        except Refused as problem:
            said.append(type(problem))

    threads = [threading.Thread(target=guess, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(looked) == first_manager.MOST_WRONG, said
    assert said.count(first_manager.ClaimLocked) == 15
    assert shore.status() == "locked"
