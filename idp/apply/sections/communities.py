"""The trust communities in which an organization may be found by its address (HL7 UDAP)."""

from typing import Any

from sqlmodel import Session as Db
from sqlmodel import col, select

from idp.apply.difference import differing
from idp.apply.schema.trust import Community as Wanted
from idp.apply.sections.clients import variable
from idp.apply.sections.upstreams import levels, levels_in_short
from idp.apply.source import Place
from idp.apply.work import Work
from idp.federation import communities
from idp.federation.tables import TrustCommunity

FIELDS = ("name", "anchors", "certificates", "acr_map", "status")
_DOCUMENTS = ("anchors", "certificates")


def apply(work: Work, entries: list[Wanted]) -> None:
    """Record and change communities."""
    for index, entry in enumerate(entries):
        place = ("communities", index)
        with work.entry(place):
            _one(work, entry, place)


def _one(work: Work, entry: Wanted, place: Place) -> None:
    db = work.db
    known = work.references.find("communities", entry.ref, TrustCommunity)
    row = db.get(TrustCommunity, known) if known else None
    wanted: dict[str, Any] = {
        name: getattr(entry, name) for name in FIELDS if row is None or name in entry.model_fields_set
    }
    for name in _DOCUMENTS:
        wanted[name] = work.document(wanted[name], (*place, name)) + "\n"
    if "acr_map" in wanted:
        wanted["acr_map"] = levels(entry.acr_map)
    partner_id = work.id_of("partners", entry.partner, (*place, "partner"))
    if row is None:
        key = work.reveal(entry.private_key, (*place, "private_key"))
        status = wanted.pop("status")
        made = communities.register(db, partner_id=partner_id, private_key=key, community_id=entry.id, **wanted)
        if status != made.status:
            communities.change(db, made, status=status)
        work.references.put("communities", entry.ref, made.id)
        work.difference.add("added", "communities", entry.ref)
        return
    if row.partner_id != partner_id:
        raise work.wrong((*place, "partner"), "a community does not change its partner; record another community")
    changed = differing(wanted, {name: getattr(row, name) for name in wanted})
    if communities.change(db, row, private_key=_key(work, entry), **wanted):
        work.difference.change("communities", entry.ref, changed or {"private_key": ("(one key)", "(another)")})


def _key(work: Work, entry: Wanted) -> str | None:
    """Return our key where it can be read; the recorded one stays otherwise, and that is told."""
    try:
        found: str = entry.private_key.reveal(work.source.folder)
    except ValueError as problem:
        work.difference.add("kept", "communities", entry.ref, because=f"its key stays: {problem}")
        return None
    return found


def export(db: Db, refs: dict[str, str], partners: dict[str, str]) -> list[dict[str, Any]]:
    """Return every community as the file writes it; certificates are public, our key is not here."""
    found = []
    for row in db.exec(select(TrustCommunity).order_by(col(TrustCommunity.created_at), col(TrustCommunity.id))):
        ref = refs.get(row.id, row.id)
        entry: dict[str, Any] = {"ref": ref, "partner": partners.get(row.partner_id, row.partner_id)}
        entry |= {name: getattr(row, name) for name in ("name", *_DOCUMENTS)}
        if row.acr_map:
            entry["acr_map"] = levels_in_short(row.acr_map)
        if row.status != "active":
            entry["status"] = row.status
        entry["private_key"] = "env:" + variable("COMMUNITY_KEY", ref)
        found.append(entry)
    return found
