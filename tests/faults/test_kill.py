"""kill -9 in the middle of grants: what was acknowledged is there, with its record; nothing is half there.

An access manager gives access in a real browser's steps, eight at a time, to a real server process; the
process is killed at a random moment, again and again, on one database (security.md 73, 87).
"""

import os
import random
import re
import signal
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from idp import clock
from idp.accounts import sessions
from idp.audit.checkpoint import load_key
from idp.audit.seal import Sealer
from idp.audit.verify import verify
from idp.database import Database, reading, transaction
from idp.settings import Settings
from tests import engines
from tests.decisions import world
from tests.faults.cradle import Cradle
from tests.faults.servers import PATIENCE, Server

FUNCTION = "claim.status.view"
SECRET = "the-secret-of-the-manager"
SHORT, LONG = 1, int(os.environ.get("IDP_FAULT_KILLS", "20"))
"""Deaths of the suite's short form and of `make faults KILLS=...`."""
HANDS = 8


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Both engines as in production: PostgreSQL with fsync on."""
    home = tmp_path_factory.mktemp("engine")
    if request.param == "sqlite":
        yield engines.SqliteEngine(home)
        return
    engines.need_postgres()
    made = engines.PostgresEngine(home, fsync=True)
    yield made
    made.close()


@pytest.fixture
def durable(engine: Any, tmp_path: Path) -> Iterator[Settings]:
    with engine.fresh(tmp_path) as url:
        yield engines.settings_for(url, tmp_path, audit_copy=tmp_path / "copy.jsonl")


def _people(count: int) -> dict[str, Any]:
    """Describe a practice, its access manager and so many people without access."""
    now = clock.now()
    ago, later = now - timedelta(days=30), now + timedelta(days=30)
    place = {"provider_id": "prv_lake", "line": "medical", "starts_at": ago}
    document = {"version": "1", "title": "", "body": "", "digest": "", "effective_at": ago}
    ids = [f"acc_{n}" for n in range(count)]
    return {
        "account": {who: {"display_name": f"Person {who}", "ial": 2} for who in ("acc_wes", *ids)},
        "login": {"lgn_wes": {"account_id": "acc_wes", "issuer": engines.ISSUER, "subject": "wes"}},
        "session": {
            "ses_wes": {
                "token_hash": "x", "account_id": "acc_wes", "login_id": "lgn_wes", "acr": "aal2",
                "amr": ["pwd", "otp"], "auth_time": now, "factor_time": now, "expires_at": later,
            }
        },
        "terms_document": {"trm_s": {"kind": "site", **document}, "trm_g": {"kind": "general", **document}},
        "terms_acceptance": {f"tac_{d}": {"account_id": "acc_wes", "document_id": f"trm_{d}"} for d in "sg"},
        "attestation": {
            "att_wes": {"account_id": "acc_wes", "capacity": "authorised_agent", "principal": "", "expires_at": later}
        },
        "provider": {"prv_lake": {"kind": "practice", "name": "Lakeside Clinic"}},
        "portal_access": {"pac_lake": place},
        "agreement": {"agr_lake": place},
        "participation": {"par_lake": place},
        "affiliation": {
            f"aff_{who}": {"account_id": who, "provider_id": "prv_lake", "capacity": "employee", "starts_at": ago}
            for who in ("acc_wes", *ids)
        },
        "appointment": {"wam_wes": {"account_id": "acc_wes", "verified_by": "operator", **place}},
    }  # fmt: skip


def _give(server: Server, people: list[str], acknowledged: list[str], *, goes_on: bool = False) -> None:
    """Give each person access, as the pages do it, until the server is gone; note what it said was done.

    `goes_on`: somebody else answers there still; who was being given access just then is not tried again.
    """
    with server.client(idp_8000_session=SECRET) as browser:
        while people:
            who = people.pop()
            here = f"/p/prv_lake/people/{who}/change/check?f={FUNCTION}&end=none&line=medical"
            try:
                page = browser.get(here, headers={"accept": "text/html"})
                if page.status_code == 503:  # a file whose writer has just died is being recovered
                    assert "retry-after" in page.headers
                    people.append(who)
                    time.sleep(0.2)
                    continue
                assert page.status_code == 200, page.text
                form = {n: _hidden(page.text, n) for n in ("form_key", "form_id", "seen")} | {"reason": "job"}
                answer = browser.post(here, data=form, headers={"accept": "text/html"})
                if answer.status_code == 503:  # refused, so nothing is written: the second time would find it there
                    assert "retry-after" in answer.headers
                    people.append(who)
                    time.sleep(0.2)
                    continue
            except httpx2.TransportError:
                if goes_on:
                    continue
                return
            assert answer.status_code == 303, answer.text
            assert "/changes/" in answer.headers["location"], answer.headers["location"]  # not: sign in once more
            acknowledged.append(who)


def still_there(database: Database) -> None:
    """Let the manager's sign-in be one of just now: hundreds of deaths take longer than a sign-in holds."""
    with transaction(database) as db:
        now = {"now": clock.micros(clock.now())}
        db.execute(text("UPDATE session SET auth_time = :now, factor_time = :now, last_seen_at = :now"), now)


def _hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found is not None, page
    return found[1]


def _check(database: Database, acknowledged: list[str], besides: frozenset[str] = frozenset()) -> None:
    """Compare what was promised with what is there, `besides` those the world began with."""
    with reading(database) as db:
        granted = [row[0] for row in db.execute(text('SELECT account_id FROM "grant" ORDER BY 1')).all()]
        granted = [who for who in granted if who not in besides]
        recorded = [
            row[0]
            for row in db.execute(
                text("SELECT account_id FROM audit_record WHERE event = 'entitlements.grant.added' ORDER BY 1")
            ).all()
        ]
        raised = {row[0] for row in db.execute(text("SELECT account_id FROM account_version WHERE version > 1")).all()}
        receipts = [row[0] for row in db.execute(text("SELECT account_id FROM receipt ORDER BY 1")).all()]
    assert set(acknowledged) <= set(granted), "an acknowledged grant is lost"
    assert granted == recorded, "a grant without its record, or a record without its grant"
    assert granted == receipts
    assert set(granted) <= raised, "a grant that the very next decision would not see"
    assert len(set(granted)) == len(granted)


def _play(settings: Settings, home: Path, rounds: int, cradle: Cradle | None = None) -> None:
    per_round = 40
    database = Database(settings)
    world.build(database, _people(rounds * per_round))
    with transaction(database) as db:
        db.execute(text("UPDATE session SET token_hash = :h"), {"h": sessions.hash_of(SECRET)})
    acknowledged: list[str] = []
    chance = random.Random(7)  # noqa: S311 - the moments of the kills are to repeat
    begun = time.monotonic()
    for number in range(rounds):
        server = Server(settings, home, cradle=cradle)
        still_there(database)
        people = [f"acc_{n}" for n in range(number * per_round, (number + 1) * per_round)]
        before = len(acknowledged)
        hands = [Thread(target=_give, args=(server, people, acknowledged)) for _ in range(HANDS)]
        for hand in hands:
            hand.start()
        while len(acknowledged) == before and any(hand.is_alive() for hand in hands):
            time.sleep(0.005)
        time.sleep(chance.uniform(0.0, 0.25))
        server.kill()
        for hand in hands:
            hand.join(20 * PATIENCE)
        assert len(acknowledged) > before, "the server did nothing before it was killed"
        _check(database, acknowledged)
        if number % 20 == 19:
            sys.stdout.write(f"{number + 1} deaths, {len(acknowledged)} grants\n")
            sys.stdout.flush()
    _seal(database)
    report = verify(database, load_key(settings.audit_key_file).public_key(), settings.audit_copy)
    assert report.whole, report.sentence
    assert report.waiting == 0
    took = time.monotonic() - begun
    sys.stdout.write(
        f"{rounds} deaths of the service on {database.engine.dialect.name} in {took:.0f} s: {len(acknowledged)} grants "
        f"acknowledged, none lost, none without its record; log whole, {report.records} records\n"
    )
    database.dispose()


def _seal(database: Database) -> None:
    """Seal what is left; PostgreSQL may not have noticed yet that the one who was sealing is dead."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        Sealer(database).seal_all()
        with reading(database) as db:
            if not db.execute(text("SELECT count(*) FROM audit_unsealed")).scalar_one():
                return
        time.sleep(0.02)


def test_security_87_no_acknowledged_grant_and_no_record_is_lost_by_kill_9(durable: Settings, tmp_path: Path) -> None:
    _play(durable, tmp_path, SHORT)


def test_security_87_one_of_two_workers_dies_at_work_and_the_other_goes_on(durable: Settings, tmp_path: Path) -> None:
    database, acknowledged = Database(durable), list[str]()
    world.build(database, _people(80))
    with transaction(database) as db:
        db.execute(text("UPDATE session SET token_hash = :h"), {"h": sessions.hash_of(SECRET)})
    server = Server(durable, tmp_path, workers=2)
    try:
        people = [f"acc_{n}" for n in range(80)]
        hands = [Thread(target=_give, args=(server, people, acknowledged), kwargs={"goes_on": True}) for _ in range(4)]
        for hand in hands:
            hand.start()
        while len(acknowledged) < 10 and any(hand.is_alive() for hand in hands):
            time.sleep(0.005)
        dies, _lives = server.workers()
        os.kill(dies, signal.SIGKILL)
        before = len(acknowledged)
        for hand in hands:
            hand.join(60)
        assert not people
        assert len(acknowledged) >= max(before + 1, 80 - 2 * len(hands)), "work stopped with the worker that died"
        assert dies not in server.workers()
    finally:
        server.kill()
    _check(database, acknowledged)
    _seal(database)
    report = verify(database, load_key(durable.audit_key_file).public_key(), durable.audit_copy)
    assert report.whole, report.sentence
    database.dispose()


@pytest.mark.faults
def test_security_87_and_so_for_as_many_kills_as_are_asked_for(durable: Settings, tmp_path: Path) -> None:
    cradle = Cradle()
    try:
        _play(durable, tmp_path, LONG, cradle)
    finally:
        cradle.close()
