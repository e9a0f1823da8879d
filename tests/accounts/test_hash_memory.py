"""Argon2id in memory that is kept: the same digests, wiped after each, given back when nobody signs in."""

import resource
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from argon2.low_level import Type, hash_secret_raw
from passlib.context import CryptContext

from idp.accounts import hash_memory, passwords

PLAIN = CryptContext(
    schemes=["argon2"],
    argon2__type="ID",
    argon2__memory_cost=19456,
    argon2__time_cost=2,
    argon2__parallelism=1,
)


def test_security_1_a_hash_is_the_one_that_plain_passlib_makes() -> None:
    ours = passwords._schemes()
    made, theirs = ours.hash("a secret"), PLAIN.hash("a secret")
    assert PLAIN.verify("a secret", made)
    assert not PLAIN.needs_update(made)
    assert ours.verify_and_update("a secret", theirs) == (True, None)
    assert not ours.verify("another", theirs)
    assert not ours.verify("another", made)
    weak = PLAIN.using(argon2__memory_cost=8192).hash("a secret")
    good, better = ours.verify_and_update("a secret", weak)
    assert good
    assert better
    assert PLAIN.verify("a secret", better)
    assert not ours.verify("another", weak)


def test_security_4_blocks_are_not_mixed_up_and_hold_nothing_afterwards() -> None:
    def one(n: int) -> bool:
        word, salt = b"%d" % n, b"%08d" % n
        mine = hash_memory.argon2id(word, salt, rounds=1, kibibytes=4096, lanes=1, length=32)
        return mine == hash_secret_raw(word, salt, 1, 4096, 1, 32, Type.ID)

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(one, range(16)))
    kept = list(hash_memory._blocks._free)
    assert kept
    assert not any(any(block.memory[:]) for block in kept)


def test_performance_a_second_hash_asks_for_no_memory() -> None:
    def asked() -> int:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        hash_memory.argon2id(b"x", b"salt" * 4, rounds=1, kibibytes=19456, lanes=1, length=32)
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    asked()
    assert asked() < 200, "4,900 pages before"


def test_performance_memory_of_hashes_goes_back_when_nobody_signs_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hash_memory, "_REST", 0.05)
    blocks = hash_memory._Blocks()
    monkeypatch.setattr(hash_memory, "_blocks", blocks)
    hash_memory.argon2id(b"x", b"salt" * 4, rounds=1, kibibytes=1024, lanes=1, length=32)
    assert len(blocks._free) == 1
    until = time.monotonic() + 5
    while blocks._free and time.monotonic() < until:
        time.sleep(0.01)
    assert not blocks._free
    assert blocks._timer is None
