"""Random worlds as one applied file: everything dated, past and future, edges that meet; a seed repeats them."""

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

Rows = dict[str, Any]
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
GRID = [datetime(2025, 2, 1, tzinfo=UTC) + timedelta(days=61 * n) for n in range(16)]
"""The days on which things turn; the last five lie ahead."""
PAST = [day for day in GRID if day < NOW]
OLD = datetime(2024, 1, 1, tzinfo=UTC)
LINES = ("medical", "dental")
SECRET = "s" * 40
KEYS = (
    "eligibility.view",
    "estimate.view",
    "claim.status.view",
    "claim.recon.submit",
    "remit.view",
    "eft.manage",
    "era.enroll",
    "precert.view",
    "precert.clinical",
    "referral.manage",
    "roster.view",
    "demographics.update",
    "message.send",
    "access.view",
)
"""What is granted and asked about: every combination of the catalogue's columns is among them."""


SETTINGS: dict[str, list[Any]] = {
    "channels": [["site"], ["mobile"], ["site", "mobile"]],
    "clocks.session_idle": ["PT10M", "PT15M", "PT5M"],
    "clocks.factor_fresh": ["PT10M", "PT15M"],
    "insurer.affiliate_name": ["Care One", "Care Two"],
    "insurer.name": ["Plan One", "Plan Two"],
}
FUNCTIONS: dict[str, dict[str, list[Any]]] = {
    "message.send": {"fresh": [True, False], "shared": ["TPA", "permit", "insurer line"]},
    "remit.view": {"ial": [2, 1], "non_participating": [False, True]},
    "era.enroll": {"acr": ["phr", "aal2"], "needs": [[], ["credentialed", "licence"]]},
    "claim.status.view": {"purposes": [["PROSPECTIVE_SERVICE"], [], ["CLAIM_REDUCTION_REVIEW"]]},
    "estimate.view": {"needs": [["capitation"], ["credentialed"]], "shared": ["affiliate", "TPA"]},
}
PLACES = ("North", "South", "West")
"""Locations of every organization; delegations and their people may be good for some of them."""
OWNERS: list[Rows] = [{"owner": "insurer"}, {"owner": "affiliate"}, {"owner": "catalogue"}, {"owner": "partner"}]
OWNERS += [{"owner": "partner", "partner": "firm"}, {"owner": "partner", "partner": "helper"}]
"""What was otherwise on other days: settings, the catalogue, who answered for a function."""


def text(at: datetime) -> str:
    """Write a moment as the file and the question do."""
    return at.isoformat()


class Maker:
    """Makes one world."""

    def __init__(self, seed: int, *, people: int = 10, providers: int = 4) -> None:
        self.r = Random(seed)  # noqa: S311 - a seed repeats a world
        self.where = Random(seed + 1_000_000)  # noqa: S311 - apart, so that a seed's world is otherwise the same
        self.people = [f"p{n}" for n in range(people)]
        self.providers = [f"o{n}" for n in range(providers)]

    def rarely(self, often: float = 0.15) -> bool:
        return self.r.random() < often

    def span(self, *, ended: bool = True, odd: float = 0.25) -> Rows:
        """Return dates: mostly always in force, now and then with edges on the grid."""
        if not self.rarely(odd):
            return {"from": text(OLD)}
        starts = self.r.choice([OLD, OLD, *GRID])
        made = {"from": text(starts)}
        later = [day for day in GRID if day > starts]
        if later and self.rarely(0.6):
            made["until"] = text(self.r.choice(later))
        past = [day for day in PAST if day > starts]
        if ended and past and self.rarely(0.4):
            made["ended"] = text(self.r.choice(past))
        return made

    def somewhere(self, often: float, within: list[str] | None = None) -> Rows:
        """Return `locations`, now and then: some of those given."""
        possible = list(PLACES) if within is None else within
        if self.where.random() >= often:
            return {} if within is None else {"locations": list(within)}
        return {"locations": sorted(self.where.sample(possible, self.where.randint(1, min(2, len(possible)))))}

    def spans(self, most: int = 2, **more: Any) -> list[Rows]:
        """Return one or two spans that begin at different moments."""
        found: dict[str, Rows] = {}
        for _ in range(self.r.randint(1, most)):
            span = {**self.span(), **more}
            found.setdefault(span["from"], span)
        return list(found.values())

    def history(self, what: str, good: Any, bad: list[Any]) -> Rows:
        """Return `history` with bad periods between good ones, or nothing."""
        if not self.rarely(0.35):
            return {}
        lines = [{"from": text(OLD), what: good}] if self.rarely(0.7) else []
        for day in sorted(self.r.sample(GRID, 2)):
            last = lines[-1][what] if lines else good
            lines.append({"from": text(day), what: self.r.choice(bad) if last == good else good})
        return {"history": lines}

    def world(self) -> Rows:
        """Return the file."""
        return {
            "settings": {"channels": ["site"]} | self.turning(SETTINGS),
            "functions": self.functions(),
            "terms": self.terms(),
            "partners": self.partners(),
            "clients": [
                {
                    "client_id": "oracle",
                    "name": "Oracle",
                    "secret": SECRET,
                    "grants": ["client_credentials"],
                    "scopes": ["access:evaluate", "access:simulate", "access:search"],
                    "lines": ["medical", "dental"],
                }
            ],
            "upstreams": [
                {
                    "ref": "u",
                    "partner": "firm",
                    "display_name": "Firm",
                    "issuer": "https://login.firm.example",
                    "client_id": "us",
                    "client_secret": SECRET,
                }
            ],
            "providers": [self.provider(ref, n) for n, ref in enumerate(self.providers)],
            "people": [self.person(ref) for ref in self.people],
            "appointments": self.appointments(),
            "grants": self.grants(),
            "sessions": [self.session(ref) for ref in self.people],
        }

    def turning(self, values: dict[str, list[Any]], often: float = 0.5) -> Rows:
        """Return `history` of several fields, each turning on its own days, or nothing."""
        lines: list[Rows] = []
        for name, possible in values.items():
            if self.rarely(often):
                days = sorted(self.r.sample([OLD, *GRID], self.r.randint(1, 3)))
                for n, day in enumerate(days):
                    section, _, field = name.rpartition(".")
                    said = {field: possible[n % len(possible)]}
                    lines.append({"from": text(day), **({section: said} if section else said)})
        self.r.shuffle(lines)
        return {"history": lines} if lines else {}

    def functions(self) -> list[Rows]:
        """Return functions whose catalogue rows were, or will be, something else."""
        made = []
        for key, values in FUNCTIONS.items():
            turns = self.turning(values, 0.4)
            if turns:
                made.append({"key": key, **turns})
        return made

    def terms(self) -> list[Rows]:
        dates = {"site": [OLD, self.r.choice(GRID)], "general": [OLD]}
        return [
            {"kind": kind, "version": f"{n}.0", "title": kind, "body": f"{kind} {n}", "effective": text(day)}
            for kind, days in dates.items()
            for n, day in enumerate(days, 1)
        ]

    def partners(self) -> list[Rows]:
        made = [
            {"ref": ref, "name": ref.title(), "kind": kind, "id": f"ptr_{ref}", "status": "active"}
            | self.history("status", "active", ["suspended", "review_overdue", "ended"])
            for ref, kind in (("firm", "third_party"), ("helper", "third_party"), ("trust", "administrator"))
        ]
        for partner in made:
            if "history" in partner:
                del partner["status"]  # what it is now follows from the history
        made[2]["contact"] = {"name": "Trust service", "phone": "1-800-555-0150"}
        called = self.turning({"contact": [{"name": "Trust desk"}, {"name": "", "phone": "1"}, {"name": "Desk two"}]})
        if called:
            made[2]["history"] = [*made[2].get("history", []), *called["history"]]
        made[2]["shared_accounts"] = [
            {"number": "7001", "name": "Trust", **self.span(odd=0.7)},
            {
                "number": "7002",
                "name": "Trust two",
                **self.span(odd=0.7),
                "functions": {
                    "message.send": {"owner": "partner", "contact": {"phone": "1-800-555-0151"}},
                    "claim.status.view": {"owner": "insurer"},
                    "referral.manage": {"owner": "affiliate"},
                    "remit.view": {"owner": "partner", "partner": "firm"} | self.owners(),
                    "eligibility.view": {"owner": "partner"} | self.owners(),
                },
            },
        ]
        return made

    def owners(self) -> Rows:
        """Return who answered for a function on other days, or nothing."""
        if self.rarely(0.3):
            return {}
        days = self.r.sample([OLD, *GRID], 3)
        return {"history": [{"from": text(day), **self.r.choice(OWNERS)} for day in days]}

    def provider(self, ref: str, n: int) -> Rows:
        entry = {"ref": ref, "id": f"prv_{ref}", "name": ref, "kind": "insurer" if n == 0 else "practice"}
        if self.rarely(0.5):
            entry |= self.history("status", "active", ["suspended", "ended"])
        else:
            entry |= self.history("payment_arrangement", "capitation", ["salary", "fee_for_service"])
        if not any("payment_arrangement" in line for line in entry.get("history", [])):
            entry["payment_arrangement"] = self.r.choice(["capitation", "fee_for_service"])
        if self.rarely(0.3):
            turns = self.turning({"channels": [["site"], ["mobile"], ["mobile", "site"]]}, 1.0)
            entry["history"] = [*entry.get("history", []), *turns["history"]]
        lines = LINES if self.rarely(0.5) else ("medical",)
        for section in ("portals", "agreements", "participation"):
            entry[section] = [span for line in lines for span in self.spans(line=line)]
        entry["withheld"] = [
            {"line": self.r.choice(lines), "function": key, "reason": "under review"}
            | {name: at for name, at in self.span().items() if name in ("from", "ended")}
            for key in self.r.sample(KEYS, self.r.randint(0, 6))
        ]
        entry["practitioners"] = []
        for k in range(self.r.randint(1, 2)):
            npi = _npi(n * 10 + k)
            facts = [
                {"kind": kind, "number": f"{kind}{c}", "source": "state board", **self.span()}
                | ({"services": ["lab"]} if kind == "licence" and self.rarely(0.3) else {})
                for c, kind in enumerate(("licence", "credentialing", "dea")[: self.r.randint(1, 2)])
            ]
            member = {"npi": npi, "name": f"Dr {npi}", "credentials": facts, **self.span()}
            if self.rarely(0.3):
                starts, until, again = sorted(self.r.sample(GRID, 3))
                member["out_of_use"] = [{"from": text(starts), "until": text(until)}]
                if self.rarely(0.3):
                    member["out_of_use"].append({"from": text(again)})
            entry["practitioners"].append(member)
        first = {
            "ref": f"d-{ref}",
            "partner": "firm",
            "entitlements": sorted(self.r.sample(KEYS[:-1], 11)),
            "lines": list(lines),
            **self.span(),
            **self.history("status", "active", ["suspended"]),
        }
        second = {
            "ref": f"e-{ref}",
            "partner": "helper",
            "parent": first["ref"],
            "entitlements": first["entitlements"][:9],
            "lines": ["medical"],
            **self.span(),
            **self.turning({"entitlements": [first["entitlements"][:9], first["entitlements"][:4]]}, 0.3),
        }
        first |= self.somewhere(0.8)
        second |= self.somewhere(0.8, first.get("locations"))
        entry["locations"] = [{"name": name, "from": text(OLD)} for name in PLACES]
        entry["delegations"] = [first, second]
        return entry

    def person(self, ref: str) -> Rows:
        entry: Rows = {"ref": ref, "id": f"acc_{ref}", "name": ref, "logins": [{"upstream": "u", "subject": ref}]}
        entry |= {"ial": self.r.choice([1, 2, 2])}
        if self.rarely(0.5):
            entry |= self.history("status", "active", ["suspended", "ceased", "invited"])
        elif self.rarely(0.5):
            del entry["ial"]
            entry |= {"history": [{"from": text(OLD), "ial": 1}, {"from": text(self.r.choice(GRID)), "ial": 2}]}
        if not self.rarely(0.1):
            first = self.r.choice([OLD, *PAST[:3]])
            entry["attested"] = [
                {"at": text(first + timedelta(days=300 * n))} | self.withdrawn(first, n)
                for n in range(self.r.choice([1, 4, 4]))
            ]
        entry["terms"] = [
            {"kind": kind, "version": version, "at": text(self.r.choice([OLD, OLD, *PAST[:4]]))}
            for kind, version in (("site", "1.0"), ("site", "2.0"), ("general", "1.0"))
            if not self.rarely(0.08)
        ]
        entry["affiliations"] = [
            {
                "provider": provider,
                **dates,
                **({"partner": self.r.choice(["firm", "helper", "trust"]), **self.somewhere(0.7)} if third else {}),
            }
            for provider in self.r.sample(self.providers, min(3, len(self.providers)))
            for third in [self.rarely(0.35)]
            for dates in self.turns()
        ]
        return entry

    def withdrawn(self, first: datetime, n: int) -> Rows:
        return {"until": text(first + timedelta(days=300 * n + 30))} if self.rarely(0.1) else {}

    def turns(self) -> list[Rows]:
        """Return one or two periods, one after the other: only one may still be open."""
        if not self.rarely(0.3):
            return [self.span()]
        first, between, again = sorted(self.r.sample(PAST, 3))
        word = self.r.choice(["until", "ended"])
        return [{"from": text(first), word: text(between)}, {"from": text(again)}][:: self.r.choice([1, -1])]

    def appointments(self) -> list[Rows]:
        places = {(self.r.choice(self.people), self.r.choice(self.providers)) for _ in range(len(self.people) // 2)}
        return [
            {"person": person, "provider": provider, "line": "medical", **self.span()}
            for person, provider in sorted(places)
        ]

    def grants(self) -> list[Rows]:
        made = []
        for n in range(len(self.people) * 18):
            provider = self.r.choice(self.providers)
            entry = {
                "ref": f"g{n}",
                "id": f"grt_{n}",
                "person": self.r.choice(self.people),
                "provider": provider,
                "line": "dental" if self.rarely(0.1) else "medical",
                "entitlement": self.r.choice(KEYS),
                **self.span(),
            }
            if self.rarely(0.12):
                del entry["id"]
                entry |= {"effect": "deny"}
            elif self.rarely(0.25) and entry["entitlement"] != "access.view":
                entry |= {"delegation": self.r.choice(["d-", "e-"]) + provider}
            made.append(entry)
        return made

    def session(self, ref: str) -> Rows:
        at = self.r.choice([*PAST, NOW]) - timedelta(minutes=self.r.choice([0, 5, 20]))
        made = {"ref": f"s-{ref}", "id": f"ses_{ref}", "person": ref, "at": text(at)}
        made["acr"] = self.r.choice(["aal1", "aal2", "aal2", "phr"])
        made["seen_at"] = text(at + timedelta(minutes=self.r.choice([0, 5, 30])))
        made["until"] = text(at + timedelta(minutes=self.r.choice([10, 600])))
        if self.rarely(0.7):
            made["factor_at"] = text(at + timedelta(minutes=self.r.choice([-20, 0, 5])))
        if self.rarely(0.3):
            made["partner"] = self.r.choice(["firm", "helper"])
        if self.rarely(0.15):
            made["ended"] = text(at + timedelta(minutes=5))
        return made

    def question(self, world: Rows) -> Rows:
        """Return one question about the world as plain values; `at` lies on or next to an edge."""
        r = self.r
        g = r.choice(world["grants"])
        person, provider, key, line = g["person"], g["provider"], g["entitlement"], g["line"]
        key = r.choice([key] * 5 + [r.choice(KEYS), "access.manage", "no.such.thing"])
        session = next(s for s in world["sessions"] if s["person"] == person)
        near = datetime.fromisoformat(session["at"]) + timedelta(minutes=r.choice([0, 5, 10, 15, 20]))
        at = r.choice([*GRID, *GRID, near, near, NOW]) + timedelta(microseconds=r.choice([-1, 0, 0, 1]))
        record: Rows = {"state": r.choice(["denied", "reduced", "paid"]), "member_active": not self.rarely()}
        record["billing_provider"] = r.choice([f"prv_{provider}", f"prv_{provider}", "prv_x"])
        record["rendering_provider"] = r.choice([None, f"prv_{provider}"])
        record["service"] = r.choice(["lab", "imaging"])
        record["location"] = self.where.choice([None, *PLACES, *PLACES])
        record["shared_account"] = r.choice([None, None, None, "7001", "7002", "9999"])
        return {
            "person": person if not self.rarely(0.03) else "nobody",
            "provider": provider if not self.rarely(0.03) else "nowhere",
            "key": key,
            "line": line if not self.rarely(0.05) else r.choice(["dental", "behavioural"]),
            "purpose": r.choice([None, "X", *["CLAIM_REDUCTION_REVIEW", "PROSPECTIVE_SERVICE"] * 3]),
            "record": record,
            "session": None if self.rarely(0.1) else (person if not self.rarely(0.05) else r.choice(self.people)),
            "assume": self.rarely(0.5),
            "at": at,
        }


def _npi(n: int) -> str:
    """Return a valid NPI (check digit over 80840 and nine digits)."""
    digits = f"1{n:08d}"
    total = 0
    for place, digit in enumerate(reversed("80840" + digits)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value // 10 + value % 10
    return digits + str(-total % 10)


def body(q: Rows) -> Rows:
    """Return the AuthZEN request of a question."""
    return {
        "subject": {
            "type": "account",
            "id": f"acc_{q['person']}",
            "properties": {"sid": f"ses_{q['session']}"} if q["session"] else {},
        },
        "action": {"name": q["key"]},
        "resource": {
            "type": "provider",
            "id": f"prv_{q['provider']}",
            "properties": {"line_of_business": q["line"]},
        },
        "context": {
            "purpose": q["purpose"],
            "record": q["record"],
            "at": text(q["at"]),
            "assume_authenticated": q["assume"],
        },
    }
