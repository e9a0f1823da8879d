"""A signed receipt as a page to read and print: who did what, for whom, when, who signed it, how to check it.

The page says what the saved file says, in words; the file (saved.py) is what is compared with the log.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from fastapi import Request, Response
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp.accounts.tables import Account
from idp.audit.events import VOCABULARY
from idp.audit.leaf import raw
from idp.audit.tables import AuditRecord, AuditUnsealed
from idp.entitlements.tables import Entitlement
from idp.errors import NotFound
from idp.providers.tables import Affiliation, Provider
from idp.wam import happened
from idp.wam.delegating import ENDINGS
from idp.wam.removing import REASONS
from idp.web import pages, scopes

TITLES = {
    "change": "Access changed",
    "removal": "Access removed",
    "invitation": "Invitation made",
    "delegation": "Delegation made",
    "delegation_end": "Delegation ended",
    "appointment": "Appointment as access manager",
    "review": "Access review signed",
    "joined": "Invitation taken up",
}
"""What a receipt is of, by its kind."""
UNDER = {
    "delegation": "Delegations",
    "delegation_end": "Delegations",
    "review": "Reviews",
    "appointment": "Access managers",
}
"""Under which entry of the practice's navigation a kind belongs; the others under People."""
MOST = 200
"""Records the page lists; the file has all."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a page says of a receipt beside its records."""

    number: str
    title: str
    by: str
    """Account id of who did it."""
    save: str
    """Where the file is."""
    back: tuple[str, str]
    """Where the page leads back to: address and words."""
    whom: str | None = None
    """Account id of the person it is about."""
    practice: str | None = None
    """Provider id."""
    why: str = ""
    staff: bool = False
    """Who looks may know everybody's name, and open records."""
    only: frozenset[str] | None = None
    """Account ids whose names a company may see: its own people's; None: all of the practice's."""


def of_practice(row: Any, *, save: str, back: tuple[str, str], **more: Any) -> Told:
    """Return what is said of a practice's receipt."""
    title = TITLES[row.kind]
    if row.kind == "appointment" and row.facts.get("ended"):
        title = "Appointment as access manager ended"
    why = {**ENDINGS, **REASONS}.get(row.reason, row.reason).partition(" (")[0]
    return Told(row.id, title, row.made_by, save, back, row.account_id, row.provider_id, why, **more)


def page(request: Request, db: Db, promise: dict[str, Any] | None, told: Told, **frame: Any) -> Response:
    """Show a promise in words; raise NotFound where none was made."""
    if promise is None:
        raise NotFound("This change was made before receipts were signed.")
    signed = {int(one["number"]): str(one["leaf"]).encode() for one in promise["records"]}
    said = {number: orjson.loads(leaf) for number, leaf in signed.items()}
    names = _names(db, told, list(said.values()))
    lines = str(promise["note"]).split("\n")
    rows = [_row(number, leaf, names) for number, leaf in list(said.items())[:MOST]]
    return pages.page(
        request,
        "receipt.html",
        told=told,
        names=names,
        log=lines[1],
        key=base64.b64decode(lines[-2].rpartition(" ")[2])[:4].hex(),
        promised_at=datetime.fromisoformat(lines[2]),
        due_at=datetime.fromisoformat(lines[3]),
        rows=rows,
        count=len(said),
        standing=_standing(db, signed, [row["at"] for row in said.values()]),
        practice_name=names.get(told.practice or "", ""),
        **frame,
    )


def _standing(db: Db, signed: dict[int, bytes], moments: list[str]) -> dict[str, list[int]]:
    """Compare what was signed with the log as it is: records that wait to be sealed, and those not there as signed."""
    months = [datetime.fromisoformat(at) for at in moments]  # they name where the records lie
    stored = select(col(AuditRecord.seq), col(AuditRecord.leaf)).where(
        col(AuditRecord.seq).in_(signed), col(AuditRecord.at).between(min(months), max(months))
    )
    there = {seq: raw(leaf) for seq, leaf in db.execute(stored).all()}
    waits = db.exec(select(AuditUnsealed.seq).where(col(AuditUnsealed.seq).in_(signed))).all()
    return {"waits": sorted(waits), "missing": [n for n, leaf in signed.items() if there.get(n) != leaf]}


def _names(db: Db, told: Told, leaves: list[dict[str, Any]]) -> dict[str, str]:
    """Return the names of people who work or worked there, of practices and functions; of others nothing."""
    people = {str(leaf[of]) for leaf in leaves for of in ("actor", "account") if leaf.get(of)} | {told.by}
    people |= {giver for leaf in leaves if (giver := happened.giver(leaf))}
    query = select(Account.id, Account.display_name).where(col(Account.id).in_(people))
    if not told.staff:
        here = select(Affiliation.account_id).where(col(Affiliation.provider_id) == (told.practice or ""))
        known = {one for one in (told.whom, told.by) if one}
        theirs = col(Account.id).in_(here if told.only is None else told.only)
        query = query.where(theirs | col(Account.id).in_(known))
    found = dict(db.execute(query).all())
    if told.whom and told.whom not in found:
        whom = db.get(Account, told.whom)
        found |= {told.whom: whom.display_name} if whom else {}
    places = {str(leaf["provider"]) for leaf in leaves if leaf.get("provider")} | {told.practice or ""}
    found |= dict(db.execute(select(Provider.id, Provider.name).where(col(Provider.id).in_(places))).all())
    keys = {str(leaf["entitlement"]) for leaf in leaves if leaf.get("entitlement")}
    found |= dict(db.execute(select(Entitlement.key, Entitlement.name).where(col(Entitlement.key).in_(keys))).all())
    return {str(key): str(name) for key, name in found.items()}


def _row(number: int, leaf: dict[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    details, giver = leaf.get("details"), happened.giver(leaf)
    line = details.get("line") if isinstance(details, dict) else None
    function = str(leaf.get("entitlement") or "")
    return {
        "number": number,
        "at": datetime.fromisoformat(leaf["at"]),
        "what": VOCABULARY.get(leaf["event"], leaf["event"]),
        "by": happened.done_by(_who(leaf.get("actor"), names), _who(giver, names) if giver else ""),
        "whom": _who(leaf.get("account"), names) if leaf.get("account") else "",
        "function": names.get(function, function),
        "line": scopes.LINE_NAMES.get(str(line), "") if line else "",
    }


def _who(account: str | None, names: Mapping[str, str]) -> str:
    if account is None or not account.startswith("acc_"):
        return "The service"
    return names.get(account, "Somebody else")
