"""Random worlds as one applied file: everything dated, past and future, edges that meet; a seed repeats them."""

from datetime import datetime, timedelta
from typing import Any

from tests.entitlements.dated import GRID, NOW, OLD, PAST, PLACES, Rows, text
from tests.entitlements.described_organizations import KEYS, Organizations

__all__ = ["NOW", "Rows"]

SECRET = "s" * 40


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
"""What was otherwise on other days: settings and the catalogue; who answered for a function, see OWNERS."""


class Maker(Organizations):
    """Makes one world."""

    def __init__(self, seed: int, *, people: int = 10, providers: int = 4) -> None:
        super().__init__(seed)
        self.people = [f"p{n}" for n in range(people)]
        self.providers = [f"o{n}" for n in range(providers)]

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

    def functions(self) -> list[Rows]:
        """Return functions whose catalogue rows were, or will be, something else."""
        made = []
        for key, values in FUNCTIONS.items():
            turns = self.turning(values, 0.4)
            if turns:
                made.append({"key": key, **turns})
        return made

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
