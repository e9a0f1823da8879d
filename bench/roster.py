"""What a page of a big practice's roster costs the server's processor: `python -m bench.roster [people]`.

Real pages of the whole application, decision and log record included, on SQLite in this process; the client's share of
the time is measured apart and taken off.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import insert
from starlette.testclient import TestClient

from idp import clock
from idp.accounts.tables import Account
from idp.accounts.tables import Session as BrowserSession
from idp.app import create_app
from idp.database import Database, transaction
from idp.entitlements.tables import Grant
from idp.migrate import migrate
from idp.providers.tables import Affiliation
from idp.settings import Settings
from tests.engines import settings_for
from tests.wam.world import LINE, World, build

REACH = 30.0
"""Milliseconds of processor for a page of 50 of 2,000 people, with search, total and marks."""
HELD = ("eligibility.view", "network.verify", "idcard.view", "claim.submit", "remit.view", "message.send")


@dataclass(frozen=True, slots=True)
class Cost:
    """One page's cost in milliseconds of processor, and its size in bytes."""

    name: str
    best: float
    usual: float
    size: int


def crowd(database: Database, world: World, people: int) -> None:
    """Add people with six functions each and a session to Lakeside Clinic, in bulk."""
    now = clock.now()
    ids = [f"acc_{n:026d}" for n in range(people)]

    tie = Affiliation(account_id="", provider_id=world.lakeside, approved_by="operator", starts_at=now).model_dump()
    who = Account(display_name="", status="active").model_dump()
    session = BrowserSession(
        token_hash=b"", account_id="", login_id=world.logins["ana"], acr="x", amr=[], auth_time=now, last_seen_at=now,
        expires_at=now + timedelta(hours=1),
    ).model_dump()  # fmt: skip
    given = Grant(
        account_id="", provider_id=world.lakeside, line_of_business=LINE, entitlement="", not_before=now,
        granted_by=world.wes, reason="bench",
    ).model_dump()  # fmt: skip
    grants = [
        given | {
            "id": f"grt_{n:024d}{place:02d}", "account_id": a, "entitlement": key,
            "not_before": now - timedelta(days=n % 300),
            "expires_at": now + timedelta(days=20) if n % 5 == 0 else None,
            "effect": "deny" if n % 40 == 0 and place == 0 else "allow",
        }
        for n, a in enumerate(ids)
        for place, key in enumerate(HELD)
    ]  # fmt: skip
    filled: list[tuple[Any, list[dict[str, Any]]]] = [
        (Account, [who | {"id": a, "display_name": f"Person {n % 97} Number {n}"} for n, a in enumerate(ids)]),
        (Affiliation, [tie | {"id": f"aff_{n:026d}", "account_id": a} for n, a in enumerate(ids)]),
        (
            BrowserSession,
            [session | {"id": f"ses_{n:026d}", "account_id": a, "token_hash": a.encode()} for n, a in enumerate(ids)],
        ),
        (Grant, grants),
    ]
    with transaction(database) as db:
        for model, rows in filled:
            db.execute(insert(model.__table__), rows)


def measure(world: World, settings: Settings, rounds: int) -> list[Cost]:
    """Return what each kind of page costs."""
    with TestClient(create_app(settings), base_url=settings.issuer) as http:
        http.cookies.set(f"{settings.cookie_prefix}session", world.sign_in("wes"))
        here = f"/p/{world.lakeside}/people"
        key = http.get(here, headers={"accept": "text/html"}).text.split('name="form_key" value="')[1].split('"')[0]
        sought = http.post(
            here,
            data={"form_key": key, "words": "number 7"},
            headers={"origin": settings.issuer},
            follow_redirects=False,
        ).headers["location"]
        empty = _cost("the client alone", lambda: http.get("/healthz"), rounds)
        made = [
            _cost(name, lambda address=address: http.get(address, headers={"accept": "text/html"}), rounds)  # type: ignore[misc]
            for name, address in (
                ("first page", here),
                ("last page", f"{here}?page=40"),
                ("searched page", sought),
                ("who can do what", f"/p/{world.lakeside}/reports/matrix"),
            )
        ]
    return [Cost(one.name, one.best - empty.best, one.usual - empty.usual, one.size) for one in made]


def _cost(name: str, ask: Callable[[], Any], rounds: int) -> Cost:
    spent, size = [], 0
    for _ in range(rounds + 2):
        began = time.process_time()
        answer = ask()
        spent.append((time.process_time() - began) * 1000)
        assert answer.status_code == 200, answer.text[:200]
        size = len(answer.content)
    return Cost(name, min(spent[2:]), median(spent[2:]), size)


def main() -> None:
    """Print the figures."""
    people = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        settings = settings_for(f"sqlite:///{home / 'roster.db'}", home)
        database = Database(settings)
        migrate(database)
        world = build(database)
        crowd(database, world, people)
        for one in measure(world, settings, 15):
            reached = (
                "" if one.name == "who can do what" else "  reached" if one.best <= REACH else f"  over {REACH:.0f}"
            )
            times = f"best {one.best:5.1f} ms, usual {one.usual:5.1f} ms, {one.size / 1000:.0f} kB"
            print(f"{people:,} people, {one.name:<16} {times}{reached}")
        database.dispose()


if __name__ == "__main__":
    main()
