"""PostgreSQL itself dies under load and comes back: nothing acknowledged is lost, nobody is wrongly let through.

Meanwhile every answer is 200 or 503 with Retry-After; keys and discovery go on; the service recovers by itself
(security.md 73, 87, 89).
"""

import itertools
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from idp.accounts import sessions
from idp.audit.checkpoint import load_key
from idp.audit.seal import Sealer
from idp.audit.verify import verify
from idp.database import Database, reading, transaction
from idp.oauth import clients
from idp.settings import Settings
from tests import engines
from tests.decisions import world
from tests.faults.servers import PATIENCE, Server
from tests.faults.test_kill import FUNCTION, SECRET, _check, _hidden, _people, still_there

APP_SECRET = "a-supplied-secret-of-at-least-32-characters"
SHORT, LONG = 1, int(os.environ.get("IDP_FAULT_DEATHS", "10"))
"""Deaths of the suite's short form and of `make faults DEATHS=...`."""
DOWN, PACE = 0.6, 0.005
_DECISION = re.compile(rb"dec_[A-Za-z0-9_-]+")
RECOVERS_WITHIN = 5.0 * PATIENCE


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[engines.PostgresEngine]:
    engines.need_postgres()
    # In memory where there is room: what a killed process has written stays, as in a disk's cache, and recovering
    # need not wait for a slow disk to sync every file of the server. Of a machine without power neither tells.
    made = engines.PostgresEngine(tmp_path_factory.mktemp("own"), fsync=True, in_memory=True)
    yield made
    made.close()


@pytest.fixture
def durable(own: engines.PostgresEngine, tmp_path: Path) -> Iterator[Settings]:
    with own.fresh(tmp_path) as url:
        yield engines.settings_for(url, tmp_path, audit_copy=tmp_path / "copy.jsonl")


@dataclass
class Seen:
    """What everybody heard while it happened."""

    acknowledged: list[str] = field(default_factory=list)
    decided: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    slowest: float = 0.0
    last_good: float = 0.0
    stop: Event = field(default_factory=Event)

    def took(self, what: str, begun: float, answer: httpx2.Response) -> None:
        """Note an answer; anything but a good one or a proper 503 is wrong."""
        self.slowest = max(self.slowest, time.monotonic() - begun)
        self.statuses[what, answer.status_code] += 1
        if answer.status_code == 503:
            if "retry-after" not in answer.headers or "Traceback" in answer.text:
                self.wrong.append(f"{what}: 503 without Retry-After: {answer.text[:200]}")
        elif answer.status_code >= 400:
            self.wrong.append(f"{what}: {answer.status_code} {answer.text[:300]}")


def _granting(server: Server, people: Iterator[str], seen: Seen) -> None:
    """Give one person after another access, as the pages do it; a 503 is tried again with the same form."""
    with server.client(idp_8000_session=SECRET) as browser:
        while not seen.stop.is_set():
            who = next(people)
            here = f"/p/prv_lake/people/{who}/change/check?f={FUNCTION}&end=none&line=medical"
            while True:
                begun = time.monotonic()
                page = browser.get(here, headers={"accept": "text/html"})
                seen.took("page", begun, page)
                if page.status_code == 200:
                    break
                if seen.stop.wait(0.1):
                    return
            form = {n: _hidden(page.text, n) for n in ("form_key", "form_id", "seen")} | {"reason": "job"}
            begun = time.monotonic()
            answer = browser.post(here, data=form, headers={"accept": "text/html"})
            seen.took("grant", begun, answer)
            if answer.status_code == 303 and "/changes/" not in answer.headers["location"]:
                seen.wrong.append(f"grant: sent to {answer.headers['location']}")
            elif answer.status_code == 303:
                seen.acknowledged.append(who)
            time.sleep(10 * PACE)


def _asking(server: Server, seen: Seen) -> None:
    """Ask for two people without pause: one may, one may not; renew the app's token as an app does."""
    ids = itertools.cycle((("acc_yes", True), ("acc_no", False)))
    with server.client() as app:
        token, renew = "", 0.0
        while not seen.stop.is_set():
            begun = time.monotonic()
            if not token:
                form = {"grant_type": "client_credentials", "scope": "access:evaluate"}
                answer = app.post("/oauth/token", data=form, auth=("asker", APP_SECRET))
                seen.took("token", begun, answer)
                if answer.status_code == 200:
                    token, renew = answer.json()["access_token"], time.monotonic() + 240
                time.sleep(PACE)
                continue
            who, may = next(ids)
            question = {
                "subject": {"type": "account", "id": who, "properties": {"sid": f"ses_{who}"}},
                "action": {"name": FUNCTION},
                "resource": {"type": "provider", "id": "prv_lake", "properties": {"line_of_business": "medical"}},
                "context": {"purpose": "CLAIM_REDUCTION_REVIEW", "record": _RECORD},
            }
            answer = app.post("/access/v1/evaluation", json=question, headers={"authorization": f"Bearer {token}"})
            if answer.status_code == 401 and time.monotonic() > renew:  # its five minutes are over
                token = ""
                continue
            seen.took("decision", begun, answer)
            if answer.status_code == 200:
                said = answer.json()
                seen.decided.append(said["context"]["id"])
                seen.last_good = time.monotonic()
                if said["decision"] is not may:
                    seen.wrong.append(f"{who}: {said}")
            time.sleep(PACE)


_RECORD = {"type": "claim", "id": "CLM-1", "state": "denied", "billing_provider": "prv_lake", "member_active": True}


def _watching(server: Server, seen: Seen) -> None:
    """Read what apps need to go on: keys and discovery never stop."""
    with server.client() as app:
        for path in itertools.cycle(("/oauth/jwks", "/.well-known/openid-configuration", "/healthz")):
            if seen.stop.is_set():
                return
            answer = app.get(path)
            if answer.status_code != 200:
                seen.wrong.append(f"{path}: {answer.status_code}")
            time.sleep(0.02)


def _fill(database: Database, count: int) -> None:
    described: dict[str, Any] = _people(count)
    wes = described["session"]["ses_wes"]
    described["account"] |= {who: {"display_name": who, "ial": 2} for who in ("acc_yes", "acc_no")}
    pair = ("acc_yes", "acc_no")
    described["login"] |= {f"lgn_{who}": {"account_id": who, "issuer": engines.ISSUER, "subject": who} for who in pair}
    described["session"] |= {
        f"ses_{who}": {**wes, "token_hash": who, "account_id": who, "login_id": f"lgn_{who}"} for who in pair
    }
    described["terms_acceptance"] |= {
        f"tac_{who}_{d}": {"account_id": who, "document_id": f"trm_{d}"} for who in pair for d in "sg"
    }
    later = described["attestation"]["att_wes"]["expires_at"]
    described["attestation"] |= {
        f"att_{who}": {"account_id": who, "capacity": "authorised_agent", "principal": "", "expires_at": later}
        for who in pair
    }
    place = described["appointment"]["wam_wes"]
    described["affiliation"] |= {
        f"aff_{who}": {
            "account_id": who, "provider_id": "prv_lake", "capacity": "employee", "starts_at": place["starts_at"]
        }
        for who in pair
    }  # fmt: skip
    described["grant"] = {
        "grt_yes": {
            "account_id": "acc_yes", "provider_id": "prv_lake", "line_of_business": "medical",
            "entitlement": FUNCTION, "effect": "allow", "not_before": place["starts_at"], "granted_by": "operator",
            "reason": "job",
        }
    }  # fmt: skip
    world.build(database, described)
    with transaction(database) as db:
        db.execute(text("UPDATE session SET token_hash = :h WHERE id = 'ses_wes'"), {"h": sessions.hash_of(SECRET)})
        clients.register(
            db,
            client_id="asker",
            secret=APP_SECRET,
            grant_types=["client_credentials"],
            scopes=["access:evaluate"],
            lines=["medical"],
            default_line="medical",
        )


def _play(own: engines.PostgresEngine, settings: Settings, home: Path, rounds: int) -> None:
    database = Database(settings)
    _fill(database, 300 + 150 * (rounds - 1))
    people = map("acc_{}".format, itertools.count())  # two threads may ask it, unlike a generator
    seen, begun = Seen(), time.monotonic()
    server = Server(settings, home)
    hands = [Thread(target=_granting, args=(server, people, seen)) for _ in range(2)]
    hands += [Thread(target=_asking, args=(server, seen)) for _ in range(3)]
    hands.append(Thread(target=_watching, args=(server, seen)))
    try:
        for hand in hands:
            hand.start()
        deaths: list[Callable[[], None]] = [own.kill, own.crash]
        recovered: list[float] = []
        for number in range(rounds):
            _until(
                lambda: time.monotonic() - seen.last_good < 0.5 and len(seen.decided) > 20 and seen.acknowledged,
                20 * PATIENCE,
            )
            if number % 20 == 19:
                still_there(database)
            told = _refusals(seen)
            deaths[number % 2]()
            time.sleep(DOWN)
            _until(lambda before=told: _refusals(seen) > before, 4.0 * PATIENCE)  # type: ignore[misc]
            own.again()
            back = time.monotonic()
            _until(lambda since=back: seen.last_good > since, RECOVERS_WITHIN)  # type: ignore[misc]
            recovered.append(seen.last_good - back)
            given = len(seen.acknowledged)  # not only decisions recover: the pages give access again
            _until(lambda before=given: len(seen.acknowledged) > before, 2 * RECOVERS_WITHIN)  # type: ignore[misc]
            if number % 20 == 19:
                sys.stdout.write(
                    f"{number + 1} deaths, {len(seen.acknowledged)} grants, {len(seen.decided)} decisions\n"
                )
                sys.stdout.flush()
        time.sleep(0.3)
    finally:
        seen.stop.set()
        for hand in hands:
            hand.join(20 * PATIENCE)
        server.kill()
    assert seen.wrong == [], (seen.wrong[:5], seen.statuses)
    assert seen.slowest < 4.0 * PATIENCE, f"somebody waited {seen.slowest:.1f} s"
    database.dispose()
    database = Database(settings)
    with transaction(database) as db:  # as in test_kill, whose check compares all grants with their records
        leaves = text("SELECT leaf FROM audit_record WHERE event = 'entitlements.decision.made'")
        kept = {made for row in db.execute(leaves) for made in _DECISION.findall(bytes(row[0]))}
    lost = [decision for decision in seen.decided if decision.encode() not in kept]
    assert not lost, f"{len(lost)} of {len(seen.decided)} acknowledged decisions are not in the log"
    with reading(database) as db:
        granted = {row[0] for row in db.execute(text('SELECT account_id FROM "grant"')).all()}
    assert set(seen.acknowledged) <= granted, "an acknowledged grant is lost"
    assert seen.acknowledged
    _check(database, seen.acknowledged, besides=frozenset({"acc_yes"}))
    Sealer(database).seal_all()
    report = verify(database, load_key(settings.audit_key_file).public_key(), settings.audit_copy)
    assert report.whole, report.sentence
    sys.stdout.write(
        f"{rounds} deaths of PostgreSQL in {time.monotonic() - begun:.0f} s: {len(seen.acknowledged)} grants and "
        f"{len(seen.decided)} decisions acknowledged, none lost, none without its record; answers again after at most "
        f"{max(recovered):.1f} s, slowest answer {seen.slowest:.1f} s; log whole, {report.records} records\n"
    )
    database.dispose()


def _refusals(seen: Seen) -> int:
    return seen.statuses["decision", 503] + seen.statuses["token", 503]


def _until(holds: Callable[[], object], seconds: float) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.01)


def test_security_89_postgresql_killed_under_load_loses_nothing_and_is_answered_with_503(
    own: engines.PostgresEngine, durable: Settings, tmp_path: Path
) -> None:
    _play(own, durable, tmp_path, SHORT)


@pytest.mark.faults
def test_security_89_and_so_for_as_many_deaths_as_are_asked_for(
    own: engines.PostgresEngine, durable: Settings, tmp_path: Path
) -> None:
    _play(own, durable, tmp_path, LONG)
