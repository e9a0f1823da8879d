"""A crowd for the engine's figures: people with ten grants each over three practices, written in bulk."""

import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime
from typing import Any

import casbin

from bench import crowd_rows
from idp import clock
from idp.database import Database, transaction
from idp.database.lane import Lane, Sql
from idp.entitlements import catalog

NOW = clock.now().replace(minute=0, second=0, microsecond=0)
DAY = 86_400_000_000
PLACES = 3
KEYS = (
    "eligibility.view",
    "network.verify",
    "idcard.view",
    "claim.submit",
    "claim.attach",
    "remit.view",
    "precert.view",
    "precert.submit",
    "message.send",
)
"""Nine functions without purpose; each person holds about a third of them at each practice."""
Asked = tuple[int, int, str]


def account(person: int) -> str:
    """Return the id of a person of the crowd."""
    return f"acc_{person:07d}"


def provider(person: int, place: int) -> str:
    """Return the id of one of a person's three practices; a practice has about thirty people."""
    return f"prv_{(person // 30) * PLACES + place:07d}"


class Crowd:
    """So many grants, always the same ones; crowd_rows.py writes what `grants` says."""

    def __init__(self, size: int, at: datetime = NOW) -> None:
        """`at` is the moment the crowd lives at."""
        self.size = size
        self.at = clock.micros(at)
        self.people = max(1, size // 10)

    def grants(self, person: int) -> Iterator[tuple[int, str, str, int, int | None]]:
        """Yield a person's ten grants: place, function, effect, start, end."""
        for n in range(10):
            mix = person * 10 + n
            key = KEYS[(mix * 7 + n) % len(KEYS)]
            effect = "deny" if mix % 33 == 0 else "allow"
            ends = self.at - DAY if mix % 10 == 3 else (self.at + 90 * DAY if mix % 4 else None)
            yield n % PLACES, key, effect, self.at - 200 * DAY, ends

    def allows(self, asked: Asked) -> bool:
        """Say what is right, by the plain rule."""
        person, place, key = asked
        live = [
            effect
            for at, held, effect, _starts, ends in self.grants(person)
            if at == place and held == key and (ends is None or ends > self.at)
        ]
        return "allow" in live and "deny" not in live

    def fill(self, database: Database) -> None:
        """Write the crowd in bulk, by the database itself; the catalogue by its own function."""
        with transaction(database) as db:
            catalog.load_default(db)
        crowd_rows.fill(database, self.people, self.at)

    def named(self, asked: Asked) -> tuple[str, str, str]:
        """Return account, provider and function."""
        person, place, key = asked
        return account(person), provider(person, place), key

    def by_query(self, path: str) -> Callable[[tuple[str, str, str]], Awaitable[bool]]:
        """Return what answers by one indexed query and the rule in Python: the floor, gate 8 alone."""
        cursor = sqlite3.connect(path, isolation_level=None).cursor()

        async def ask(asked: tuple[str, str, str]) -> bool:
            rows = cursor.execute(
                'SELECT effect, not_before, expires_at FROM "grant" WHERE account_id = ? AND provider_id = ? '
                "AND line_of_business = 'medical' AND entitlement = ? AND ended_at IS NULL",
                asked,
            ).fetchall()
            live = [e for e, starts, ends in rows if starts <= self.at and (ends is None or ends > self.at)]
            return "allow" in live and "deny" not in live

        return ask

    def by_lane(self, lane: Lane) -> Callable[[tuple[str, str, str]], Awaitable[bool]]:
        """Return the same through a lane's reader, for a server."""
        query = Sql(
            'SELECT effect, not_before, expires_at FROM "grant" WHERE account_id = $1 AND provider_id = $2 '
            "AND line_of_business = 'medical' AND entitlement = $3 AND ended_at IS NULL"
        )

        async def ask(asked: tuple[str, str, str]) -> bool:
            rows = await lane.fetch(query, *asked)
            live = [e for e, starts, ends in rows if starts <= self.at and (ends is None or ends > self.at)]
            return "allow" in live and "deny" not in live

        return ask

    def plain_casbin(self) -> Any:
        """Return a plain enforcer that holds everybody's grants."""
        model = casbin.Enforcer.new_model(
            text="[request_definition]\nr = sub, dom, act, now\n[policy_definition]\np = sub, dom, act, nbf, exp, eft\n"
            "[policy_effect]\ne = some(where (p.eft == allow)) && !some(where (p.eft == deny))\n[matchers]\n"
            "m = r.sub == p.sub && r.dom == p.dom && r.act == p.act && p.nbf <= r.now && r.now < p.exp"
        )
        made = casbin.Enforcer(model)
        policy = made.get_model()["p"]["p"].policy
        for person in range(self.people):
            for place, key, effect, starts, ends in self.grants(person):
                policy.append(
                    [account(person), provider(person, place), key, f"{starts:020d}", f"{ends or 10**19:020d}", effect]
                )
        return made

    def by_casbin(self, enforcer: Any, asked: tuple[str, str, str]) -> bool:
        """Ask the plain enforcer."""
        return bool(enforcer.enforce(*asked, f"{self.at:020d}"))
