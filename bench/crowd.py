"""A crowd for the engine's figures: people with ten grants each over three practices, written in bulk."""

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import casbin

from idp import clock
from idp.database import Database, transaction
from idp.entitlements import catalog

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
AT = clock.micros(NOW)
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
    """So many grants, always the same ones."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.people = max(1, size // 10)

    def grants(self, person: int) -> Iterator[tuple[int, str, str, int, int | None]]:
        """Yield a person's ten grants: place, function, effect, start, end."""
        for n in range(10):
            mix = person * 10 + n
            key = KEYS[(mix * 7 + n) % len(KEYS)]
            effect = "deny" if mix % 33 == 0 else "allow"
            ends = AT - DAY if mix % 10 == 3 else (AT + 90 * DAY if mix % 4 else None)
            yield n % PLACES, key, effect, AT - 200 * DAY, ends

    def allows(self, asked: Asked) -> bool:
        """Say what is right, by the plain rule."""
        person, place, key = asked
        live = [
            effect
            for at, held, effect, _starts, ends in self.grants(person)
            if at == place and held == key and (ends is None or ends > AT)
        ]
        return "allow" in live and "deny" not in live

    def fill(self, database: Database) -> None:
        """Write the crowd in bulk; the catalogue by its own function."""
        with transaction(database) as db:
            catalog.load_default(db)
        path = database.url.database
        assert path
        writer = sqlite3.connect(path, isolation_level=None)
        writer.execute("PRAGMA foreign_keys=OFF")
        writer.execute("PRAGMA synchronous=OFF")
        writer.execute("BEGIN")
        for table, columns, rows in self._rows():
            marks = ",".join("?" * len(columns.split(",")))
            writer.executemany(f'INSERT INTO "{table}" ({columns},created_at) VALUES ({marks},0)', rows)  # noqa: S608
        writer.execute("COMMIT")
        writer.execute("ANALYZE")
        writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        writer.close()

    def _rows(self) -> Iterator[tuple[str, str, Iterator[tuple[Any, ...]]]]:
        everyone, begun = range(self.people), AT - 300 * DAY
        practices = range((self.people // 30 + 1) * PLACES)
        documents = [(kind, kind, "1.0", kind, "", "", begun) for kind in ("site", "general")]
        yield "terms_document", "id,kind,version,title,body,digest,effective_at", iter(documents)
        yield (
            "account",
            "id,status,ial,display_name,locale",
            ((account(p), "active", 2, "Somebody", "en") for p in everyone),
        )
        yield (
            "account_version",
            "account_id,version,authz_epoch",
            ((account(p), 2, 1) for p in everyone),
        )
        yield (
            "terms_acceptance",
            "id,account_id,document_id,accepted_at,channel",
            ((f"t{k}{p}", account(p), k, begun, "site") for p in everyone for k in ("site", "general")),
        )
        yield (
            "attestation",
            "id,account_id,capacity,principal,attested_at,expires_at",
            ((f"at{p}", account(p), "authorised_agent", "x", begun, AT + 60 * DAY) for p in everyone),
        )
        yield (
            "session",
            "id,token_hash,account_id,login_id,acr,amr,auth_time,factor_time,channel,last_seen_at,expires_at",
            (
                (
                    f"ses_{p}",
                    str(p).encode(),
                    account(p),
                    "lgn",
                    "http://idmanagement.gov/ns/assurance/aal/2",
                    "[]",
                    AT - 60_000_000,
                    AT - 60_000_000,
                    "site",
                    AT,
                    AT + DAY,
                )
                for p in everyone
            ),
        )
        yield (
            "provider",
            "id,kind,name,tin_last4,status,payment_arrangement",
            ((f"prv_{n:07d}", "practice", "Practice", "", "active", "fee_for_service") for n in practices),
        )
        for table, more in (
            ("portal_access", {"opened_by": "insurer", "basis": "contract", "reference": ""}),
            ("agreement", {"basis": "contract"}),
            ("participation", {"network": "insurer"}),
        ):
            columns = ",".join(("id", "provider_id", "line", "starts_at", *more))
            tail = tuple(more.values())
            yield table, columns, ((f"{table}{n}", f"prv_{n:07d}", "medical", begun, *tail) for n in practices)
        yield (
            "affiliation",
            "id,account_id,provider_id,capacity,approved_by,starts_at",
            (
                (f"aff{p}_{n}", account(p), provider(p, n), "employee", "operator", begun)
                for p in everyone
                for n in range(PLACES)
            ),
        )
        yield (
            "grant",
            "id,account_id,provider_id,line_of_business,entitlement,effect,not_before,expires_at,granted_by,reason",
            (
                (f"grt{p}_{n}", account(p), provider(p, g[0]), "medical", g[1], g[2], g[3], g[4], "operator", "job")
                for p in everyone
                for n, g in enumerate(self.grants(p))
            ),
        )

    @cached_property
    def _cursors(self) -> dict[str, sqlite3.Cursor]:
        return {}

    async def by_query(self, database: Database, asked: Asked) -> bool:
        """Answer by one indexed query and the rule in Python: the floor, gate 8 alone."""
        path = str(database.url.database)
        cursor = self._cursors.get(path)
        if cursor is None:
            cursor = self._cursors[path] = sqlite3.connect(path, isolation_level=None).cursor()
        person, place, key = asked
        rows = cursor.execute(
            'SELECT effect, not_before, expires_at FROM "grant" WHERE account_id = ? AND provider_id = ? '
            "AND line_of_business = ? AND entitlement = ? AND ended_at IS NULL",
            (account(person), provider(person, place), "medical", key),
        ).fetchall()
        live = [e for e, starts, ends in rows if starts <= AT and (ends is None or ends > AT)]
        return "allow" in live and "deny" not in live

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

    @staticmethod
    def by_casbin(enforcer: Any, asked: Asked) -> bool:
        """Ask the plain enforcer."""
        person, place, key = asked
        return bool(enforcer.enforce(account(person), provider(person, place), key, f"{AT:020d}"))
