"""A second, plain reading of domain.md 4 and decisions.md 12, to compare the engine with.

It knows no memo, no Casbin, no boundaries: it looks at one small world of dictionaries at one moment.
"""

from typing import Any

Rows = dict[str, Any]
MINUTES_15 = 15 * 60 * 1_000_000


def _in(row: Rows, at: int) -> bool:
    return bool(row["starts"] <= at and (row.get("ends") is None or at < row["ends"]) and row.get("ended") is None)


def decide(w: Rows, q: Rows, at: int) -> tuple[str, str | None]:
    """Return (outcome, reason)."""
    reason = _first(w, q, at)
    if reason is None:
        return "permit", None
    return {"routed": "routed", "step_up_required": "step_up"}.get(reason, "deny"), reason


def _first(w: Rows, q: Rows, at: int) -> str | None:
    a = w["account"]
    if a is None or a["status"] not in ("active", "ceased"):
        return "account_inactive"
    in_effect = [t for t in w["terms"] if t["effective"] <= at]
    for kind in {t["kind"] for t in in_effect}:
        current = max(t["effective"] for t in in_effect if t["kind"] == kind)
        good = [
            t
            for t in w["terms"]
            if t["kind"] == kind and t["effective"] >= current and t["accepted"] is not None and t["accepted"] <= at
        ]
        if not good:
            return "terms_required"
    if a["status"] == "ceased" or not any(_in(t, at) for t in w["attestations"]):
        return "eligibility_ceased"
    f = w["catalogue"].get(q["key"])
    if f is None or q["line"] not in q["app_lines"]:
        return "client_not_allowed"
    if q["channel"] not in w["channels"]:
        return "channel_not_enabled"
    if not any(x["starts"] <= at for x in w["affiliations"]):
        return "provider_not_granted"
    return _organisation(w, f, at) or _person(w, q, f, at) or _record(w, q, f, at) or _strength(w, f, at)


def _organisation(w: Rows, f: Rows, at: int) -> str | None:
    p = w["provider"]
    if p["status"] != "active" or not any(_in(x, at) for x in w["portals"]):
        return "organisation_not_granted"
    if p["kind"] != "insurer":
        if not any(_in(x, at) for x in w["agreements"]):
            return "organisation_not_granted"
        if not f["np"] and not any(_in(x, at) for x in w["participations"]):
            return "organisation_not_granted"
    if not any(_in(x, at) for x in w["affiliations"]):
        return "affiliation_ended"
    return None


def _person(w: Rows, q: Rows, f: Rows, at: int) -> str | None:
    held = []
    for g in w["grants"]:
        revoked = g["ended"] is not None and not (g["ends"] is not None and g["ends"] <= g["ended"])
        if g["key"] != q["key"] or revoked:
            continue
        if g["effect"] == "allow" and g["delegation"] is not None:
            d = w["delegations"].get(g["delegation"])
            if d is None or d["status"] != "active" or not _in(d, at):
                continue
        held.append(g)

    def live(g: Rows) -> bool:
        return bool(g["starts"] <= at and (g["ends"] is None or at < g["ends"]))

    allows = [g for g in held if g["effect"] == "allow"]
    live_allows = [g for g in allows if live(g)]
    paused = any(live(g) for g in held if g["effect"] == "deny")
    if not live_allows or paused:
        if live_allows:
            return "grant_suspended"
        return (
            "grant_expired"
            if any(g["ends"] is not None and g["ends"] <= at for g in allows)
            else "entitlement_not_granted"
        )
    partner = next(x["partner"] for x in w["affiliations"] if _in(x, at))
    named = {g["delegation"] for g in live_allows}
    if partner is not None or None not in named:
        usable = [
            d
            for ref, d in w["delegations"].items()
            if d["status"] == "active"
            and _in(d, at)
            and q["key"] in d["keys"]
            and (partner is None or d["partner"] == partner)
            and (None in named or ref in named)
        ]
        if not usable:
            return "delegation_missing"
        if not any(w["partners"][d["partner"]] in ("active", "review_overdue") for d in usable):
            return "partner_not_in_good_standing"
    met = {"licence": any(_in(x, at) for x in w["licences"]), "capitation": w["provider"]["capitation"]}
    if w["account"]["ial"] < f["ial"] or not all(met[need] for need in f["needs"]):
        return "precondition_failed"
    return None


def _record(w: Rows, q: Rows, f: Rows, at: int) -> str | None:
    r = q["record"]
    if f["purposes"]:
        if not q["purpose"]:
            return "purpose_required"
        if q["purpose"] not in f["purposes"]:
            return "purpose_not_permitted"
        if q["purpose"] == "CLAIM_REDUCTION_REVIEW":
            good = r.get("state") in ("denied", "reduced") and r.get("billing_provider") == "prv"
        else:
            licences = [x for x in w["licences"] if _in(x, at)]
            good = r.get("member_active") is True and any(
                x["services"] is None or r.get("service") in x["services"] for x in licences
            )
            good = good and r.get("service") is not None
        if not good:
            return "purpose_not_permitted"
    if r.get("shared_account") is None:
        return None
    s = w["shared"] if r["shared_account"] == "7001" else None
    if s is None:
        return None if f["shared"] == "permit" else "routed"
    if not _in(s, at):
        return None
    owner = s["owner"] or {"TPA": "partner"}.get(f["shared"], "insurer")
    partner = next(x["partner"] for x in w["affiliations"] if _in(x, at))
    return None if owner == "insurer" or partner == "ptr_tpa" else "routed"


def _strength(w: Rows, f: Rows, at: int) -> str | None:
    s = w["session"]
    if s is None or s["ended"] is not None or s["shut"] is not None:
        return "step_up_required"
    if not s["auth"] <= at < s["expires"] or at >= s["seen"] + MINUTES_15:
        return "step_up_required"
    if s["acr"] == 1:
        return "step_up_required"
    if f["fresh"] and (s["factor"] is None or not s["factor"] <= at < s["factor"] + MINUTES_15):
        return "step_up_required"
    return None
