"""Signing keys: made once, rotated without a failed verification (D-7)."""

import threading
import warnings
from datetime import timedelta

import pytest
from freezegun import freeze_time
from joserfc import jwt
from joserfc.errors import SecurityWarning
from joserfc.jwk import OKPKey
from sqlalchemy import text

from idp import clock
from idp.database import Database, transaction
from idp.errors import Conflict
from idp.oauth import keys
from idp.oauth.memory import Memory
from idp.signatures import sign, unverified_header, verify
from idp.signatures.keys import generate


def states(database: Database) -> list[tuple[str, str]]:
    with transaction(database) as db:
        rows = db.execute(text("SELECT alg, state FROM signing_key ORDER BY alg, state")).all()
    return [(row[0], row[1]) for row in rows]


FIRST = [("ES256", "active"), ("ES256", "next"), ("RS256", "active"), ("RS256", "next")]


def test_security_58_many_workers_starting_at_once_make_one_set_of_keys(database: Database) -> None:
    with transaction(database) as db:
        db.execute(text("DELETE FROM signing_key"))  # the tests' databases come with keys
    threads = [threading.Thread(target=keys.ensure, args=(database,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert states(database) == FIRST
    with transaction(database) as db:
        made = db.execute(text("SELECT count(*) FROM audit_record WHERE event = 'oauth.key.made'")).scalar_one()
    assert made == 4


def test_security_58_rotation_needs_a_published_successor_and_no_verification_fails(database: Database) -> None:
    keys.ensure(database)
    memory = Memory(database)
    with transaction(database) as db:
        before = memory.in_transaction(db)
    now = clock.now()
    old = sign({"iss": "i", "aud": "a", "exp": int(now.timestamp()) + 300}, before.keys.signer("ES256"))
    with pytest.raises(Conflict), transaction(database) as db:
        keys.rotate(db)
    with freeze_time(now + timedelta(hours=1, seconds=1)), transaction(database) as db:
        activated = keys.rotate(db)
    assert len(activated) == 2
    with transaction(database) as db:
        after = memory.in_transaction(db)
    assert after.keys.signer("ES256").kid in activated
    # What was signed before verifies with the keys after, and what is signed now with the keys before.
    check = {"algorithms": ("ES256",), "issuer": "i", "audience": "a", "now": now}
    assert verify(old, after.keys.published, **check)
    new = sign({"iss": "i", "aud": "a", "exp": int(now.timestamp()) + 300}, after.keys.signer("ES256"))
    assert verify(new, before.keys.published, **check)


def test_a_retired_key_is_removed_after_its_time_and_its_private_half_is_gone(database: Database) -> None:
    keys.ensure(database)
    start = clock.now()
    with freeze_time(start + timedelta(days=91)), transaction(database) as db:
        assert len(keys.tend(db)) == 2
    with freeze_time(start + timedelta(days=91, hours=23)), transaction(database) as db:
        assert keys.tend(db) == []
        assert ("ES256", "retiring") in {(r[0], r[1]) for r in db.execute(text("SELECT alg, state FROM signing_key"))}
    with freeze_time(start + timedelta(days=92, seconds=1)), transaction(database) as db:
        keys.tend(db)
        rows = db.execute(text("SELECT private FROM signing_key WHERE state = 'removed'")).all()
    assert [bytes(row[0]) for row in rows] == [b"\x00", b"\x00"]


def test_security_58_private_keys_are_sealed_at_rest(database: Database) -> None:
    keys.ensure(database)
    with transaction(database) as db:
        for kid, alg, private in db.execute(text("SELECT kid, alg, private FROM signing_key")):
            assert b'"d"' not in bytes(private)
            opened = database.ring.open("signing", keys.place(kid), bytes(private))
            assert b'"d"' in opened
            assert alg in keys.ALGORITHMS


def test_security_54_our_keys_sign_under_the_name_that_is_not_deprecated() -> None:
    """RFC 9864 2.2: `EdDSA` does not say which curve; every test of ours fails on a warning."""
    naive = OKPKey.generate_key("Ed25519")
    with pytest.warns(SecurityWarning, match="EdDSA"):  # red
        jwt.encode({"alg": "EdDSA"}, {"sub": "acc_ana"}, naive, algorithms=["EdDSA"])
    key = generate("Ed25519")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        signed = sign({"sub": "acc_ana"}, key, "at+jwt")
    assert unverified_header(signed)["alg"] == "Ed25519"
