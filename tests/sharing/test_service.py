"""The running service: an app asks, the record is sealed, and within the minute the desk has a case (domain.md 10)."""

import asyncio
import time
from typing import Any

import httpx2
import pytest
from sqlmodel import select

from idp import clock
from idp.app import create_app
from idp.audit import checkpoint
from idp.audit.seal import Sealer
from idp.cases.tables import SecurityCase
from idp.database import Database, reading, transaction
from idp.jobs.runner import JOBS, Job, Running
from idp.oauth import clients
from idp.settings import Settings
from idp.sharing.detector import Detector
from idp.sharing.events import Device, Request, SignIn
from idp.sharing.live import feeding
from tests.engines import ISSUER
from tests.sharing.history import BACK, FRONT, History
from tests.wam.world import World

DAYS, SECRET = 22, "s" * 40
STINTS = ((9.0, "dev_front", FRONT), (9.2, "dev_back", BACK), (9.4, "dev_front", FRONT), (9.6, "dev_back", BACK))


def shared_days() -> int:
    """Count the days of sharing after which one more makes a case, by the detector alone."""
    detector = Detector()
    for device in ("dev_front", "dev_back"):
        detector.feed(Device(device, "desktop"))
    for day in range(DAYS + 20):
        for hour, device, functions in STINTS if day >= DAYS else STINTS[:1]:
            at = 1_800_000_000 + day * 86_400 + hour * 3600
            crossed = detector.feed(SignIn(at, "a", device, "n"))
            for number, function in enumerate(functions, 1):
                crossed += detector.feed(Request(at + 10 * number, "a", device, "n", function, "p"))
            if any(one.band in ("case", "containment") for one in crossed):
                return day - DAYS
    raise AssertionError("two people at work never became a case")


@pytest.mark.parametrize("engine", ["postgres"], indirect=True)
def test_domain_10_a_finding_is_there_within_60_seconds_of_the_event_that_decides(
    database: Database, settings: Settings, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = shared_days()
    history = History(database, world.lakeside, monkeypatch)
    for device in ("dev_front", "dev_back"):
        history.device(device)
        history.session(world.finn, world.logins["finn"], device)
    with transaction(database) as db:
        clients.register(
            db, client_id="claims", name="Claims", secret=SECRET,
            grant_types=["client_credentials"], scopes=["access:evaluate"], help_url="https://claims.example/help",
        )  # fmt: skip
        for ago in range(before + DAYS, 0, -1):
            for hour, device, functions in STINTS if ago <= before else STINTS[:1]:
                history.work(db, ago, hour, world.finn, device, *functions)
    checkpoint.make_key(settings.audit_key_file)
    Sealer(database).seal_all()
    feeding.begin(database)
    while feeding.run(database):
        pass
    assert _cases(database, "case") == []

    asyncio.run(_a_day(settings, history, world))

    period = next(every for name, every, _ in JOBS if name == "sharing")
    sealer = Sealer(database)
    began = time.monotonic()
    running = Running(database, [Job("seal", 0.1, lambda _: sealer.seal().more), Job("sharing", 0.2, feeding.run)])
    try:
        while not _cases(database, "case", "containment") and time.monotonic() - began < 60 - period:
            time.sleep(0.05)
    finally:
        running.stop()
    [case] = _cases(database, "case", "containment")
    assert case.account_id == world.finn
    assert (clock.now() - case.created_at).total_seconds() + period < 60


def _cases(database: Database, *bands: str) -> list[SecurityCase]:
    with reading(database) as db:
        return [one for one in db.exec(select(SecurityCase)).all() if one.band in bands]


async def _a_day(settings: Settings, history: History, world: World) -> None:
    """Have an app ask what it asks for two people who share Finn's login."""
    app = create_app(settings)
    transport = httpx2.ASGITransport(app=app)
    async with app.router.lifespan_context(app), httpx2.AsyncClient(transport=transport, base_url=ISSUER) as http:
        given = {"grant_type": "client_credentials", "scope": "access:evaluate"}
        answer = await http.post("/oauth/token", data=given, auth=("claims", SECRET))
        headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        for _, device, functions in STINTS:
            for function in functions:
                asked: dict[str, Any] = {
                    "subject": {
                        "type": "account", "id": world.finn,
                        "properties": {"sid": history.opened[world.finn, device]},
                    },
                    "action": {"name": function},
                    "resource": {"type": "provider", "id": world.lakeside},
                }  # fmt: skip
                answer = await http.post("/access/v1/evaluation", json=asked, headers=headers)
                assert answer.status_code == 200, answer.text
