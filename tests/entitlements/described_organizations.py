"""The organizations of a random world: providers, partners, terms and who answers for what."""

from tests.entitlements.dated import GRID, OLD, PLACES, Dated, Rows, text

LINES = ("medical", "dental")
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
OWNERS: list[Rows] = [{"owner": "insurer"}, {"owner": "affiliate"}, {"owner": "catalogue"}, {"owner": "partner"}]
OWNERS += [{"owner": "partner", "partner": "firm"}, {"owner": "partner", "partner": "helper"}]
"""Who may have answered for a function on other days."""


class Organizations(Dated):
    """Makes the organizations."""

    providers: list[str]

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


def _npi(n: int) -> str:
    """Return a valid NPI (check digit over 80840 and nine digits)."""
    digits = f"1{n:08d}"
    total = 0
    for place, digit in enumerate(reversed("80840" + digits)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value // 10 + value % 10
    return digits + str(-total % 10)
