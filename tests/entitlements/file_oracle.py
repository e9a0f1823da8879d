"""A second reading of domain.md 4 and 5 and decisions.md 12 that knows nothing but the applied file.

No database, no memo, no Casbin, and not one line of the product: the catalogue is copied from domain.md 5.
"""

from datetime import datetime, timedelta
from typing import Any

Rows = dict[str, Any]
CATALOGUE_OF_DOMAIN_5 = """
eligibility.view    | aal2        | yes | TPA
estimate.view       | aal2        | no  | TPA
claim.status.view   | aal2        | yes | TPA          | both
claim.recon.submit  | aal2        | yes | insurer line | i
remit.view          | aal2        | yes | TPA
era.enroll          | fresh       | no  | TPA
eft.manage          | fresh, IAL2 | no  | TPA
precert.view        | aal2        | yes | affiliate
precert.clinical    | aal2        | yes | affiliate    |      | licence
referral.manage     | aal2        | no  | by account   |      | licence
roster.view         | aal2        | no  | none         |      | capitation
demographics.update | fresh       | no  | insurer
message.send        | aal2        | yes | permit
access.view         | aal2        | yes | permit
access.manage       | fresh, IAL2 | yes | permit
"""
PURPOSES = {
    "": (),
    "i": ("CLAIM_REDUCTION_REVIEW",),
    "both": ("CLAIM_REDUCTION_REVIEW", "PROSPECTIVE_SERVICE"),
}
AAL = "http://idmanagement.gov/ns/assurance/aal/2"
QUARTER = timedelta(minutes=15)
MINUTES = {f"PT{n}M": timedelta(minutes=n) for n in (5, 10, 15)}


def catalogue() -> dict[str, Rows]:
    """Return the functions by key."""
    found = {}
    for line in CATALOGUE_OF_DOMAIN_5.strip().splitlines():
        key, strength, np, shared, purposes, needs = ([part.strip() for part in line.split("|")] + ["", ""])[:6]
        found[key] = {
            "fresh": "fresh" in strength,
            "ial": 2 if "IAL2" in strength else 1,
            "np": np == "yes",
            "shared": shared,
            "purposes": PURPOSES[purposes],
            "needs": {n for n in (needs, "" if np == "yes" else "credentialed") if n},
        }
    return found


CATALOGUE = catalogue()


def moment(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value)


def holds(row: Rows, at: datetime) -> bool:
    """Half-open: from <= at < until, and nobody has ended it by then."""
    starts, until, ended = moment(row.get("from")), moment(row.get("until")), moment(row.get("ended"))
    return (starts is None or starts <= at) and (until is None or at < until) and (ended is None or at < ended)


def value(row: Rows, what: str, default: Any, at: datetime) -> Any:
    lines = sorted((line for line in row.get("history", []) if what in line), key=lambda line: line["from"])
    if not lines:
        return row.get(what, default)
    return ([line for line in lines if datetime.fromisoformat(line["from"]) <= at] or lines[:1])[-1][what]


def by_ref(rows: list[Rows], ref: str) -> Rows | None:
    return next((row for row in rows if row["ref"] == ref), None)


class Oracle:
    """Answers questions about one file."""

    def __init__(self, file: Rows) -> None:
        self.w = file
        self.people = {row["ref"]: row for row in file["people"]}
        self.providers = {row["ref"]: row for row in file["providers"]}

    def decide(self, q: Rows) -> tuple[str, str | None, Any]:
        """Return (outcome, reason, what else is told: the contact's name or the strength)."""
        found = self.first(q, q["at"])
        if found is None:
            return "permit", None, None
        if isinstance(found, tuple):
            reason, told = found
            return ("routed" if reason == "routed" else "step_up"), reason, told
        return "deny", found, None

    def first(self, q: Rows, at: datetime) -> Any:
        person = self.people.get(q["person"])
        status = value(person, "status", "active", at) if person else None
        if person is None or status not in ("active", "ceased"):
            return "account_inactive"
        if not self.accepted(person, at):
            return "terms_required"
        if status == "ceased" or not self.attested(person, at):
            return "eligibility_ceased"
        f = self.function(q["key"], at)
        if f is None or q["line"] not in ("medical", "dental"):
            return "client_not_allowed"
        if "site" not in self.setting("channels", ["site"], at):
            return "channel_not_enabled"
        provider = self.providers.get(q["provider"])
        mine = [a for a in person["affiliations"] if a["provider"] == q["provider"]]
        if provider is None or not any(datetime.fromisoformat(a["from"]) <= at for a in mine):
            return "provider_not_granted"
        closed = self.opened(provider, q["line"], q["key"], f, at)
        if closed is not None:
            return closed
        affiliation = next((a for a in mine if holds(a, at)), None)
        if affiliation is None:
            return "affiliation_ended"
        partner = affiliation.get("partner")
        return (
            self.granted(q, provider, partner, at)
            or self.precondition(q, f, person, provider, at)
            or self.purpose(q, f, provider, at)
            or self.routed(q, f, partner, at)
            or self.strength(q, f, at)
        )

    def accepted(self, person: Rows, at: datetime) -> bool:
        for kind in ("site", "general"):
            versions = [t for t in self.w["terms"] if t["kind"] == kind]
            current = [t["effective"] for t in versions if datetime.fromisoformat(t["effective"]) <= at]
            if not current:
                continue
            good = {t["version"] for t in versions if t["effective"] >= max(current)}
            if not any(
                a["kind"] == kind and a["version"] in good and datetime.fromisoformat(a["at"]) <= at
                for a in person["terms"]
            ):
                return False
        return True

    def attested(self, person: Rows, at: datetime) -> bool:
        for said in person.get("attested", []):
            starts = datetime.fromisoformat(said["at"])
            try:
                ends = starts.replace(year=starts.year + 1)
            except ValueError:  # 29 February
                ends = starts.replace(year=starts.year + 1, month=3, day=1)
            if starts <= at < (moment(said.get("until")) or ends):
                return True
        return False

    def function(self, key: str, at: datetime) -> Rows | None:
        if key not in CATALOGUE:
            return None
        entry: Rows = next((e for e in self.w["functions"] if e["key"] == key), {})
        names = {"np": "non_participating"}
        usual = {"acr": "aal2", **CATALOGUE[key]}
        return {name: value(entry, names.get(name, name), default, at) for name, default in usual.items()}

    def setting(self, path: str, default: Any, at: datetime) -> Any:
        section, _, name = path.rpartition(".")
        said = []
        for line in self.w["settings"].get("history", []):
            part = line.get(section, {}) if section else line
            if name in part:
                said.append({"from": line["from"], name: part[name]})
        return value({"history": said}, name, default, at)

    def opened(self, provider: Rows, line: str, key: str, f: Rows, at: datetime) -> str | None:
        """Return why not, if it is not."""
        no = "organisation_not_granted"

        def any_of(section: str) -> bool:
            return any(row["line"] == line and holds(row, at) for row in provider[section])

        if value(provider, "status", "active", at) != "active" or not any_of("portals"):
            return no
        if "site" not in value(provider, "channels", ["site"], at):
            return "channel_not_enabled"
        if any((w["line"], w["function"]) == (line, key) and holds(w, at) for w in provider["withheld"]):
            return no
        if provider["kind"] == "insurer":
            return None
        return None if any_of("agreements") and (f["np"] or any_of("participation")) else no

    def granted(self, q: Rows, provider: Rows, partner: str | None, at: datetime) -> str | None:
        mine = [
            g
            for g in self.w["grants"]
            if (g["person"], g["provider"], g["line"], g["entitlement"])
            == (q["person"], q["provider"], q["line"], q["key"])
        ]
        mine += [
            {**a, "appointed": True}
            for a in self.w["appointments"]
            if (a["person"], a["provider"], a["line"]) == (q["person"], q["provider"], q["line"])
            and q["key"] in ("access.view", "access.manage")
        ]
        delegations = provider["delegations"]

        def in_force(d: Rows | None) -> bool:
            return d is not None and holds(d, at) and value(d, "status", "active", at) == "active"

        def ended_early(g: Rows) -> bool:
            ended, until = moment(g.get("ended")), moment(g.get("until"))
            return ended is not None and ended <= at and not (until is not None and until <= ended)

        counted = [
            g
            for g in mine
            if not ended_early(g)
            and (g.get("effect") == "deny" or "delegation" not in g or in_force(by_ref(delegations, g["delegation"])))
        ]
        live = [
            g
            for g in counted
            if datetime.fromisoformat(g["from"]) <= at and not ((u := moment(g.get("until"))) and u <= at)
        ]
        allows = [g for g in live if g.get("effect") != "deny"]
        if not allows or len(allows) != len(live):
            if allows:
                return "grant_suspended"
            over = [g for g in counted if g.get("effect") != "deny" and (u := moment(g.get("until"))) and u <= at]
            return "grant_expired" if over else "entitlement_not_granted"
        if partner is None and any("delegation" not in g for g in allows):
            return None
        named = None if any("delegation" not in g for g in allows) else {g["delegation"] for g in allows}
        chains = []
        for d in delegations:
            if (partner is not None and d["partner"] != partner) or (named is not None and d["ref"] not in named):
                continue
            chain = [d]
            while "parent" in chain[-1]:
                chain.append(by_ref(delegations, chain[-1]["parent"]) or {})
            if all(
                in_force(x)
                and q["key"] in value(x, "entitlements", x["entitlements"], at)
                and q["line"] in x["lines"]
                and self.there(q, x.get("locations"))
                for x in chain
            ):
                chains.append(chain)
        if not chains or not self.there(q, self.places_of(q, at)):
            return "delegation_missing"
        if not any(all(self.good(d["partner"], at) for d in chain) for chain in chains):
            return "partner_not_in_good_standing"
        return None

    def there(self, q: Rows, places: list[str] | None) -> bool:
        """Say whether it is about one of these places; a replay that names none leaves that open."""
        named = q["record"]["location"]
        return places is None or named is None or named in places

    def places_of(self, q: Rows, at: datetime) -> list[str] | None:
        """Return the places a third party's person works for: all (None) for anybody else."""
        mine = self.people[q["person"]]["affiliations"]
        now = next(a for a in mine if a["provider"] == q["provider"] and holds(a, at))
        return now.get("locations")

    def good(self, partner: str, at: datetime) -> bool:
        row = by_ref(self.w["partners"], partner)
        return row is not None and value(row, "status", "prospect", at) in ("active", "review_overdue")

    def facts(self, provider: Rows, kind: str, at: datetime) -> list[Rows]:
        return [
            c
            for p in provider["practitioners"]
            if holds(p, at) and not any(holds(gone, at) for gone in p.get("out_of_use", []))
            for c in p["credentials"]
            if c["kind"] == kind and holds(c, at)
        ]

    def precondition(self, q: Rows, f: Rows, person: Rows, provider: Rows, at: datetime) -> str | None:
        met = {
            "licence": bool(self.facts(provider, "licence", at)),
            "credentialed": bool(self.facts(provider, "credentialing", at)),
            "capitation": value(provider, "payment_arrangement", "fee_for_service", at) == "capitation",
        }
        enough = value(person, "ial", 1, at) >= f["ial"]
        return None if enough and all(met[need] for need in f["needs"]) else "precondition_failed"

    def purpose(self, q: Rows, f: Rows, provider: Rows, at: datetime) -> str | None:
        if not f["purposes"]:
            return None
        if not q["purpose"]:
            return "purpose_required"
        r = q["record"]
        if q["purpose"] == "CLAIM_REDUCTION_REVIEW":
            ours = f"prv_{q['provider']}" in (r["billing_provider"], r["rendering_provider"])
            good = r["state"] in ("denied", "reduced") and ours
        else:
            licences = self.facts(provider, "licence", at)
            good = r["member_active"] and any("services" not in x or r["service"] in x["services"] for x in licences)
        return None if good and q["purpose"] in f["purposes"] else "purpose_not_permitted"

    def routed(self, q: Rows, f: Rows, partner: str | None, at: datetime) -> Any:
        number = q["record"]["shared_account"]
        if number is None:
            return None
        shared = next(
            (s for p in self.w["partners"] for s in p.get("shared_accounts", []) if s["number"] == number), None
        )
        if shared is None:
            return (
                None
                if f["shared"] == "permit"
                else ("routed", self.setting("insurer.name", "Meridian Health Plan", at))
            )
        if not holds(shared, at):
            return None
        owner = shared.get("functions", {}).get(q["key"])
        if owner and "history" in owner:
            lines = sorted(owner["history"], key=lambda line: line["from"])
            owner = ([line for line in lines if datetime.fromisoformat(line["from"]) <= at] or lines[:1])[-1]
        if owner and owner["owner"] == "catalogue":
            owner = None
        who = owner["owner"] if owner else {"TPA": "partner", "affiliate": "affiliate"}.get(f["shared"], "insurer")
        if who == "insurer":
            return None
        if who == "affiliate":
            return "routed", self.setting("insurer.affiliate_name", "Meridian Care Management", at)
        responsible = (owner or {}).get("partner", "trust")
        if partner == responsible:
            return None
        row = by_ref(self.w["partners"], responsible) or {}
        return "routed", value(row, "contact", {}, at).get("name") or row["name"]

    def strength(self, q: Rows, f: Rows, at: datetime) -> Any:
        if q["assume"]:
            return None
        factor_fresh = MINUTES[self.setting("clocks.factor_fresh", "PT15M", at)]
        told = int(factor_fresh.total_seconds()) if f["fresh"] else None
        wanted = ("step_up_required", ("phr" if f["acr"] == "phr" else AAL, told))
        s = next((s for s in self.w["sessions"] if s["person"] == q["session"]), None)
        if s is None or q["session"] != q["person"]:
            return wanted
        began, seen = datetime.fromisoformat(s["at"]), datetime.fromisoformat(s["seen_at"])
        idle = QUARTER if s["acr"] == "phr" else MINUTES[self.setting("clocks.session_idle", "PT15M", at)]
        over = datetime.fromisoformat(s["until"]) <= at or seen + idle <= at
        ended = moment(s.get("ended"))
        if (
            began > at
            or over
            or (ended is not None and ended <= at)
            or s["acr"] not in (("phr",) if f["acr"] == "phr" else ("phr", "aal2"))
        ):
            return wanted
        if "partner" in s and not self.good(s["partner"], at):
            return wanted
        factor = moment(s.get("factor_at")) or began
        if f["fresh"] and not factor <= at < factor + factor_fresh:
            return wanted
        return None
