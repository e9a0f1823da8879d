"""Whose outside company a person works for, and whether they administer it."""

from typing import Any

from sqlmodel import Session as Db

from idp.apply.schema.people import Company
from idp.apply.source import Place
from idp.apply.work import References, Work, rows
from idp.partners import members
from idp.partners.tables import PartnerMember


def apply(work: Work, ref: str, account_id: str, entry: Company, place: Place) -> None:
    """Record that a person works for a company, change what they are there, or end it."""
    db, key = work.db, f"{ref}: works for {entry.partner}"
    partner_id = work.id_of("partners", entry.partner, (*place, "partner"))
    known = rows(db, PartnerMember, PartnerMember.account_id == account_id, PartnerMember.partner_id == partner_id)
    row = next((one for one in known if one.ended_at is None), known[-1] if known else None)
    if row is None:
        if entry.ended:
            return
        members.record(
            db,
            partner_id=partner_id,
            account_id=account_id,
            administrator=entry.administrator,
            by="operator",
            starts_at=entry.starts or work.at,
            ends_at=entry.until,
        )
        work.difference.add("added", "people", key)
    elif row.ended_at is not None:
        if not entry.ended:
            work.difference.add("kept", "people", key, because=f"ended by {row.ended_by}; it is not begun again")
    elif entry.ended:
        members.end(db, row, by="operator", reason=entry.end_reason)
        work.difference.add("ended", "people", key)
    elif members.set_administrator(db, row, entry.administrator, by="operator"):
        work.difference.change("people", key, {"administrator": (not entry.administrator, entry.administrator)})


def export(db: Db, names: References) -> dict[str, list[dict[str, Any]]]:
    """Return account -> the companies it works for, as the file writes them."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows(db, PartnerMember):
        told: dict[str, Any] = {"partner": names.name("partners", row.partner_id), "from": row.starts_at}
        told |= {"administrator": True} if row.administrator else {}
        told |= {"until": row.ends_at} if row.ends_at else {}
        told |= {"ended": row.ended_at, "end_reason": row.end_reason} if row.ended_at else {}
        found.setdefault(row.account_id, []).append(told)
    return found
